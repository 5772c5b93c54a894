"""What should not arrive, arrives, and what should be there, is not: nothing is lost, no other run is harmed.

Each shows in one line of the log, with its severity, and the run and the step where they are known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cloud.deployment import RUN, STEPS, WAKES, Deployment, Lines, arrival
from cloud.trouble import entry, told
from onward import wiring
from onward.core.pipeline import HOUR
from onward.core.state import NodeKey, RunKey
from onward.engine import Engine
from unit.ingress.envelopes import payload, push, request, structured

OTHERS = STEPS[1:]
"""The steps beside `clean`, of which no test says anything bad."""


def reads(deployment: Deployment) -> int:
    """Of the status of jobs and batches."""
    calls = deployment.services.dataproc.calls + deployment.services.dataflow.calls
    return calls["GetBatch"] + calls["GetJob"]


# Events that are not what they say


def test_a_forged_completion_event_only_makes_us_look(running: Deployment, lines: Lines):
    assert running.post("on_job_event", entry(running.job("clean"))) == 204
    assert told(lines) == ("INFO", "handled", RUN, "clean")
    assert reads(running) == 1
    assert running.phase("clean") == "running"


def test_a_forged_verdict_is_poison(running: Deployment, lines: Lines):
    verdict = {"event": "verdict", "run": RUN, "node": "clean", "attempt": 1, "state": "succeeded"}
    for door, body in (("on_wake", push(verdict)), ("on_timer", {"name": "n", "at": 1, "event": verdict})):
        assert running.post(door, request(body)) == 204
        assert told(lines)[:2] == ("ERROR", "poison")
        assert "verdict" in running.letter().attributes["onward-reason"]
    assert running.phase("clean") == "running"


def test_an_event_about_a_run_that_never_was_is_ignored(running: Deployment, lines: Lines):
    never = "0" * 20
    assert running.post("on_job_event", entry(running.job("clean").replace(RUN, never))) == 204
    assert told(lines) == ("INFO", "ignored", never, None)
    assert reads(running) == 0


def test_an_event_of_another_project_makes_us_look_in_our_own_at_most(running: Deployment, lines: Lines):
    assert running.post("on_job_event", entry("nightly-totals-7", "theirs")) == 204
    assert told(lines) == ("INFO", "ignored", None, None)
    assert reads(running) == 0
    running.services.succeed()
    assert running.post("on_job_event", entry(running.job("clean"), "theirs")) == 204
    assert told(lines) == ("INFO", "handled", RUN, "clean")
    assert running.phase("clean") == "succeeded"


def test_an_execution_of_another_project_that_we_may_not_read_is_ignored(running: Deployment, lines: Lines):
    running.services.workflows.fault("GetExecution", "PERMISSION_DENIED", "not yours")
    theirs = payload("workflows_execution_succeeded.logentry")
    assert running.post("on_job_event", request(push(theirs))) == 204
    assert told(lines) == ("INFO", "ignored", None, None)


def test_a_log_entry_without_an_operation_is_ignored(running: Deployment, lines: Lines):
    assert running.post("on_job_event", entry(running.job("clean"), operation=None)) == 204
    (line,) = lines()
    assert (line["severity"], line["outcome"]) == ("INFO", "ignored")
    assert line["message"].endswith("without an operation it was refused at once, and its caller knows")
    assert reads(running) == 0


def test_a_first_and_last_entry_in_one_rings(running: Deployment, lines: Lines):
    running.services.succeed()
    operation = {"id": "o", "first": True, "last": True}
    assert running.post("on_job_event", entry(running.job("clean"), operation=operation)) == 204
    assert told(lines) == ("INFO", "handled", RUN, "clean")
    assert running.phase("clean") == "succeeded"


def test_an_object_of_a_bucket_to_which_nobody_listens_is_ignored(deployment: Deployment, lines: Lines):
    event = arrival()
    event["data"]["bucket"] = "somebody-elses"
    assert deployment.post("on_object", structured(event)) == 204
    (line,) = lines()
    assert (line["severity"], line["outcome"]) == ("INFO", "ignored")
    assert "`gs://somebody-elses/sales/2026-09-01/_SUCCESS` matches no pipeline" in line["message"]
    assert wiring.cloud().engine.store.runs() == []


def test_an_object_of_months_ago_is_kept_and_starts_nothing(deployment: Deployment, lines: Lines):
    event = arrival()
    event["data"]["updated"] = "2020-01-01T00:00:00Z"
    assert deployment.post("on_object", structured(event)) == 204
    assert told(lines)[:2] == ("ERROR", "poison")
    reason = deployment.letter().attributes["onward-reason"]
    assert "after 35 days nobody knows whether it has started a run" in reason
    assert deployment.document(RunKey(RUN)) is None


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 10_000_000,
        msgspec.json.encode({"pipeline": "sales", "params": {"date": "x" * 9_999_900}}),
    ],
)
def test_a_message_of_10_mb_is_kept_as_far_as_it_fits(deployment: Deployment, lines: Lines, data: bytes):
    assert deployment.post("on_message", request(push(data))) == 204
    assert told(lines)[:2] == ("ERROR", "poison")
    letter = deployment.letter()
    assert letter.data == data[:9_000_000]
    assert letter.attributes["onward-cut-from"] == str(len(data))


# Submits that go wrong


def submit_clean(deployment: Deployment, lines: Lines) -> dict[str, Any]:
    """Wake every step; the line about `clean`, and the others are as well as ever."""
    deployment.wake(len(STEPS))
    assert {deployment.phase(step) for step in OTHERS} == {"running"}
    found = {line["step"]: line for line in lines()}
    assert {found[step]["outcome"] for step in OTHERS} == {"handled"}
    return found["clean"]


@pytest.mark.parametrize(
    ("code", "message", "advice"),
    [
        ("INVALID_ARGUMENT", "Batch config is wrong", "mend the step"),
        (
            "PERMISSION_DENIED",
            "Not authorized to requested resource",
            "grant the service account of the functions what the message names",
        ),
        ("NOT_FOUND", "no such network", "check that it exists, in this project and region"),
    ],
)
def test_a_submit_that_is_rejected_fails_its_step_at_once_as_no_event_will_ever_come(
    started: Deployment, lines: Lines, code: str, message: str, advice: str
):
    started.services.dataproc.fault("CreateBatch", code, message)
    line = submit_clean(started, lines)
    said = f"Dataproc refused the job: {message} ({code}); {advice}"
    assert (line["severity"], line["outcome"], line["run"]) == ("ERROR", "failed", RUN)
    assert line["message"] == f"on_wake: failed: step clean: {said}"
    assert started.phase("clean") == "failed"
    assert started.document(NodeKey(RUN, "clean")).phase.error == said


def ring(deployment: Deployment, step: str) -> None:
    """The step's newest timer, now."""
    timer = [timer for timer in deployment.timers if timer["event"].get("node") == step][-1]
    assert deployment.post("on_timer", request(timer | {"at": 0})) == 204


def test_a_quota_error_waits_by_a_timer_and_uses_up_no_attempt(
    started: Deployment, lines: Lines, passing: Callable[[int], None]
):
    started.services.dataproc.fault("CreateBatch", "RESOURCE_EXHAUSTED", "Quota exceeded")
    line = submit_clean(started, lines)
    assert (line["severity"], line["outcome"], line["run"]) == ("WARNING", "delayed", RUN)
    assert line["message"] == (
        "on_wake: delayed: step clean: Dataproc has no room: Quota exceeded (RESOURCE_EXHAUSTED)"
    )
    passing(HOUR)
    ring(started, "clean")
    assert started.phase("clean") == "running"
    assert started.document(NodeKey(RUN, "clean")).attempt == 1
    assert len(started.services.dataproc.batches) == 1


def test_a_submit_whose_deadline_expired_although_it_happened_is_found_again(
    started: Deployment, lines: Lines, passing: Callable[[int], None]
):
    started.services.dataproc.fault("CreateBatch", "DEADLINE_EXCEEDED", "too slow", after=True)
    line = submit_clean(started, lines)
    assert (line["severity"], line["outcome"], line["run"]) == ("WARNING", "delayed", RUN)
    assert "Dataproc did not answer the submit: too slow (DEADLINE_EXCEEDED)" in line["message"]
    passing(HOUR)
    ring(started, "clean")
    assert started.phase("clean") == "running"
    assert len(started.services.dataproc.batches) == 1


# Instances that freeze


@pytest.fixture
def freezing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], None]], None]:
    """The instance freezes once, before it submits the job of that step; meanwhile, something happens."""
    submit = Engine._submit
    planned: dict[str, Callable[[], None]] = {}

    def frozen(engine: Engine, command: Any, jobs: Any) -> Any:
        planned.pop(command.node, lambda: None)()
        return submit(engine, command, jobs)

    monkeypatch.setattr(Engine, "_submit", frozen)
    return planned.__setitem__


def cancel(deployment: Deployment) -> None:
    """The run, down to each of its steps, which are all active."""
    assert deployment.post("on_command", request(push({"command": "cancel", "run": RUN}))) == 204
    deployment.wake(1)
    deployment.wake(len(STEPS))


def wake_clean_last(deployment: Deployment) -> None:
    messages = deployment.published(WAKES, len(STEPS))
    for message in sorted(messages, key=lambda message: b'"clean"' in message.data):
        assert deployment.post("on_wake", request(push(message.data))) == 204


def test_an_instance_that_wakes_long_after_its_run_was_cancelled_submits_nothing(
    started: Deployment, lines: Lines, freezing: Callable[..., None], passing: Callable[[int], None]
):
    def meanwhile() -> None:
        cancel(started)
        passing(HOUR)
        lines()

    freezing("clean", meanwhile)
    wake_clean_last(started)
    assert told(lines) == ("WARNING", "delayed", RUN, "clean")
    ring(started, "clean")
    assert started.phase("clean") == "cancelled"
    assert started.services.dataproc.calls["CreateBatch"] == 0


def test_an_instance_that_wakes_soon_after_its_run_was_cancelled_cancels_what_it_submits(
    started: Deployment, freezing: Callable[..., None]
):
    freezing("clean", lambda: cancel(started))
    wake_clean_last(started)
    (batch,) = started.services.dataproc.batches.values()
    assert batch.state.name == "CANCELLING"
    assert started.phase("clean") == "cancelling"
