from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from onward.core.commands import SetTimer
from onward.core.errors import Unavailable
from onward.core.events import JobState, Sweep, Wake
from onward.core.naming import job_name, next_try, run_id
from onward.core.pipeline import DAY, HOUR, MINUTE
from onward.core.state import RunState
from onward.ingress import completions, messages, storage, timers
from onward.ports import Status
from unit.ingress.envelopes import RUN, encoded, ours, payload, pushed, request
from unit.receiving.receiving_world import World, notified

DAILY = run_id("daily", "object", "landing", "in/2026-09-01.csv", "1")
TEXTS = run_id("texts", "object", "landing", "in/2026-09-01.csv", "1")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def outcomes(world: World) -> list[str]:
    return [line["outcome"] for line in world.lines]


# What starts runs


def test_an_arrival_starts_each_pipeline_that_it_matches(world: World):
    assert world.receive(storage.parse, notified("in/2026-09-01.csv")) == 204
    assert world.runs.keys() == {DAILY, TEXTS}
    assert world.runs[DAILY].params == {"date": "2026-09-01"}
    assert world.runs[DAILY].trigger["uri"] == "gs://landing/in/2026-09-01.csv"
    assert sorted(world.submitted) == [job_name("first", run, 0, 1) for run in sorted([DAILY, TEXTS])]
    assert {line["run"] for line in world.lines} == {DAILY, TEXTS}


def test_a_repeated_arrival_starts_nothing_twice(world: World):
    for _ in range(3):
        assert world.receive(storage.parse, notified("in/2026-09-01.csv")) == 204
    assert len(world.runs) == len(world.submitted) == 2


def test_an_arrival_that_matches_nothing_is_ignored_and_said(world: World):
    assert world.receive(storage.parse, notified("in/x\n.txt")) == 204
    (line,) = world.lines
    assert line["outcome"] == "ignored"
    assert line["message"] == "on_test: ignored: `gs://landing/in/x\\n.txt` matches no pipeline"
    assert not world.letters


def test_an_arrival_that_one_pipeline_can_not_take_starts_the_other_and_is_kept(world: World):
    assert world.receive(storage.parse, notified("in/today.csv")) == 204
    assert [run.pipeline for run in world.runs.values()] == ["texts"]
    ((door, reason, data, attributes),) = world.letters
    assert door == "on_test"
    assert reason.startswith(
        "`gs://landing/in/today.csv` does not start daily: the parameter `date` must be a date"
    )
    assert data == b""
    assert attributes["objectId"] == "in/today.csv"


def test_a_start_message_starts_a_run_by_its_key(world: World):
    sent = pushed({"pipeline": "daily", "params": {"date": "2026-09-01"}}, {"key": "k"})
    assert world.receive(messages.parse, sent) == 204
    assert world.receive(messages.parse, sent) == 204
    assert world.runs.keys() == {run_id("daily", "hand", "k")}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"pipeline": "dayly"}, "no pipeline named `dayly` is deployed; did you mean `daily`?"),
        ({"pipeline": "daily"}, "the parameter `date` (date) is missing"),
        ({"pipeline": "daily", "params": {"date": "x", "a": 1}}, "no parameter is named `a`"),
        (b"\xff", "the data of the message must be JSON"),
        ({"pipeline": "texts", "params": {"date": "x" * 9_000_000}}, "at most 32,768 are allowed"),
    ],
)
def test_a_start_that_can_not_be_is_a_dead_letter_with_its_reason(world: World, data, reason):
    sent = pushed(data, {"a": "b"})
    assert world.receive(messages.parse, sent) == 204
    assert not world.runs
    ((_, found, kept, attributes),) = world.letters
    assert reason in found
    assert kept == encoded(data)
    assert attributes == {"a": "b"}
    (line,) = world.lines
    assert (line["severity"], line["outcome"]) == ("ERROR", "poison")
    assert len(line["message"]) < 5_000


def test_a_dead_letter_of_what_is_no_message_is_the_body_itself(world: World):
    sent = request(b"hello", {"content-type": "text/plain", "authorization": "Bearer secret"})
    assert world.receive(messages.parse, sent) == 204
    ((_, _, data, attributes),) = world.letters
    assert (data, attributes) == (b"hello", {"content-type": "text/plain"})


# Commands


@pytest.fixture
def run(world: World) -> str:
    world.receive(storage.parse, notified("in/2026-09-01.csv"))
    world.lines.clear()
    return DAILY


def commanded(world: World, **command: object) -> int:
    return world.receive(messages.parse_command, pushed(command))


def test_a_cancel_cancels(world: World, run: str):
    assert commanded(world, command="cancel", run=run) == 204
    assert world.runs[run].state is RunState.CANCELLING
    assert Sweep(run, "cancel") in world.told


def test_a_retry_starts_the_next_try_and_its_repeat_nothing_more(world: World, run: str):
    world.end_run(run, RunState.FAILED)
    assert commanded(world, command="retry", run=run) == 204
    assert world.runs[next_try(run)].params == {"date": "2026-09-01"}
    world.end_run(next_try(run), RunState.FAILED)
    assert commanded(world, command="retry", run=run) == 204
    assert next_try(next_try(run)) not in world.runs
    assert outcomes(world) == ["handled", "ignored"]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (RunState.RUNNING, "is running: it can be tried again when it has ended"),
        (RunState.SUCCEEDED, "succeeded: there is nothing to try again"),
    ],
)
def test_a_retry_of_what_has_not_failed_is_refused(world: World, run: str, state: RunState, reason: str):
    world.end_run(run, state)
    assert commanded(world, command="retry", run=run) == 204
    assert reason in world.letters[0][1]


@pytest.mark.parametrize("command", ["cancel", "retry"])
def test_a_command_about_no_run_is_refused(world: World, command: str):
    assert commanded(world, command=command, run=RUN) == 204
    assert world.letters[0][1] == f"there is no run {RUN}"


# Bells


def test_a_bell_is_one_status_read_and_its_verdict_moves_the_run(world: World, run: str):
    job = job_name("first", run, 0, 1)
    world.states[job] = Status(JobState.SUCCEEDED, job)
    assert world.receive(completions.parse, pushed(b"", {"onward-job": job})) == 204
    assert world.reads == 1
    assert job_name("second", run, 1, 1) in world.submitted
    (line,) = world.lines
    assert (line["event"], line["run"], line["step"], line["attempt"]) == ("bell", run, "first", 1)


def test_a_job_that_failed_is_heard_of(world: World, run: str):
    job = job_name("first", run, 0, 1)
    world.states[job] = Status(JobState.FAILED, job, error="no such column")
    assert world.receive(completions.parse, pushed(b"", {"onward-job": job})) == 204
    (line,) = world.lines
    assert (line["severity"], line["outcome"], line["run"]) == ("ERROR", "failed", run)
    assert line["message"] == "on_test: failed: step first: no such column"


def test_a_submit_that_waits_is_heard_of(world: World):
    world.trouble, world.trouble_of = Unavailable("try later"), "first"
    assert world.receive(storage.parse, notified("in/2026-09-01.csv")) == 204
    assert {(line["severity"], line["outcome"]) for line in world.lines} == {("WARNING", "delayed")}
    assert world.lines[0]["message"] == "on_test: delayed: step first: try later"


def test_nobody_can_finish_a_step_by_publishing_a_message(world: World, run: str):
    job = job_name("first", run, 0, 1)
    assert world.receive(completions.parse, pushed(b"", {"onward-job": job})) == 204
    forged = ours("dataproc_submit_job_last_done.logentry")
    forged["protoPayload"]["resourceName"] = f"projects/other/regions/x/jobs/{job}"
    assert world.receive(completions.parse, pushed(forged)) == 204
    verdict = {"event": "verdict", "run": run, "node": "first", "attempt": 1, "state": "succeeded"}
    assert world.receive(timers.parse_wake, pushed(verdict)) == 204
    assert job_name("second", run, 1, 1) not in world.submitted
    assert outcomes(world) == ["handled", "handled", "poison"]


def test_an_execution_is_found_by_its_label(world: World, run: str):
    entry = payload("workflows_execution_succeeded.logentry")
    assert world.receive(completions.parse, pushed(entry)) == 204
    world.labels["00000000-1111-4222-8333-444444444444"] = job_name("first", run, 0, 1)
    assert world.receive(completions.parse, pushed(entry)) == 204
    assert outcomes(world) == ["ignored", "handled"]
    assert world.reads == 1


def test_to_see_whose_an_execution_is_and_how_it_is_takes_one_read(world: World, run: str):
    execution = "00000000-1111-4222-8333-444444444444"
    world.labels[execution] = job_name("first", run, 0, 1)
    world.seen[execution] = Status(JobState.SUCCEEDED, "its/name", {"done": True})
    assert world.receive(completions.parse, pushed(payload("workflows_execution_succeeded.logentry"))) == 204
    assert world.reads == 0
    assert job_name("second", run, 1, 1) in world.submitted


def test_a_bell_of_a_run_that_is_not_ours_is_ignored(world: World):
    entry = ours("dataproc_submit_job_last_done.logentry")
    assert world.receive(completions.parse, pushed(entry)) == 204
    assert outcomes(world) == ["ignored"]


def test_a_bell_of_a_step_that_the_run_does_not_have_is_ignored(world: World, run: str):
    assert world.receive(completions.parse, pushed(b"", {"onward-job": job_name("x", run, 9, 1)})) == 204
    assert world.lines[0]["message"].endswith(f"run {run} has no step of number 9")


# Timers


def rang(world: World, timer: SetTimer) -> int:
    return world.receive(timers.parse_timer, request(msgspec.json.encode(timer)))


def test_a_timer_brings_its_event(world: World, run: str):
    assert rang(world, SetTimer("n", world.at - MINUTE, Sweep(run, "watch", 1))) == 204
    assert [line["event"] for line in world.lines] == ["sweep"]


def test_a_timer_that_is_on_its_way_is_set_again(world: World, run: str):
    timer = SetTimer("n", world.at + 40 * DAY, Wake(run, "first"))
    assert rang(world, timer) == 204
    assert world.timers[-1] == timer
    assert outcomes(world) == ["ignored"]


def test_a_timer_that_rings_a_little_early_is_not_set_again_under_its_used_name(world: World, run: str):
    before = list(world.timers)
    assert rang(world, SetTimer("n", world.at + HOUR, Wake(run, "first"))) == 204
    assert world.timers == before
    assert outcomes(world) == ["handled"]


# Trouble


def test_what_may_pass_is_delivered_again_and_never_buried(world: World, run: str):
    def out_of_order(*_: object) -> object:
        raise Unavailable("the state can't be read")

    world.store.read = out_of_order  # type: ignore[assignment]
    assert world.receive(storage.parse, notified("in/2026-09-02.csv")) == 500
    assert world.receive(timers.parse_wake, pushed({"event": "wake", "run": run, "node": "first"})) == 500
    assert {line["outcome"] for line in world.lines} == {"again"}
    assert world.lines[-1]["severity"] == "WARNING"
    assert (world.lines[-1]["run"], world.lines[-1]["step"]) == (run, "first")
    assert not world.letters


def test_what_nobody_expected_is_delivered_again_with_its_stack_in_the_log(world: World):
    world.trouble = ZeroDivisionError("oops")
    world.trouble_of = "first"
    sent = pushed({"pipeline": "daily", "params": {"date": "2026-09-01"}})
    assert world.receive(messages.parse, sent) == 500
    (line,) = world.lines
    assert (line["severity"], line["outcome"]) == ("ERROR", "crashed")
    assert line["message"] == "on_test: crashed: ZeroDivisionError: oops"
    assert "in submit" in line["stack_trace"]
    assert line["run"] in world.runs


def test_one_pipelines_trouble_keeps_the_other_from_nothing(world: World):
    world.trouble = ZeroDivisionError("oops")
    world.trouble_of = job_name("first", DAILY, 0, 1)
    assert world.receive(storage.parse, notified("in/2026-09-01.csv")) == 500
    assert world.submitted == [job_name("first", TEXTS, 0, 1)]
    assert sorted(outcomes(world)) == ["crashed", "handled"]


def test_poison_that_can_not_be_buried_is_delivered_again(world: World):
    world.trouble = Unavailable("the topic did not take it")
    assert world.receive(messages.parse, pushed(b"x")) == 500
    assert outcomes(world) == ["again"]


def test_every_line_is_json_with_a_severity(world: World):
    world.receive(messages.parse, pushed(b'"\xff\n'))
    world.receive(storage.parse, notified("in/\u2028.csv"))
    for line in world.lines:
        assert msgspec.json.decode(msgspec.json.encode(line))["severity"] in {"INFO", "WARNING", "ERROR"}
