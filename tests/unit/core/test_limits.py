"""A run that takes longer than it may is stopped, and has failed; one that goes on unexpectedly is late."""

from __future__ import annotations

import pytest
from onward.core.commands import CancelJob, Command, Find, SetTimer
from onward.core.events import CancelNode, CancelRun, Found, JobState, Sweep
from onward.core.horizon import LONGEST_TIMER
from onward.core.pipeline import DAY, HOUR, MINUTE, SECOND, Pipeline
from onward.core.plan import compile_plan
from onward.core.state import RunState
from unit.core.telling import NOON, RUN, Life, only, step, timers


def life(*steps: object, deadline: int | None = None, expect_within: int | None = None) -> Life:
    """A run of these limits, whose steps run."""
    pipeline = Pipeline("tale", tuple(steps), deadline=deadline, expect_within=expect_within)  # type: ignore[arg-type]
    made = Life(plan=compile_plan(pipeline))
    made.start()
    return made


def watch(made: Life, n: int = 1) -> None:
    made.follow(Sweep(RUN, "watch", n))


@pytest.mark.parametrize(
    ("deadline", "expect_within", "rings"),
    [
        (10 * MINUTE, None, [10 * MINUTE]),
        (2 * HOUR, 30 * MINUTE, [30 * MINUTE]),
        (60 * DAY, None, [LONGEST_TIMER]),
        (None, None, []),
    ],
)
def test_a_timer_waits_for_the_first_limit_and_a_repeated_start_sets_it_again(
    deadline: int | None, expect_within: int | None, rings: list[int]
) -> None:
    pipeline = Pipeline("tale", (step("a"),), deadline=deadline, expect_within=expect_within)
    made = Life(plan=compile_plan(pipeline))
    first, again = limit_timers(made.start()), limit_timers(made.later(SECOND).start())
    assert [timer.at for timer in first] == [NOON + ring for ring in rings]
    assert [timer.name for timer in again] == [timer.name for timer in first]


def test_the_next_ring_is_at_the_next_limit_that_is_still_to_come() -> None:
    made = life(step("a"), deadline=100 * MINUTE, expect_within=90 * MINUTE)
    made.later(90 * MINUTE)
    commands = made.hear(Sweep(RUN, "limits", 1)).commands
    assert timers(commands) == {NOON + 100 * MINUTE: Sweep(RUN, "limits", 2)}
    assert made.run.late
    made.later(10 * MINUTE)
    assert timers(made.hear(Sweep(RUN, "limits", 2)).commands) == {}
    assert made.run.overran


def test_a_ring_that_comes_before_the_limit_waits_on() -> None:
    made = life(step("a"), deadline=40 * DAY)
    made.later(29 * DAY)
    commands = made.hear(Sweep(RUN, "limits", 1)).commands
    assert timers(commands) == {NOON + 40 * DAY: Sweep(RUN, "limits", 2)}
    assert made.run.state is RunState.RUNNING


def limit_timers(commands: list[Command]) -> list[SetTimer]:
    return [
        command
        for command in commands
        if isinstance(command, SetTimer) and getattr(command.event, "purpose", "") == "limits"
    ]


def test_at_its_deadline_a_run_is_stopped_like_a_cancel_and_has_failed() -> None:
    made = life(step("a"), step("b", "a"), deadline=2 * HOUR)
    made.submitted("a")
    made.later(2 * HOUR)
    decision = made.hear(Sweep(RUN, "watch", 2))
    assert (made.run.state, made.run.error) == (RunState.CANCELLING, "stopped after its deadline of 2h")
    assert decision.events == (Sweep(RUN, "deadline"),)
    assert Find(RUN, "watch", 2) in decision.commands, "the net goes on"
    assert made.follow(Sweep(RUN, "deadline")) == [Find(RUN, "deadline", 0)]
    assert only(CancelJob, made.follow(Found(RUN, "deadline", 0, ("a",))))
    made.verdict("a", JobState.CANCELLED)
    assert made.states() == {"a": "cancelled", "b": "cancelled"}
    assert (made.run.state, made.run.error) == (RunState.FAILED, "stopped after its deadline of 2h")


def test_a_run_that_had_just_succeeded_with_all_it_did_has_failed_all_the_same() -> None:
    made = life(step("a"), deadline=2 * HOUR)
    made.submitted("a")
    made.later(2 * HOUR)
    watch(made)
    made.follow(CancelNode(RUN, "a"))
    made.verdict("a", JobState.SUCCEEDED)
    assert made.states() == {"a": "succeeded"}
    assert made.run.state is RunState.FAILED


def test_a_repeated_ring_sweeps_again_in_case_the_first_sweep_was_lost() -> None:
    made = life(step("a"), deadline=2 * HOUR)
    made.later(2 * HOUR)
    watch(made)
    decision = made.hear(Sweep(RUN, "watch", 2))
    assert decision.changes == ()
    assert decision.events == (Sweep(RUN, "deadline"),)


def test_before_its_deadline_a_ring_stops_nothing() -> None:
    made = life(step("a"), deadline=2 * HOUR)
    made.later(2 * HOUR - MINUTE)
    watch(made)
    assert made.run.state is RunState.RUNNING


def test_a_run_that_a_person_cancelled_before_is_cancelled_not_failed() -> None:
    made = life(step("a"), deadline=2 * HOUR)
    made.submitted("a")
    made.follow(CancelRun(RUN))
    made.later(3 * HOUR)
    watch(made)
    made.follow(CancelNode(RUN, "a"))
    made.verdict("a", JobState.CANCELLED)
    assert (made.run.state, made.run.error) == (RunState.CANCELLED, None)


def test_a_run_that_goes_on_for_longer_than_expected_is_late_once() -> None:
    made = life(step("a"), expect_within=HOUR)
    assert not made.run.late
    made.later(HOUR)
    watch(made)
    assert made.run.late
    assert made.run.state is RunState.RUNNING
    assert made.hear(Sweep(RUN, "watch", 2)).changes == ()


# Steps ------------------------------------------------------------------


def test_a_step_that_still_runs_when_its_end_was_expected_is_late_once_per_attempt() -> None:
    made = life(step("a", expect_within=20 * MINUTE))
    made.submitted("a")
    made.later(20 * MINUTE).wake("a")
    made.verdict("a", JobState.RUNNING, belled=False)
    assert made.node("a").late == 1
    entries = len([each for each in made.node("a").history if "later than expected" in each.why])
    made.later(2 * HOUR).wake("a")
    made.verdict("a", JobState.RUNNING, belled=False)
    assert made.node("a").late == 1
    assert entries == 1 == len([each for each in made.node("a").history if "later" in each.why])


def test_a_bell_too_early_does_not_put_off_the_look_at_the_expected_time() -> None:
    made = life(step("a", expect_within=20 * MINUTE))
    made.submitted("a")
    made.later(19 * MINUTE).bell("a")
    made.verdict("a", JobState.RUNNING)
    assert made.node("a").late == 0
    made.later(30 * SECOND).bell("a")
    made.verdict("a", JobState.RUNNING)
    assert made.node("a").due == NOON + 20 * MINUTE


def test_a_step_that_expects_nothing_is_never_late() -> None:
    made = life(step("a"))
    made.submitted("a")
    made.later(3 * HOUR).wake("a")
    made.verdict("a", JobState.RUNNING, belled=False)
    assert made.node("a").late == 0


def test_an_attempt_whose_time_was_over_before_its_job_began_is_looked_at_at_once() -> None:
    made = life(step("a", timeout=10 * MINUTE))
    made.later(20 * MINUTE).wake("a", orphaned=True)  # nobody was submitting it any more
    commands = made.submitted("a")
    assert made.now in timers(commands)
    assert only(CancelJob, made.wake("a"))


def test_the_wait_for_a_quota_does_not_count_as_time_of_the_attempt() -> None:
    made = life(step("a", timeout=10 * MINUTE))
    made.delayed("a", "token1", wait=HOUR)
    made.later(2 * HOUR).wake("a")
    made.submitted("a")
    assert made.node("a").due == made.now + 10 * MINUTE
    assert only(CancelJob, made.wake("a")) == []
