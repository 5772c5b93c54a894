"""What the repository itself promises: its verbs, its locks, its shape."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SETUP = ROOT / ".ci/requirements-setup.txt"
DEPLOYED = ROOT / "requirements.txt"
LOCAL = ROOT / ".ci/requirements-local.txt"
DEV = ROOT / ".ci/requirements-dev.txt"

FOLDERS = {"functions", "workflows", "terraform", "tests", "bench", "docs", ".ci"}
DEPLOYMENT = {"requirements.txt", "cloudbuild.yaml", ".gcloudignore"}
ECOSYSTEM = {
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "pyproject.toml",
    ".gitignore",
    ".gitattributes",
}


def pins(lock: Path) -> dict[str, tuple[str, int]]:
    """Each package of a lock file with its version and the number of its hashes."""
    entries = re.split(r"^(?=[a-z0-9])", lock.read_text(), flags=re.MULTILINE)[1:]
    return {name: (version, hashes) for name, version, hashes in map(pin, entries)}


def pin(entry: str) -> tuple[str, str, int]:
    found = re.match(r"([a-z0-9-]+)==([^\s;\\]+)", entry)
    assert found, f"not pinned to one version: {entry.splitlines()[0]}"
    return found[1], found[2], len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry))


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[ ;]", requirement)[0] for requirement in requirements}


def makefile_targets() -> Iterator[str]:
    declared = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert declared
    yield from declared[1].split()


def run(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("command", [["make"], ["make", "help"]])
def test_make_alone_and_make_help_explain_every_verb(command: list[str]) -> None:
    explained = re.findall(r"^make ([\w-]+) +\S", run(*command), re.MULTILINE)
    assert explained == list(makefile_targets())


@pytest.mark.parametrize("lock", [SETUP, DEPLOYED, LOCAL, DEV], ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_and_hashed(lock: Path) -> None:
    found = pins(lock)
    assert found
    assert {name for name, (_, hashes) in found.items() if not hashes} == set()


@pytest.mark.parametrize("lock", [SETUP, DEPLOYED, LOCAL, DEV], ids=lambda lock: lock.name)
def test_a_lock_names_no_host_and_no_path(lock: Path) -> None:
    assert re.findall(r"://|--(?:extra-)?index-url|--find-links|(?:^| @ |\s)/\w+", lock.read_text()) == []


@pytest.mark.parametrize(("smaller", "larger"), [(DEPLOYED, LOCAL), (LOCAL, DEV), (SETUP, DEV)])
def test_laptop_and_tests_use_the_very_versions_that_are_deployed(smaller: Path, larger: Path) -> None:
    ours, theirs = pins(smaller), pins(larger)
    assert {name: theirs.get(name) for name in ours} == ours


def test_what_the_project_asks_for_is_what_is_deployed() -> None:
    project = pyproject()
    assert names(project["project"]["dependencies"]) <= pins(DEPLOYED).keys()
    elsewhere = names(project["project"]["optional-dependencies"]["local"])
    elsewhere |= names(project["dependency-groups"]["setup"]) | names(project["dependency-groups"]["dev"])
    assert elsewhere & pins(DEPLOYED).keys() <= {"click"}  # flask, under functions-framework, brings click


def test_setup_says_in_one_line_that_python_is_missing(tmp_path: Path) -> None:
    assert setup_complaint(tmp_path) == (
        "Missing: Python 3.11 or newer (on Debian: apt install python3 python3-venv).\n"
    )


def test_setup_says_in_one_line_that_the_venv_module_is_missing(tmp_path: Path) -> None:
    python = tmp_path / "python3.11"
    python.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\n')
    python.chmod(0o755)
    complaint = "Missing: the venv module of python3.11 (on Debian: apt install python3-venv).\n"
    assert setup_complaint(tmp_path) == complaint


def setup_complaint(path: Path) -> str:
    """What `.ci/setup` writes to stderr where `path` is the whole PATH."""
    script = path / "clone/.ci/setup"
    script.parent.mkdir(parents=True)
    script.write_text((ROOT / ".ci/setup").read_text())
    done = subprocess.run(
        ["/bin/sh", script, "lock"],
        env={"PATH": str(path), "HOME": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    return done.stderr


def test_the_top_level_holds_only_what_a_reader_expects_there() -> None:
    entries = {name.split("/")[0] for name in run("git", "ls-files", "-z").split("\0") if name}
    assert entries - FOLDERS - DEPLOYMENT - ECOSYSTEM == set()
