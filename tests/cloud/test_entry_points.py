"""The entry points under functions-framework, on the emulators: what each request is answered, and does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cloud.deployment import DOORS, FUNCTIONS, SOURCE, WAKES, Deployment, Lines
from onward.core.naming import job_name, run_id
from onward.core.state import Node, NodeKey, Run, RunKey
from onward.ingress.envelope import Request
from unit.ingress.envelopes import PAYLOADS, binary, ours, payload, push, request, structured

NAMES = sorted(path.stem for path in PAYLOADS.glob("*.json"))
RUN = run_id("sales", "object", "invented-landing", "sales/2026-09-01/_SUCCESS", "1756713015917163")


def fresh(event: dict[str, Any]) -> dict[str, Any]:
    """The event, as if it were of today."""
    event["data"]["updated"] = datetime.now(UTC).isoformat()
    return event


@pytest.fixture
def started(deployment: Deployment, lines: Lines) -> str:
    """The run that the example's object starts."""
    assert deployment.post("on_object", binary(fresh(payload("gcs_object_finalized")))) == 204
    lines()
    return RUN


@pytest.mark.parametrize("wrap", [structured, binary])
def test_an_object_starts_a_run_whose_first_steps_are_woken_by_messages(
    deployment: Deployment, lines: Lines, wrap: Callable[[Any], Request]
):
    for _ in range(2):
        assert deployment.post("on_object", wrap(fresh(payload("gcs_object_finalized")))) == 204
    run = deployment.document(RunKey(RUN))
    assert isinstance(run, Run)
    assert run.params == {"date": "2026-09-01"}
    assert deployment.timers[0]["event"] == {"event": "sweep", "run": RUN, "purpose": "watch", "n": 1}
    told = [json.loads(message.data) for message in deployment.published(WAKES, 4)]
    assert {(event["event"], event["run"], event["node"]) for event in told} == {
        ("wake", RUN, "clean"),
        ("wake", RUN, "load"),
    }
    assert [(line["severity"], line["outcome"], line["run"]) for line in lines()] == [
        ("INFO", "handled", RUN)
    ] * 2


def test_what_a_service_is_not_there_for_waits_by_a_timer(deployment: Deployment, started: str, lines: Lines):
    for message in deployment.published(WAKES, 2):
        assert deployment.post("on_wake", request(push(message.data))) == 204
    node = deployment.document(NodeKey(started, "clean"))
    assert isinstance(node, Node)
    assert "no credentials for Google Cloud" in node.phase.error
    assert {timer["event"]["node"] for timer in deployment.timers[1:]} == {"clean", "load"}
    assert {(line["event"], line["step"]) for line in lines()} == {("wake", "clean"), ("wake", "load")}


@pytest.mark.usefixtures("started")
def test_a_timer_brings_its_event_and_sets_the_next(deployment: Deployment):
    (timer,) = deployment.timers
    sent = request(timer, {"content-type": "application/json", "x-cloudtasks-taskname": timer["name"]})
    for _ in range(2):
        assert deployment.post("on_timer", sent) == 204
    assert deployment.post("on_timer", request(timer | {"at": 0})) == 204
    assert [each["event"]["n"] for each in deployment.timers] == [1, 2]


def test_a_start_message_starts_a_run_and_a_command_cancels_it(deployment: Deployment, lines: Lines):
    start = push({"date": "2026-09-01"}, {"pipeline": "sales", "key": "k"})
    assert deployment.post("on_message", request(start)) == 204
    (line,) = lines()
    assert deployment.post("on_command", request(push({"command": "cancel", "run": line["run"]}))) == 204
    assert deployment.document(RunKey(line["run"])).state == "cancelling"


def test_a_message_of_attributes_alone_is_taken_as_it_is_and_not_turned_into_an_event(deployment: Deployment):
    start = push(b'{"date": "2026-09-01"}', {"pipeline": "sales"})
    notified = {
        "eventType": "OBJECT_FINALIZE",
        "bucketId": "invented-landing",
        "objectId": "sales/2026-09-02/_SUCCESS",
        "objectGeneration": "1",
        "eventTime": datetime.now(UTC).isoformat(),
        "payloadFormat": "NONE",
    }
    bare = push(b"", notified)
    del bare["message"]["data"]
    assert deployment.post("on_object", request(bare)) == 204
    assert deployment.post("on_message", request(start)) == 204
    found = run_id("sales", "object", "invented-landing", "sales/2026-09-02/_SUCCESS", "1")
    assert deployment.document(RunKey(found)).params == {"date": "2026-09-02"}


def test_a_bell_that_can_not_be_answered_comes_again(deployment: Deployment, started: str, lines: Lines):
    for message in deployment.published(WAKES, 2):
        deployment.post("on_wake", request(push(message.data)))
    lines()
    entry = ours("dataproc_submit_job_last_done.logentry")
    entry["protoPayload"]["resourceName"] = f"projects/p/regions/r/jobs/{job_name('clean', started, 0, 1)}"
    assert deployment.post("on_job_event", request(push(entry))) == 500
    (line,) = lines()
    about = ("WARNING", "again", "bell", started, "clean", 1)
    assert tuple(line[name] for name in ("severity", "outcome", "event", "run", "step", "attempt")) == about
    assert "no credentials for Google Cloud" in line["message"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("body", [b"", b"\xff\x00", b"{}", b'{"event": "wake", "n": "%"}', b"[" * 10_000])
def test_poison_is_acknowledged_once_it_is_kept_with_its_reason(
    deployment: Deployment, lines: Lines, door: str, body: bytes
):
    assert deployment.post(door, request(body)) == 204
    letter = deployment.letter()
    assert letter.data == body
    assert letter.attributes["onward-door"] == door
    (line,) = lines()
    assert (line["severity"], line["outcome"], line["door"]) == ("ERROR", "poison", door)
    assert letter.attributes["onward-reason"] in line["message"]


def test_a_dead_letter_holds_the_message_as_it_was_sent_so_that_it_can_be_sent_again(deployment: Deployment):
    assert deployment.post("on_message", request(push(b'{"pipeline": "sale"}', {"key": "k"}))) == 204
    letter = deployment.letter()
    assert letter.data == b'{"pipeline": "sale"}'
    assert letter.attributes["key"] == "k"
    assert "no pipeline named `sale` is deployed; did you mean `sales`?" in letter.attributes["onward-reason"]


def test_wrong_settings_are_said_and_everything_is_delivered_again(
    deployment: Deployment, lines: Lines, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("ONWARD_REGION")
    assert deployment.post("on_object", structured(payload("gcs_object_finalized"))) == 500
    (line,) = lines()
    assert line["severity"] == "CRITICAL"
    assert "ONWARD_REGION is not set" in line["message"]


IMPORT = """
import sys
def forbid(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        raise AssertionError(event)
sys.addaudithook(forbid)
import main
heavy = ("google.", "grpc", "yaml", "jinja2", "flask", "onward.engine", "onward.services", "onward.catalog")
print([name for name in sys.modules if name.startswith(heavy) and name != "google.cloud"])
"""


def test_importing_the_functions_builds_and_contacts_nothing():
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(FUNCTIONS)}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


Serve = Callable[[str], tuple[str, Any]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start functions-framework for an entry point; gives its address and its process."""
    started = []
    options = ("--source", str(SOURCE), "--host", "127.0.0.1", "--port", "0")

    def start(door: str) -> tuple[str, Any]:
        process = subprocess.Popen(
            [sys.executable, "-m", "functions_framework", *options, "--target", door],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "GUNICORN_LOG_LEVEL": "info"},
            text=True,
        )
        started.append(process)
        for line in process.stderr:
            if found := re.search(r"Listening at: (http://\S+)", line):
                return found[1], process
        raise AssertionError("it did not start")

    yield start
    for process in started:
        process.terminate()
        process.communicate()


def send(address: str, sent: Request) -> int:
    asked = urllib.request.Request(address, sent.body, dict(sent.headers), method="POST")
    with urllib.request.urlopen(asked) as answer:
        return int(answer.status)


def test_a_real_process_answers_the_same_and_logs_one_line_of_json_for_each(
    deployment: Deployment, serve: Serve
):
    address, process = serve("on_object")
    assert send(address, structured(fresh(payload("gcs_object_finalized")))) == 204
    assert send(address, request(b"hello")) == 204
    found = [json.loads(process.stdout.readline()) for _ in range(2)]
    assert [line["outcome"] for line in found] == ["handled", "poison"]
    assert isinstance(deployment.document(RunKey(RUN)), Run)
