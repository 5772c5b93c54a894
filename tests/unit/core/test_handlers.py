"""Handlers run once the last step has ended: one when the run fails, one when it succeeds."""

from __future__ import annotations

import pytest
from onward.core.commands import CancelJob, Submit
from onward.core.events import (
    Bell,
    CancelNode,
    CancelRun,
    Examined,
    Found,
    JobState,
    StartRun,
    Sweep,
    Verdict,
)
from onward.core.naming import next_try
from onward.core.pipeline import HOUR, MINUTE, ON_FAILURE, ON_SUCCESS, Pipeline, Python, Retry, Step
from onward.core.plan import END, End, compile_plan
from onward.core.state import RunState
from unit.core.telling import RUN, Life, only, step

HANDLER = Step("~handler", Python("steps.py", "tell"))


def life(
    *steps: Step, deadline: int | None = None, failure: Step | None = HANDLER, success: Step | None = None
) -> Life:
    pipeline = Pipeline("tale", steps, deadline=deadline, on_failure=failure, on_success=success)
    made = Life(plan=compile_plan(pipeline))
    made.start()
    return made


def both(*steps: Step, deadline: int | None = None) -> Life:
    return life(*steps, deadline=deadline, success=HANDLER)


def end(made: Life, name: str, state: JobState, **fields: object) -> None:
    made.submitted(name)
    made.verdict(name, state, **fields)


def test_a_plan_has_them_behind_its_last_steps_and_before_its_end() -> None:
    plan = both(step("a"), step("b")).plan
    last = plan.nodes[END]
    assert isinstance(last, End)
    for name in (ON_FAILURE, ON_SUCCESS):
        assert plan.step_node(name).after == last.last
        assert plan.step_node(name).next == (last.after,)
    assert sorted(node.number for _, node in plan.step_nodes()) == [0, 1, 2, 3]
    assert plan.numbered(2) == ON_FAILURE


def test_one_alone_is_what_the_end_waits_for() -> None:
    plan = life(step("a")).plan
    assert plan.nodes[END] == End(ON_FAILURE, "a")


def test_the_failure_handler_runs_once_all_has_ended_and_the_run_fails_after_it() -> None:
    made = both(step("a"), step("b"), step("c", "a"))
    end(made, "a", JobState.FAILED, error="no")
    assert made.state(ON_FAILURE) == "waiting"
    end(made, "b", JobState.SUCCEEDED)
    assert (made.state(ON_FAILURE), made.state(ON_SUCCESS)) == ("submitting", "skipped")
    assert made.run.state is RunState.RUNNING
    end(made, ON_FAILURE, JobState.SUCCEEDED)
    assert (made.run.state, made.run.error) == (RunState.FAILED, "step a did not succeed")


def test_the_success_handler_runs_and_the_other_one_is_skipped() -> None:
    made = both(step("a"))
    end(made, "a", JobState.SUCCEEDED)
    assert (made.state(ON_FAILURE), made.state(ON_SUCCESS)) == ("skipped", "submitting")
    end(made, ON_SUCCESS, JobState.SUCCEEDED)
    assert (made.run.state, made.run.error) == (RunState.SUCCEEDED, None)


def test_a_success_handler_that_fails_fails_the_run() -> None:
    made = both(step("a"))
    end(made, "a", JobState.SUCCEEDED)
    end(made, ON_SUCCESS, JobState.FAILED, error="no chat")
    assert (made.run.state, made.run.error) == (RunState.FAILED, "its on_success handler failed: no chat")


def test_a_failure_handler_that_fails_is_told_and_the_run_has_failed_anyway() -> None:
    made = life(step("a"))
    end(made, "a", JobState.FAILED, error="no")
    end(made, ON_FAILURE, JobState.FAILED, error="no chat")
    assert made.run.state is RunState.FAILED
    assert made.run.error == "step a did not succeed; its on_failure handler failed, too: no chat"


def test_a_run_that_succeeds_needs_no_failure_handler() -> None:
    made = life(step("a"))
    end(made, "a", JobState.SUCCEEDED)
    assert made.state(ON_FAILURE) == "skipped"
    assert made.run.state is RunState.SUCCEEDED


def test_of_a_run_that_a_person_cancels_neither_runs() -> None:
    made = both(step("a"))
    made.submitted("a")
    made.follow(CancelRun(RUN))
    made.follow(CancelNode(RUN, "a"))
    made.verdict("a", JobState.CANCELLED)
    assert (made.state(ON_FAILURE), made.state(ON_SUCCESS)) == ("cancelled", "cancelled")
    assert made.run.state is RunState.CANCELLED


@pytest.mark.parametrize("ended", [JobState.SUCCEEDED, JobState.FAILED])
def test_a_cancel_stops_a_handler_too(ended: JobState) -> None:
    made = both(step("a"))
    end(made, "a", ended)
    running = ON_SUCCESS if ended is JobState.SUCCEEDED else ON_FAILURE
    made.submitted(running)
    made.follow(CancelRun(RUN))
    assert only(CancelJob, made.follow(Found(RUN, "cancel", 0, (running,))))
    made.verdict(running, JobState.CANCELLED)
    assert made.run.state is RunState.CANCELLED


def overrun(made: Life) -> None:
    made.later(2 * HOUR)
    made.follow(Sweep(RUN, "limits", 1))


def test_the_failure_handler_runs_in_a_run_that_its_deadline_stopped() -> None:
    made = both(step("a"), step("b", "a"), deadline=2 * HOUR)
    made.submitted("a")
    overrun(made)
    made.follow(Found(RUN, "deadline", 0, ("a",)))
    assert only(Submit, made.verdict("a", JobState.CANCELLED))
    assert made.states() == {
        "a": "cancelled",
        "b": "cancelled",
        ON_FAILURE: "submitting",
        ON_SUCCESS: "skipped",
    }
    made.submitted(ON_FAILURE)
    assert made.hear(Found(RUN, "deadline", 1, (ON_FAILURE,))).events == (), "the last sweep leaves it alone"
    made.verdict(ON_FAILURE, JobState.SUCCEEDED)
    assert (made.run.state, made.run.error) == (RunState.FAILED, "stopped after its deadline of 2h")


def test_it_is_tried_again_in_a_run_that_its_deadline_stopped() -> None:
    made = life(step("a"), deadline=2 * HOUR, failure=Step("~handler", HANDLER.does, retry=Retry(2)))
    made.submitted("a")
    overrun(made)
    made.follow(CancelNode(RUN, "a"))
    made.verdict("a", JobState.CANCELLED)
    end(made, ON_FAILURE, JobState.FAILED, error="no chat")
    assert made.state(ON_FAILURE) == "retrying"
    assert only(Submit, made.later(HOUR).wake(ON_FAILURE))


def test_a_success_handler_that_overruns_the_deadline_is_stopped() -> None:
    made = both(step("a"), deadline=2 * HOUR)
    end(made, "a", JobState.SUCCEEDED)
    made.submitted(ON_SUCCESS)
    overrun(made)
    made.follow(Found(RUN, "deadline", 0, (ON_SUCCESS,)))
    made.verdict(ON_SUCCESS, JobState.CANCELLED)
    assert (made.run.state, made.run.error) == (RunState.FAILED, "stopped after its deadline of 2h")


def test_a_new_try_runs_them_anew() -> None:
    made = both(step("a"))
    end(made, "a", JobState.SUCCEEDED)
    end(made, ON_SUCCESS, JobState.FAILED, error="no chat")
    again = Life(plan=made.plan, run=next_try(RUN))
    again.docs = made.docs
    again.follow(StartRun(again.id, "tale", made.plan.name))
    again.later(MINUTE)
    assert again.state(ON_SUCCESS) == "waiting"
    again.follow(Examined(again.id, "a", adopt=True))
    assert again.state("a") == "succeeded"
    assert again.state(ON_SUCCESS) == "submitting"


def test_a_repeat_of_the_last_verdict_goes_on_where_a_crash_stopped() -> None:
    made = both(step("a"), step("b"))
    end(made, "b", JobState.SUCCEEDED)
    made.submitted("a")
    made.hear(Verdict(RUN, "a", 1, JobState.FAILED, "job-a-1", error="no"))  # what it told is lost
    made.follow(Bell(RUN, "a", 1))
    assert made.state(ON_FAILURE) == "submitting"
