"""What Cloud Functions are built from: only what is deployed, and it works with its requirements alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import grpc
import pytest
from cloud.deployment import WAKES, Deployment, arrival
from google.pubsub_v1.services.publisher import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from onward.core.naming import job_name
from onward.ingress.envelope import Request
from onward.local.buckets import Buckets
from unit.ingress.envelopes import ours, push, request, structured

ROOT = Path(__file__).parents[2]
DOORS = re.findall(r"^def ([a-z]\w+)\(", (ROOT / "functions" / "main.py").read_text(), re.MULTILINE)

PIPELINE = """
pipeline: sales
trigger:
  object: {bucket: invented-landing, match: "sales/{date}/_SUCCESS"}
params: {date: date}
steps:
  clean: {dataproc: {pyspark: job.py}}
  load: {python: {call: "job.py:load"}}
"""


def packaged(folder: Path) -> Path:
    """The archive of a build in this folder, with a pipeline that has all that is not to be deployed."""
    sales = folder / "workflows" / "sales"
    if not sales.exists():
        (sales / "sample").mkdir(parents=True)
        (sales / "pipeline.yaml").write_text(PIPELINE)
        (sales / "job.py").write_text("def load():\n    return 1\n")
        (sales / "sample" / "data.csv").write_text("1,2\n")
    onward = Path(sys.executable).with_name("onward")
    build = str(folder / "build")
    subprocess.run([onward, "compile", str(folder / "workflows"), "-o", build], check=True)
    subprocess.run([sys.executable, ROOT / ".ci" / "package.py", build], check=True)
    return folder / "build" / "functions.zip"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packaged(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the archive's files."""
    folder = tmp_path_factory.mktemp("unpacked")
    with ZipFile(archive) as opened:
        opened.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def python(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has nothing but what the archive's requirements.txt names."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    uv = [str(Path(sys.executable).with_name("uv"))]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, venv], check=True)
    python = venv / "bin" / "python"
    wanted = ["--quiet", "--require-hashes", "-r", str(unpacked / "requirements.txt")]
    install = [*uv, "pip", "install", "--python", str(python), "--system-certs", *wanted]
    if subprocess.run(install, check=False).returncode != 0:  # where only pip knows the way to the packages
        subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", *wanted], check=True)
    return python


def test_it_is_laid_out_as_the_buildpack_wants_it_with_the_pipelines_beside_the_entry_points(archive: Path):
    names = ZipFile(archive).namelist()
    assert {name.partition("/")[0] for name in names} == {"functions", "requirements.txt"}
    assert {"functions/main.py", "functions/onward/wiring.py", "requirements.txt"} <= set(names)
    assert [name for name in names if name.startswith("functions/workflows/")] == [
        "functions/workflows/sales/job.py",
        "functions/workflows/sales/pipeline.yaml",
    ]


def test_it_holds_nothing_that_is_not_deployed(archive: Path) -> None:
    names = ZipFile(archive).namelist()
    rooms = {name.split("/")[2] for name in names if name.startswith("functions/onward/")}
    assert rooms & {"local", "cli"} == set()
    assert [
        name for name in names if re.search(r"test|sample|standin|__pycache__|\.pyc|egg-info", name)
    ] == []
    wanted = re.findall(r"^([a-z0-9-]+)==", ZipFile(archive).read("requirements.txt").decode(), re.MULTILINE)
    assert set(wanted) & {"pytest", "ruff", "mypy", "apache-beam", "pyspark", "rich", "aiohttp"} == set()


def test_the_same_input_gives_the_same_bytes_whenever_and_wherever_it_is_packed(
    archive: Path, tmp_path: Path
):
    first = archive.read_bytes()
    assert packaged(archive.parents[1]).read_bytes() == first
    assert packaged(tmp_path).read_bytes() == first
    entries = ZipFile(archive).infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    same = {(entry.date_time, entry.compress_type, entry.external_attr) for entry in entries}
    assert same == {((1980, 1, 1, 0, 0, 0), ZIP_STORED, 0o100644 << 16)}


IMPORTS = """
import ast, importlib, pathlib, sys, sysconfig
here = pathlib.Path.cwd()
sys.path.insert(0, str(here / "functions"))
for file in sorted(here.glob("functions/main.py")) + sorted(here.glob("functions/onward/**/*.py")):
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            for alias in node.names:
                hasattr(module, alias.name) or importlib.import_module(f"{node.module}.{alias.name}")
allowed = (str(here), sys.prefix, sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
for name, module in sys.modules.items():
    file = getattr(module, "__file__", None)
    assert file is None or file == "<frozen>" or file.startswith(allowed), (name, file)
"""


def test_every_import_of_it_however_late_is_found_in_it_or_in_its_requirements(unpacked: Path, python: Path):
    subprocess.run([python, "-I", "-c", IMPORTS], cwd=unpacked, check=True)


Send = Callable[[str, Request], dict[str, Any]]


@pytest.fixture
def completions(deployment: Deployment, pubsub_address: str) -> None:
    """The topic that python calls ring."""
    channel = grpc.insecure_channel(pubsub_address)
    topic = f"projects/{deployment.project}/topics/onward-completions"
    PublisherClient(transport=PublisherGrpcTransport(channel=channel)).create_topic(name=topic)


@pytest.fixture
def send(
    unpacked: Path, python: Path, deployment: Deployment, storage: Buckets, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Send]:
    """Send an event to an entry point, a process as Google's buildpack starts it, and read its log line.

    At the end, every entry point must have handled one.
    """
    assert deployment.project
    assert storage.root
    for name in ("ONWARD_WORKFLOWS", "PYTHONPATH"):  # the pipelines are in the archive
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GUNICORN_LOG_LEVEL", "info")  # or it would not say where it listens
    framework = [python.with_name("functions-framework"), "--source", "functions/main.py"]
    framework += ["--host", "127.0.0.1", "--port", "0"]
    running = {
        door: subprocess.Popen(
            [*framework, "--target", door],
            cwd=unpacked,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for door in DOORS
    }
    addresses = {door: _address(process) for door, process in running.items()}

    silent = set(DOORS)

    def sent(door: str, what: Request) -> dict[str, Any]:
        asked = urllib.request.Request(addresses[door], what.body, dict(what.headers), method="POST")
        with urllib.request.urlopen(asked, timeout=60) as answer:
            assert answer.status == 204
        lines = (json.loads(line) for line in running[door].stdout)
        line: dict[str, Any] = next(line for line in lines if "door" in line)
        assert (line["door"], line["outcome"]) == (door, "handled"), line
        silent.remove(door)
        return line

    yield sent
    for process in running.values():
        process.terminate()
    for process in running.values():
        process.communicate()
    assert silent == set()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"Listening at: (http://\S+)", line):
            return found[1]
    raise AssertionError("".join(said))


@pytest.mark.usefixtures("completions")
def test_every_entry_point_starts_and_handles_an_event_of_its_kind(
    send: Send, deployment: Deployment
) -> None:
    send("on_object", structured(arrival()))
    start = push(b'{"date": "2026-09-01"}', {"pipeline": "sales", "key": "k"})
    run = send("on_message", request(start))["run"]
    woken = [message.data for message in deployment.published(WAKES, 4)]
    send("on_wake", request(push(next(data for data in woken if json.loads(data)["run"] == run))))
    send("on_timer", request(deployment.timers[0]))
    bell = ours("dataproc_submit_job_last_done.logentry")
    bell["protoPayload"]["resourceName"] = f"projects/p/regions/r/jobs/{job_name('clean', run, 0, 1)}"
    send("on_job_event", request(push(bell)))
    task = {"job": job_name("load", run, 1, 1), "run": run, "step": "load", "attempt": 1, "pipeline": "sales"}
    task |= {"file": "job.py", "function": "load", "args": {}, "seconds": 60}
    send("run_python", request(task))
    send("on_command", request(push({"command": "cancel", "run": run})))


def test_what_was_not_compiled_is_not_packed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / ".ci" / "package.py", tmp_path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (
        1,
        f"{tmp_path}/workflows is not there; `make compile` makes it\n",
    )
