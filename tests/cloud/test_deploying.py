"""What a deployment uploads and builds: once, by content; nothing of an earlier one is touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.cloud import dataflow_v1beta3
from onward.artifacts import ringing_object
from onward.local.buckets import Buckets

CI = Path(__file__).parents[2] / ".ci"
PIPELINE = """
pipeline: sales
steps:
  clean: {dataflow: {main: beam/clean.py}}
  totals: {dataproc: {pyspark: totals.py}}
  publish: {workflow: {source: publish.yaml}}
"""
DOCKER = """#!/bin/sh
echo "$@" >> "$0.log"
case "$1" in pull) exit 1;; esac
"""


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    folder = tmp_path / "workflows" / "sales"
    (folder / "beam").mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(PIPELINE)
    (folder / "publish.yaml").write_text("main:\n  steps:\n  - give: {return: 1}\n")
    (folder / "totals.py").write_text("# totals\n")
    (folder / "beam" / "clean.py").write_text("# clean\n")
    return folder


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for Docker, has no image, and notes what it is asked for."""
    script = tmp_path / "bin" / "docker"
    script.parent.mkdir()
    script.write_text(DOCKER)
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    return script


class Deploys:
    """The steps of a deployment, as the Makefile's verbs run them."""

    def __init__(self, folder: Path, storage: Buckets) -> None:
        self.build = folder / "build"
        self.code = storage.folder("code")
        self.code.mkdir(parents=True)
        self._workflows = folder / "workflows"

    def compile(self, *options: str) -> Any:
        onward = str(Path(sys.executable).with_name("onward"))
        arguments = ["compile", str(self._workflows), "-o", str(self.build), *options]
        subprocess.run([onward, *arguments], check=True, capture_output=True)
        (self.build / "functions.zip").write_bytes(b"archive")
        return json.loads((self.build / "deployment.json").read_text())

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(CI / script), *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    def images(self) -> str:
        done = self.run("images.py", "code", str(self.build), "repo.example.com/onward")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def upload(self) -> list[str]:
        done = self.run("store.py", "upload", "code", str(self.build), "archives/functions-abc.zip")
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def earlier(self, count: int) -> list[str]:
        done = self.run("store.py", "earlier", "code", str(self.build), str(count))
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def objects(self) -> dict[str, bytes]:
        files = (path for path in self.code.rglob("*") if path.is_file())
        return {path.relative_to(self.code).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def deploys(tmp_path: Path, storage: Buckets, sales: Path, docker: Path) -> Deploys:
    assert sales.exists()
    assert docker.exists()
    return Deploys(tmp_path, storage)


def test_all_that_the_manifest_names_is_uploaded_and_the_manifest_last(deploys: Deploys) -> None:
    made = deploys.compile()
    deploys.images()
    uploaded = deploys.upload()
    objects = deploys.objects()
    named = {
        ringing_object(),
        *made["files"],
        *made["templates"],
        *made["definitions"].values(),
        "archives/functions-abc.zip",
    }
    deployments = [name for name in objects if name.startswith("deployments/")]
    assert objects.keys() == named | set(deployments)
    assert [json.loads(objects[name]) for name in deployments] == [made]
    assert uploaded[-1] == f"gs://code/{deployments[0]}"


def test_what_is_there_already_is_left_as_it_is(deploys: Deploys, sales: Path) -> None:
    first = deploys.compile()
    deploys.images()
    deploys.upload()
    before = deploys.objects()
    assert len(deploys.upload()) == 1  # the manifest of one more deployment
    (sales / "totals.py").write_text("# other totals\n")
    second = deploys.compile()
    deploys.images()
    deploys.upload()
    assert first["files"].keys().isdisjoint(second["files"])
    assert before.items() <= deploys.objects().items()


def test_the_spec_of_a_beam_step_names_one_image_for_launcher_and_workers(deploys: Deploys, docker: Path):
    made = deploys.compile()
    assert deploys.images().startswith("1 of 1 Flex Templates were built")
    (name,) = made["templates"]
    spec = dataflow_v1beta3.ContainerSpec.from_json((deploys.build / name).read_text())
    content = name.split("/")[1]
    assert spec.image.startswith("repo.example.com/onward/sales-beam-clean-")
    assert spec.image.endswith(f":{content}")
    assert spec.default_environment.sdk_container_image == spec.image
    asked = docker.with_name("docker.log").read_text().splitlines()
    builds = [line for line in asked if line.startswith("build ")]
    assert [line.split()[2].partition(":")[0] for line in builds[:1]] == ["repo.example.com/onward/beam"]
    assert "MAIN=beam/clean.py" in builds[1]
    assert "BESIDE=beam" in builds[1]
    assert builds[1].endswith("/build/workflows/sales")
    assert f"push --quiet {spec.image}" in asked


def test_a_template_that_is_in_the_bucket_is_not_built_again(deploys: Deploys, docker: Path) -> None:
    deploys.compile()
    deploys.images()
    deploys.upload()
    log = docker.with_name("docker.log")
    log.unlink()
    deploys.compile()  # its specs are gone
    assert deploys.images().startswith("0 of 1 Flex Templates were built")
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["manifest"]
    deploys.upload()


def test_an_image_that_the_repository_has_forgotten_is_built_again(deploys: Deploys, docker: Path) -> None:
    deploys.compile()
    deploys.images()
    deploys.upload()
    docker.write_text(DOCKER.replace("pull)", "pull | manifest)"))
    assert deploys.images().startswith("1 of 1 Flex Templates were built")
    deploys.upload()


def test_a_pipelines_own_dockerfile_builds_its_image(deploys: Deploys, sales: Path, docker: Path) -> None:
    (sales / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\n")
    deploys.compile()
    deploys.images()
    last = [line for line in docker.with_name("docker.log").read_text().splitlines() if "MAIN=" in line]
    assert "/build/workflows/sales/Dockerfile" in last[0]


def test_an_image_that_can_not_be_built_leaves_no_spec(deploys: Deploys, docker: Path) -> None:
    deploys.compile()
    docker.write_text("#!/bin/sh\nexit 1\n")
    done = deploys.run("images.py", "code", str(deploys.build), "repo.example.com/onward")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "docker build failed")
    done = deploys.run("store.py", "upload", "code", str(deploys.build), "archives/functions-abc.zip")
    assert done.returncode == 1
    assert "is not built; `make images` builds it" in done.stderr
    assert deploys.objects() == {}


def test_definitions_of_the_last_deployments_stay(deploys: Deploys, sales: Path) -> None:
    ids = []
    for number in range(3):
        (sales / "publish.yaml").write_text(f"main:\n  steps:\n  - give: {{return: {number}}}\n")
        ids.append(*deploys.compile()["definitions"])
        deploys.images()
        deploys.upload()
    assert len(deploys.earlier(2)) == 2
    made = deploys.compile("--earlier", str(deploys.build / "earlier"))
    assert made["definitions"].keys() == set(ids[1:])
    assert made["kept"] == ids[1:2]


def test_the_first_deployment_has_none_before_it(deploys: Deploys) -> None:
    assert deploys.earlier(20) == []
    assert deploys.compile("--earlier", str(deploys.build / "earlier"))["kept"] == []
