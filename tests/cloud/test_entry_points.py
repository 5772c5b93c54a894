"""The entry points under functions-framework, on the emulators: what each request is answered, and does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cloud.deployment import (
    CREATES,
    DOORS,
    FUNCTIONS,
    READS,
    RUN,
    SOURCE,
    STEPS,
    WAKES,
    Deployment,
    Lines,
    arrival,
)
from onward.core.naming import run_id
from onward.core.state import NodeKey, Run, RunKey
from onward.ingress.envelope import Request
from unit.ingress.envelopes import PAYLOADS, binary, payload, push, request, structured

NAMES = sorted(path.stem for path in PAYLOADS.glob("*.json"))
RINGING = {
    "dataproc_create_batch_last": "clean",
    "dataproc_submit_job_last": "total",
    "dataflow_": "load",
    "workflows_": "report",
}
"""By the beginning of an example's name: the step whose job it can be about."""


@pytest.mark.parametrize("wrap", [structured, binary])
def test_an_object_starts_a_run_whose_first_steps_are_woken_by_messages(
    deployment: Deployment, lines: Lines, wrap: Callable[[Any], Request]
):
    for _ in range(2):
        assert deployment.post("on_object", wrap(arrival())) == 204
    run = deployment.document(RunKey(RUN))
    assert isinstance(run, Run)
    assert run.params == {"date": "2026-09-01"}
    assert deployment.timers[0]["event"] == {"event": "sweep", "run": RUN, "purpose": "watch", "n": 1}
    told = [json.loads(message.data) for message in deployment.published(WAKES, 2 * len(STEPS))]
    assert {(event["event"], event["run"], event["node"]) for event in told} == {
        ("wake", RUN, step) for step in STEPS
    }
    assert [(line["severity"], line["outcome"], line["run"]) for line in lines()] == [
        ("INFO", "handled", RUN)
    ] * 2


def test_a_wake_submits_one_job_and_its_repeat_none(started: Deployment, lines: Lines):
    messages = started.published(WAKES, len(STEPS))
    for message in messages * 2:
        assert started.post("on_wake", request(push(message.data))) == 204
    for step in STEPS:
        assert started.services.of(step).calls[CREATES[step]] == 1
    assert {(line["event"], line["run"]) for line in lines()} == {("wake", RUN)}


@pytest.mark.usefixtures("started")
def test_without_credentials_a_submit_waits_by_a_timer(
    deployment: Deployment, lines: Lines, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("ONWARD_STANDINS")
    deployment.wake(len(STEPS))
    assert "no credentials for Google Cloud" in deployment.document(NodeKey(RUN, "clean")).phase.error
    assert {timer["event"]["node"] for timer in deployment.timers[1:]} == set(STEPS)
    assert {(line["event"], line["step"]) for line in lines()} == {("wake", step) for step in STEPS}


def test_a_timer_brings_its_event_and_sets_the_next(started: Deployment):
    (timer,) = started.timers
    sent = request(timer, {"content-type": "application/json", "x-cloudtasks-taskname": timer["name"]})
    for _ in range(2):
        assert started.post("on_timer", sent) == 204
    assert started.post("on_timer", request(timer | {"at": 0})) == 204
    assert [each["event"]["n"] for each in started.timers] == [1, 2]


def test_a_start_message_starts_a_run_and_a_command_cancels_it(deployment: Deployment, lines: Lines):
    start = push({"date": "2026-09-01"}, {"pipeline": "sales", "key": "k"})
    assert deployment.post("on_message", request(start)) == 204
    (line,) = lines()
    assert deployment.post("on_command", request(push({"command": "cancel", "run": line["run"]}))) == 204
    assert deployment.document(RunKey(line["run"])).state == "cancelling"


def test_a_message_of_attributes_alone_is_taken_as_it_is(deployment: Deployment):
    attributes = {
        "eventType": "OBJECT_FINALIZE",
        "bucketId": "invented-landing",
        "objectId": "sales/2026-09-02/_SUCCESS",
        "objectGeneration": "1",
        "eventTime": datetime.now(UTC).isoformat(),
        "payloadFormat": "NONE",
    }
    sent = push(b"", attributes)
    del sent["message"]["data"]
    assert deployment.post("on_object", request(sent)) == 204
    found = run_id("sales", "object", "invented-landing", "sales/2026-09-02/_SUCCESS", "1")
    assert deployment.document(RunKey(found)).params == {"date": "2026-09-02"}


def sent_as(event: dict[str, Any]) -> list[Request]:
    """In each mode that there is for it."""
    return [structured(event), binary(event)] if "specversion" in event else [request(push(event))]


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_answered_by_every_entry_point_and_logged_in_one_line(
    deployment: Deployment, lines: Lines, name: str
):
    for door in DOORS:
        for sent in sent_as(payload(name)):
            assert deployment.post(door, sent) == 204
            (line,) = lines()
            assert line["door"] == door
            poison = line["outcome"] == "poison"
            assert line["severity"] == ("ERROR" if poison else "INFO")
            assert line["message"].startswith(f"{door}: {line['outcome']}: ")
            if poison:
                assert deployment.letter().attributes["onward-door"] == door
            if door == "on_job_event":
                assert line["outcome"] == "ignored"
    times, services = len(sent_as(payload(name))), deployment.services
    # One read where only the service knows whose it is.
    assert services.workflows.calls["GetExecution"] == (times if name.startswith("workflows") else 0)
    assert services.dataproc.calls == ({"GetOperation": times} if "template" in name else {})
    assert services.dataflow.calls == {}


def about(name: str, deployment: Deployment, step: str) -> dict[str, Any]:
    """An example, about the job of a step."""
    found = payload(name)
    message = found.get("data", {}).get("message")
    text = b64decode(message["data"]).decode() if message else json.dumps(found)
    text = re.sub("invented-daily-sales[a-z0-9-]+", deployment.job(step), text)
    if step == "report":
        (execution,) = deployment.services.workflows.executions
        _, project, _, place, _, workflow, _, number = execution.split("/")
        theirs = {"invented-project": project, "us-central1": place, "invented-daily-report": workflow}
        for old, new in (theirs | {"00000000-1111-4222-8333-444444444444": number}).items():
            text = text.replace(old, new)
    if not message:
        return json.loads(text)  # type: ignore[no-any-return]
    message["data"] = b64encode(text.encode()).decode()
    return found


def test_a_run_says_what_it_comes_to_in_a_line_that_alerts_look_for(deployment: Deployment, run_lines: Lines):
    start = push(b'{"date": "2026-09-01"}', {"pipeline": "sales", "key": "k"})
    assert deployment.post("on_message", request(start)) == 204
    (started,) = run_lines()
    run = started["run"]
    assert deployment.post("on_command", request(push({"command": "cancel", "run": run}))) == 204
    (cancelling,) = run_lines()
    assert (started["severity"], started["run_state"], started["pipeline"]) == ("NOTICE", "running", "sales")
    assert cancelling["message"] == f"run {run} of sales is cancelling"


@pytest.mark.parametrize(
    ("name", "step"),
    [(name, step) for start, step in RINGING.items() for name in NAMES if name.startswith(start)],
)
def test_an_example_about_a_job_of_ours_reads_its_status_once_and_believes_that(
    running: Deployment, lines: Lines, name: str, step: str
):
    running.services.succeed()
    every = sent_as(about(name, running, step))
    for sent in every * 2:
        assert running.post("on_job_event", sent) == 204
    assert running.phase(step) == "succeeded"
    # An execution's name does not say whose it is: whoever looks that up has read the verdict.
    reads, event = (len(every) * 2, "verdict") if step == "report" else (1, "bell")
    assert running.services.of(step).calls[READS[step]] == reads
    for line in lines():
        expected = ("INFO", "handled", event, RUN, step, 1)
        assert (
            tuple(line[key] for key in ("severity", "outcome", "event", "run", "step", "attempt")) == expected
        )


def test_a_bell_that_can_not_be_answered_comes_again(running: Deployment, lines: Lines):
    running.services.dataproc.fault("GetBatch", "UNAVAILABLE", "try later")
    bell = request(push(about("dataproc_create_batch_last_succeeded.logentry", running, "clean")))
    assert running.post("on_job_event", bell) == 500
    (line,) = lines()
    assert (line["severity"], line["outcome"], line["run"], line["step"]) == (
        "WARNING",
        "again",
        RUN,
        "clean",
    )
    assert "try later (UNAVAILABLE)" in line["message"]
    running.services.succeed()
    assert running.post("on_job_event", bell) == 204
    assert running.phase("clean") == "succeeded"


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
    running: Deployment, serve: Serve
):
    address, process = serve("on_job_event")
    running.services.succeed()
    bell = request(push(about("dataproc_submit_job_last_error.logentry", running, "total")))
    rejected = request(push(payload("dataproc_create_cluster_sync_rejected.logentry")))
    event = about("dataflow_status_changed_done", running, "load")
    posted = [structured(event), binary(event), rejected, bell, request(b"hello"), bell]
    assert [send(address, sent) for sent in posted] == [204] * len(posted)
    told = [json.loads(process.stdout.readline()) for _ in posted]
    assert [(line["severity"], line["outcome"], line.get("run"), line.get("step")) for line in told] == [
        ("INFO", "handled", RUN, "load"),
        ("INFO", "handled", RUN, "load"),
        ("INFO", "ignored", None, None),
        ("INFO", "handled", RUN, "total"),
        ("ERROR", "poison", None, None),
        ("INFO", "handled", RUN, "total"),
    ]
    assert [running.phase(step) for step in ("load", "total", "clean")] == [
        "succeeded",
        "succeeded",
        "running",
    ]
