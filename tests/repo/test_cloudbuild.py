"""cloudbuild.yaml says what the Makefile says, and changes nothing where it is told only to plan."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "cloudbuild.yaml").read_text()
BUILD: dict[str, Any] = yaml.safe_load(TEXT)
MAKEFILE = (ROOT / "Makefile").read_text()
GIVEN = {"PROJECT_ID"}
"""What Cloud Build itself fills in."""
CHANGING = ["images", "upload", "apply"]


def test_it_has_the_shape_of_a_build() -> None:
    assert BUILD.keys() <= {"steps", "substitutions", "options", "timeout", "tags", "serviceAccount"}
    assert BUILD["options"].keys() <= {"dynamicSubstitutions", "env", "logging", "machineType"}
    assert re.fullmatch(r"\d+s", BUILD["timeout"])
    for step in BUILD["steps"]:
        assert step.keys() <= {"id", "name", "args", "env"}
        assert step["name"] == "${_BUILDER}"
    assert all(isinstance(value, str) for value in BUILD["substitutions"].values())


def test_each_step_is_a_verb_of_the_makefile_and_nothing_else() -> None:
    declared = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert declared
    for step in BUILD["steps"]:
        assert step["args"] == ["make", step["id"]]
        assert step["id"] in declared[1].split()


def test_nothing_is_uploaded_before_the_tests_and_nothing_applied_before_its_plan() -> None:
    order = [step["id"] for step in BUILD["steps"]]
    assert order == ["lint", "test", "earlier", "compile", "package", "images", "upload", "plan", "apply"]


def test_every_substitution_is_explained_and_used_and_every_one_used_is_there() -> None:
    declared = BUILD["substitutions"]
    used = set(re.findall(r"\$\{?([A-Z_]+)\}?", re.sub(r"#.*", "", TEXT)))
    assert used == declared.keys() | GIVEN
    explained = re.findall(r"^  (_[A-Z]+): .+ # \S", TEXT, re.MULTILINE)
    assert explained == list(declared)


def test_what_the_steps_are_told_is_what_the_makefile_reads() -> None:
    names = [each.partition("=")[0] for each in BUILD["options"]["env"]]
    for name in set(names) - {"CI"}:
        assert f"$({name})" in MAKEFILE


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone in which every program notes that it was run."""
    folder = tmp_path / "clone"
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "build" / "earlier").mkdir(parents=True)
    (folder / "terraform").mkdir()
    (folder / "build" / "functions.zip").write_bytes(b"")
    shutil.copy(ROOT / "Makefile", folder)
    for stamp in (
        ".ci/requirements-local.txt",
        ".ci/requirements-setup.txt",
        "pyproject.toml",
        ".venv/local",
    ):
        (folder / stamp).parent.mkdir(exist_ok=True)
        (folder / stamp).touch()
    for program in (".venv/bin/python", "bin/terraform", "bin/docker", "bin/gcloud"):
        (folder / program).write_text(f'#!/bin/sh\necho {program} "$@" >> {folder}/ran\n')
        (folder / program).chmod(0o755)
    return folder


def make(clone: Path, verb: str, **environ: str) -> str:
    env = {
        "PATH": f"{clone / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PROJECT": "p",
        "REGION": "r",
    } | environ
    done = subprocess.run(["make", verb], cwd=clone, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ran(clone: Path) -> str:
    file = clone / "ran"
    return file.read_text() if file.exists() else ""


def test_the_steps_that_change_something_are_those_that_a_plan_leaves_out() -> None:
    told = [step["id"] for step in BUILD["steps"] if step.get("env") == ["MAKEFLAGS=${_CHANGE}"]]
    assert told == CHANGING
    assert BUILD["substitutions"]["_CHANGE"] == ""


@pytest.mark.parametrize("verb", CHANGING)
def test_a_plan_prints_what_it_would_do_and_does_not_do_it(clone: Path, verb: str) -> None:
    said = make(clone, verb, MAKEFLAGS="--dry-run")
    assert ran(clone) == ""
    make(clone, verb, MAKEFLAGS="")
    assert ran(clone).split()[1:] != []
    assert ran(clone).split()[-1] in said


def test_terraform_is_given_the_archive_that_was_uploaded(clone: Path) -> None:
    make(clone, "upload")
    make(clone, "plan", VARS="prod.tfvars")
    upload, _, plan = ran(clone).splitlines()
    archive = upload.split()[-1]
    assert re.fullmatch(r"archives/functions-[0-9a-f]{32}\.zip", archive)
    assert f"archive=gs://p-onward-code/{archive}" in plan
    assert f"-var-file={clone}/prod.tfvars" in plan


def test_no_plan_without_the_earlier_deployments_whose_definitions_stay(clone: Path) -> None:
    (clone / "build" / "earlier").rmdir()
    env = {"PATH": os.environ["PATH"], "PROJECT": "p", "REGION": "r"}
    done = subprocess.run(["make", "plan"], cwd=clone, env=env, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Run make earlier and make compile first" in done.stderr
    assert ran(clone) == ""


def test_the_tests_of_a_submitted_build_can_ask_git_what_belongs_to_it() -> None:
    assert ".git\n" not in (ROOT / ".gcloudignore").read_text()


def test_terraform_declares_every_variable_that_it_is_given(clone: Path) -> None:
    make(clone, "plan")
    declared = "".join(path.read_text() for path in (ROOT / "terraform").glob("*.tf"))
    for name in re.findall(r"-var (\w+)=", ran(clone)):
        assert f'variable "{name}"' in declared


def test_a_verb_that_is_not_told_enough_says_what_is_missing(clone: Path) -> None:
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run(["make", "plan"], cwd=clone, env=env, capture_output=True, text=True, check=False)
    assert "PROJECT is not set; make plan PROJECT=..." in done.stderr
    assert ran(clone) == ""
