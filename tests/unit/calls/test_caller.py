"""What `run_python` makes of a task, whatever goes wrong around the call."""

from __future__ import annotations

import json

import pytest
from onward.calls.call import Call, Died, Outcome, Raised, Returned
from onward.calls.warm import Overdue
from onward.calls.wire import LONGEST, STARTS
from onward.core.errors import Unavailable
from unit.calls.calling import JOB, RUN, Calls, task

ABOUT = {"run": RUN, "pipeline": "weather", "step": "daily_totals", "attempt": 1, "job": JOB}


@pytest.fixture
def calls() -> Calls:
    return Calls()


def died(call: Call) -> Outcome:
    return Died(call.id, "killed by signal 9")


def overdue(_: Call) -> Outcome:
    raise Overdue


def test_what_the_function_returns_is_kept_and_rung(calls: Calls):
    assert calls.deliver() == 204
    ((call, seconds),) = calls.made
    assert call == Call(JOB, "/srv/workflows/weather", "steps.py:totals", b'{"day":"2026-11-22"}', JOB)
    assert seconds == 600
    assert calls.result == {"state": "succeeded", "output": 42, "error": ""}
    assert calls.rings == [JOB]
    (line,) = calls.lines
    assert line == {
        "severity": "INFO",
        "message": "run_python: handled: the call succeeded",
        "door": "run_python",
        "outcome": "handled",
        **ABOUT,
    }


def test_what_the_function_raises_is_a_failure_in_its_own_words(calls: Calls):
    calls.outcome = lambda call: Raised(call.id, "KeyError: 'humidity'")
    assert calls.deliver() == 204
    assert calls.result == {"state": "failed", "output": None, "error": "KeyError: 'humidity'"}
    assert calls.rings == [JOB]


def test_what_the_function_prints_becomes_log_lines_of_its_step(calls: Calls):
    calls.prints = b"one\ntwo"
    calls.deliver()
    assert calls.lines[:-1] == [{"message": "one", **ABOUT}, {"message": "two", **ABOUT}]


def test_a_task_that_comes_again_makes_no_second_call_but_rings_again(calls: Calls):
    for _ in range(3):
        assert calls.deliver() == 204
    assert len(calls.made) == 1
    assert calls.rings == [JOB] * 3


def test_a_ring_that_is_not_taken_is_made_up_for_without_a_second_call(calls: Calls):
    calls.ring_trouble = Unavailable("the topic did not take a message")
    assert calls.deliver() == 500
    assert calls.deliver() == 204
    assert (len(calls.made), calls.rings) == (1, [JOB])


def test_a_call_that_was_cancelled_before_it_began_is_not_made(calls: Calls):
    calls.objects.kept[f"python/{JOB}.json"] = b'{"state": "cancelled"}'
    assert calls.deliver() == 204
    assert calls.made == []


def test_a_call_that_is_cancelled_while_it_runs_stays_cancelled(calls: Calls):
    def meanwhile(call: Call) -> Outcome:
        calls.objects.kept[f"python/{JOB}.json"] = b'{"state": "cancelled"}'
        return Returned(call.id, b"1")

    calls.outcome = meanwhile
    assert calls.deliver() == 204
    assert calls.result == {"state": "cancelled"}
    assert calls.lines[-1]["outcome"] == "ignored"


def test_a_call_that_is_lost_with_its_process_is_made_again_three_times(calls: Calls):
    calls.outcome = died
    for _ in range(3):
        assert calls.deliver() == 500
        assert calls.result is None
    assert calls.deliver() == 204
    error = "the call was lost with its process 4 times: killed by signal 9"
    assert calls.result == {"state": "failed", "output": None, "error": error}
    assert (len(calls.made), calls.rings) == (4, [JOB])


def test_a_repeat_of_a_lost_call_may_succeed(calls: Calls):
    calls.outcome = died
    calls.deliver()
    calls.outcome = lambda call: Returned(call.id, b"{}")
    assert calls.deliver() == 204
    assert calls.result["state"] == "succeeded"


def test_a_call_that_took_its_whole_instance_with_it_four_times_fails(calls: Calls):
    class InstanceKilled(BaseException):
        """Nothing is answered."""

    def kill(_: Call) -> Outcome:
        raise InstanceKilled

    calls.outcome = kill
    for _ in range(STARTS):
        with pytest.raises(InstanceKilled):
            calls.deliver()
    assert calls.deliver() == 204
    assert len(calls.made) == STARTS
    error = "the call was lost with its process 4 times"
    assert calls.result == {"state": "failed", "output": None, "error": error}


def test_deliveries_that_never_reached_the_function_are_no_lost_calls(calls: Calls):
    body = json.dumps(task()).encode()
    assert calls.receive(body, **{"X-CloudTasks-TaskRetryCount": "1000"}) == 204
    assert calls.result["state"] == "succeeded"


def test_a_call_over_its_time_fails_and_is_not_repeated(calls: Calls):
    calls.outcome = overdue
    assert calls.deliver() == 204
    assert calls.result["error"] == "stopped after its time limit of 600 s"


def test_no_call_has_more_time_than_cloud_tasks_waits(calls: Calls):
    calls.outcome = overdue
    calls.deliver(seconds=90_000)
    assert [seconds for _, seconds in calls.made] == [LONGEST]
    assert "a python step has no more in the cloud" in calls.result["error"]


def test_a_pipeline_that_is_not_in_the_archive_any_more_fails_the_call(calls: Calls):
    assert calls.deliver(pipeline="whether") == 204
    assert calls.result["error"] == "no pipeline named `whether` is deployed"
    assert calls.rings == [JOB]


def test_storage_that_does_not_answer_lets_the_task_come_again(calls: Calls):
    calls.objects.trouble = Unavailable("down")
    assert calls.deliver() == 500
    assert calls.made == []
    assert (calls.lines[-1]["severity"], calls.lines[-1]["outcome"]) == ("WARNING", "again")
    assert calls.deliver() == 204


def test_a_mistake_of_ours_is_logged_with_its_stack_and_the_task_comes_again(calls: Calls):
    def crash(_: Call) -> Outcome:
        raise ZeroDivisionError("ours")

    calls.outcome = crash
    assert calls.deliver() == 500
    assert calls.lines[-1]["message"] == "run_python: crashed: ZeroDivisionError: ours"
    assert "in crash" in calls.lines[-1]["stack_trace"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\x00",
        b"[" * 10_000,
        b"{}",
        {"job": "../../x"},
        task(job="somebody-elses"),
        task(run="f" * 20),
        task(attempt=2),
        task(args=[1]),
        task(file=3),
        task(seconds="long"),
    ],
)
def test_poison_is_kept_with_its_reason_and_makes_no_call(calls: Calls, body: object):
    assert calls.receive(body) == 204
    ((door, reason, data),) = calls.letters
    assert door == "run_python"
    assert data == (body if isinstance(body, bytes) else json.dumps(body).encode())
    assert reason in calls.lines[-1]["message"]
    assert (calls.made, calls.objects.kept) == ([], {})


def test_poison_that_can_not_be_kept_comes_again(calls: Calls):
    calls.letter_trouble = Unavailable("down")
    assert calls.receive(b"{}") == 500


def test_what_a_newer_version_wrote_comes_again_until_that_is_here(calls: Calls):
    assert calls.deliver(gpu=True) == 500
    assert "`gpu` is of a newer version of Onward" in calls.lines[-1]["message"]
    assert calls.made == []
