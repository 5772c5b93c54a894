"""The life of one step's attempts, told event by event."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onward.core.attempts import (
    FIRST_CHECK,
    LONGEST_CHECK,
    LOST_LIMIT,
    MARGIN,
    RECHECKS,
    SLACK,
    SUBMIT_WINDOW,
    backoff,
)
from onward.core.commands import CancelJob, ReadStatus, SetTimer, SpillHistory, Submit
from onward.core.events import CancelNode, CancelRun, JobState, Verdict, Wake
from onward.core.pipeline import DAY, HOUR, MINUTE, SECOND, Dataproc, Retry, Step
from onward.core.state import (
    HISTORY_LENGTH,
    Backoff,
    Cancelling,
    Entry,
    Failed,
    Running,
    RunState,
    Submitting,
    Succeeded,
)
from unit.core.telling import NOON, RUN, Life, only, retried, step, timers


def started(**fields: object) -> Life:
    """A run of one step, `a`, that is being submitted."""
    life = Life(step("a", **fields))
    life.start()
    return life


def running(**fields: object) -> Life:
    """A run of one step, `a`, whose job the service has."""
    return started(**fields).running("a")


def token(life: Life) -> str:
    phase = life.phase("a")
    assert isinstance(phase, Submitting)
    return phase.token


# The good life ----------------------------------------------------------


def test_a_step_is_submitted_settled_looked_at_once_and_has_succeeded() -> None:
    life = Life(step("a"))
    (submit,) = only(Submit, life.start())
    assert submit == Submit(RUN, "a", 1, token(life), NOON + SUBMIT_WINDOW)
    assert life.submitted("a") == []
    assert life.phase("a") == Running("job-a-1", NOON, NOON + FIRST_CHECK)
    assert life.bell("a") == [ReadStatus(RUN, "a", 1, "job-a-1")]
    life.verdict("a", JobState.SUCCEEDED, output={"rows": 3})
    assert life.phase("a") == Succeeded({"rows": 3})
    assert life.run.state is RunState.SUCCEEDED
    assert [type(command) for command in life.commands] == [Submit, ReadStatus]


def test_a_job_that_ends_before_its_submit_is_settled_counts_all_the_same() -> None:
    life = started()
    assert only(ReadStatus, life.bell("a")) == [ReadStatus(RUN, "a", 1, None)]
    life.verdict("a", JobState.SUCCEEDED)
    assert life.state("a") == "succeeded"
    assert life.node("a").job == "job-a-1"
    assert life.submitted("a") == [], "its own job, which ended well, is not cancelled"
    assert life.state("a") == "succeeded"


def test_a_job_that_ends_badly_before_its_submit_is_settled_is_retried() -> None:
    life = started(retry=retried(2))
    life.verdict("a", JobState.FAILED)
    assert life.state("a") == "retrying"
    assert life.submitted("a") == [CancelJob(RUN, "a", 1, "job-a-1")]
    assert life.state("a") == "retrying"


def test_a_verdict_that_it_still_runs_settles_a_submit_of_which_nobody_heard() -> None:
    life = started()
    life.verdict("a", JobState.RUNNING)
    assert life.state("a") == "running"
    assert life.node("a").job == "job-a-1"


# Retry ------------------------------------------------------------------


def test_a_failed_attempt_waits_and_is_made_again_until_none_is_left() -> None:
    life = running(retry=retried(3))
    for attempt in (1, 2):
        commands = life.verdict("a", JobState.FAILED, attempt, error="disk full")
        waiting = life.phase("a")
        assert isinstance(waiting, Backoff)
        assert (waiting.attempt, waiting.error) == (attempt + 1, "disk full")
        assert timers(commands) == {waiting.until: Wake(RUN, "a")}
        life.now = waiting.until
        (submit,) = only(Submit, life.wake("a"))
        assert (submit.attempt, submit.again) == (attempt + 1, False)  # type: ignore[attr-defined]
        life.submitted("a", attempt + 1)
    life.verdict("a", JobState.FAILED, 3, error="disk full")
    assert life.phase("a") == Failed("disk full")
    assert life.run.state is RunState.FAILED
    assert "a" in (life.run.error or "")


def test_a_step_without_retry_has_failed_with_its_first_attempt() -> None:
    life = running()
    life.verdict("a", JobState.FAILED)
    assert life.state("a") == "failed"


@given(st.integers(1, 60), st.integers(0, DAY), st.integers(0, DAY), st.text())
def test_the_wait_doubles_up_to_its_cap_give_or_take_a_quarter(
    attempt: int, first: int, cap: int, seed: str
) -> None:
    whole = min(first * 2 ** (attempt - 1), cap)
    wait = backoff(Retry(99, first, cap), attempt, seed)
    assert 0.75 * whole - 1 <= wait <= 1.25 * whole
    assert wait == backoff(Retry(99, first, cap), attempt, seed), "the same every time"


def test_waits_of_different_steps_are_spread() -> None:
    waits = {backoff(Retry(3, 100 * SECOND), 1, RUN, f"step{n}") for n in range(50)}
    assert len(waits) == 50
    assert max(waits) - min(waits) > 30 * SECOND


def test_a_wake_that_comes_too_early_sets_the_timer_that_a_crash_may_have_left_out() -> None:
    life = running(retry=retried(2))
    (first,) = only(SetTimer, life.verdict("a", JobState.FAILED))
    assert life.wake("a") == [first], "the same timer under the same name"
    assert life.state("a") == "retrying"


def test_a_repeated_bell_sets_the_timer_that_a_crash_may_have_left_out() -> None:
    life = running(retry=retried(2))
    (timer,) = only(SetTimer, life.verdict("a", JobState.FAILED))
    assert life.bell("a") == [timer]


def test_a_timer_that_rings_a_moment_early_by_another_clock_still_counts() -> None:
    life = running(retry=retried(2))
    life.verdict("a", JobState.FAILED)
    waiting = life.phase("a")
    assert isinstance(waiting, Backoff)
    life.now = waiting.until - SLACK
    life.wake("a")
    assert life.state("a") == "submitting"


def test_a_second_verdict_on_a_failed_attempt_is_not_held_against_the_next() -> None:
    life = running(retry=retried(2))
    life.verdict("a", JobState.FAILED)
    before = life.node("a")
    life.verdict("a", JobState.FAILED)
    assert life.node("a") == before
    life.later(HOUR).wake("a")
    life.verdict("a", JobState.FAILED, 1)
    assert life.state("a") == "submitting"


# Refused, no room, trouble ----------------------------------------------


def test_a_job_that_the_service_refuses_is_not_tried_again() -> None:
    life = started(retry=retried(3))
    life.refused("a", token(life))
    assert life.phase("a") == Failed("no such machine")


def test_a_full_quota_uses_up_no_attempt_and_asks_again_by_the_same_name() -> None:
    life = started()
    for _ in range(20):
        (timer,) = only(SetTimer, life.delayed("a", token(life), 100 * SECOND))
        waiting = life.phase("a")
        assert isinstance(waiting, Backoff)
        assert waiting.attempt == 1
        assert 75 * SECOND <= timer.at - life.now <= 125 * SECOND  # type: ignore[attr-defined]
        life.now = waiting.until
        (submit,) = only(Submit, life.wake("a"))
        assert (submit.attempt, submit.again) == (1, True)  # type: ignore[attr-defined]
    life.running("a").verdict("a", JobState.SUCCEEDED)
    assert life.state("a") == "succeeded"


def test_a_submit_of_which_nobody_knew_whether_it_came_through_is_settled_late() -> None:
    life = started()
    life.delayed("a", token(life), SECOND)
    life.submitted("a")
    assert life.state("a") == "running"


# Owners -----------------------------------------------------------------


def test_while_somebody_is_submitting_everybody_else_keeps_away() -> None:
    life = started()
    life.now = NOON + SUBMIT_WINDOW
    decision = life.hear(Wake(RUN, "a"))
    assert (decision.changes, decision.commands, decision.settled) == ((), (), False)


def test_an_intent_whose_time_has_passed_is_taken_over_by_looking_first() -> None:
    life = started()
    first = token(life)
    life.later(SUBMIT_WINDOW + 1)
    (submit,) = only(Submit, life.wake("a"))
    assert submit == Submit(RUN, "a", 1, token(life), life.now + SUBMIT_WINDOW, again=True)
    assert token(life) != first


def test_an_intent_whose_process_is_gone_is_taken_over_at_once() -> None:
    life = started()
    (submit,) = only(Submit, life.wake("a", orphaned=True))
    assert submit.again  # type: ignore[attr-defined]


@pytest.mark.parametrize("tell", ["refused", "delayed"])
def test_an_owner_that_froze_has_no_say_once_another_took_over(tell: str) -> None:
    life = started()
    frozen = token(life)
    life.later(SUBMIT_WINDOW + 1).wake("a")
    before = life.node("a")
    if tell == "refused":
        life.refused("a", frozen)
    else:
        life.delayed("a", frozen, SECOND)
    assert life.node("a") == before


def test_an_owner_that_froze_does_not_stop_a_job_of_another_owner() -> None:
    life = started()
    frozen = token(life)
    life.later(SUBMIT_WINDOW + 1).wake("a")
    life.follow(CancelNode(RUN, "a"))
    life.refused("a", frozen)
    assert life.state("a") == "cancelling", "the other owner's submit may still come through"


# Bells and checks -------------------------------------------------------


def test_a_bell_is_never_believed_and_rings_again_at_30_s_2_min_10_min() -> None:
    life = running()
    for wait in (30 * SECOND, 2 * MINUTE, 10 * MINUTE):
        assert only(ReadStatus, life.bell("a")) == [ReadStatus(RUN, "a", 1, "job-a-1")]
        commands = life.verdict("a", JobState.RUNNING)
        assert timers(commands) == {life.now + wait: Wake(RUN, "a")}
        assert life.node("a").due == life.now + wait
        life.later(wait)
        assert only(ReadStatus, life.wake("a")) == [ReadStatus(RUN, "a", 1, "job-a-1", belled=False)]
    assert tuple(RECHECKS) == (30 * SECOND, 2 * MINUTE, 10 * MINUTE)


def test_due_checks_begin_after_an_hour_and_double_to_a_day() -> None:
    life = running()
    waits = []
    for _ in range(8):
        due = life.node("a").due
        assert due is not None
        waits.append(due - life.now)
        life.now = due
        assert only(ReadStatus, life.wake("a")) == [ReadStatus(RUN, "a", 1, "job-a-1", belled=False)]
        life.verdict("a", JobState.RUNNING, belled=False)
    assert waits == [HOUR, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR, DAY, DAY]
    assert LONGEST_CHECK == DAY


def test_a_wake_before_anything_is_due_reads_no_status() -> None:
    life = running()
    assert life.wake("a") == []
    assert life.later(HOUR - 2 * SECOND).wake("a") == []


def test_the_first_check_of_a_step_that_says_when_it_should_be_done_has_a_timer() -> None:
    life = started(expect_within=5 * MINUTE)
    commands = life.submitted("a")
    assert timers(commands) == {NOON + 5 * MINUTE: Wake(RUN, "a")}
    assert life.later(5 * MINUTE).wake("a") == [ReadStatus(RUN, "a", 1, "job-a-1", belled=False)]


def test_no_timer_has_a_name_that_was_used_before() -> None:
    life = running(retry=retried(9), timeout=20 * MINUTE, expect_within=MINUTE)
    for attempt in range(1, 9):
        life.verdict("a", JobState.RUNNING, attempt)
        life.verdict("a", JobState.FAILED, attempt)
        life.later(HOUR).wake("a")
        life.submitted("a", attempt + 1)
    names = [command.name for command in life.commands if isinstance(command, SetTimer)]
    assert len(names) == len(set(names))


# Lost -------------------------------------------------------------------


def test_a_job_lost_with_its_process_is_repeated_three_times_without_using_up_retry() -> None:
    life = running(retry=retried(2))
    for _ in range(3):
        (submit,) = only(Submit, life.verdict("a", JobState.LOST))
        assert (submit.attempt, submit.again) == (1, True)  # type: ignore[attr-defined]
        life.submitted("a")
    life.verdict("a", JobState.LOST)
    waiting = life.phase("a")
    assert isinstance(waiting, Backoff)
    assert waiting.attempt == 2
    life.later(HOUR).wake("a")
    life.submitted("a", 2)
    assert only(Submit, life.verdict("a", JobState.LOST, 2)), "each attempt has its own count"
    assert LOST_LIMIT == 3


def test_a_job_that_two_reads_found_lost_is_repeated_once() -> None:
    life = running()
    life.verdict("a", JobState.LOST)
    before = life.node("a")
    assert life.verdict("a", JobState.LOST) == []
    assert life.node("a") == before


def test_a_job_that_the_service_forgot_is_made_again() -> None:
    life = running()
    (submit,) = only(Submit, life.verdict("a", JobState.NOT_FOUND))
    assert submit.again  # type: ignore[attr-defined]


def test_no_job_yet_means_nothing_while_the_submit_may_still_show_up() -> None:
    life = started()
    before = life.node("a")
    life.now = NOON + SUBMIT_WINDOW + MARGIN
    assert life.verdict("a", JobState.NOT_FOUND) == []
    assert life.node("a") == before
    life.later(1)
    assert only(Submit, life.verdict("a", JobState.NOT_FOUND))


def test_after_a_restart_a_running_job_goes_on_with_its_time_limit() -> None:
    life = running(timeout=HOUR)
    commands = life.later(MINUTE).wake("a", orphaned=True)
    assert only(ReadStatus, commands) == [ReadStatus(RUN, "a", 1, "job-a-1", belled=False, orphaned=True)]
    assert timers(commands) == {NOON + HOUR: Wake(RUN, "a")}
    before = life.node("a")
    assert life.verdict("a", JobState.RUNNING, belled=False, orphaned=True) == []
    assert life.node("a") == before


def test_after_a_restart_a_job_that_left_nothing_is_made_again() -> None:
    life = running()
    assert only(Submit, life.verdict("a", JobState.NOT_FOUND, belled=False, orphaned=True))


def test_a_job_cancelled_from_outside_has_failed_and_is_not_retried() -> None:
    life = running(retry=retried(3))
    life.verdict("a", JobState.CANCELLED)
    assert life.phase("a") == Failed("its job was cancelled from outside")


# Time limits ------------------------------------------------------------


def test_a_job_over_its_time_limit_is_cancelled_and_only_its_verdict_starts_the_next_attempt() -> None:
    life = started(timeout=10 * MINUTE, retry=retried(2))
    limit = NOON + 10 * MINUTE
    assert limit in timers(life.commands)
    life.submitted("a")
    life.now = limit
    commands = life.wake("a")
    assert only(CancelJob, commands) == [CancelJob(RUN, "a", 1, "job-a-1")]
    assert timers(commands) == {limit + MARGIN: Wake(RUN, "a")}
    assert life.state("a") == "cancelling"
    life.bell("a")
    life.verdict("a", JobState.CANCELLED)
    waiting = life.phase("a")
    assert isinstance(waiting, Backoff)
    assert waiting.error == "stopped after its time limit of 600 s"
    life.now = waiting.until
    commands = life.wake("a")
    assert only(Submit, commands)
    assert life.now + 10 * MINUTE in timers(commands), "each attempt has its own limit"


def test_the_last_attempt_over_its_time_limit_has_failed() -> None:
    life = running(timeout=MINUTE)
    life.later(MINUTE).wake("a")
    life.verdict("a", JobState.CANCELLED)
    assert life.phase("a") == Failed("stopped after its time limit of 60 s")


def test_a_job_that_succeeded_before_its_cancel_took_hold_has_succeeded() -> None:
    life = running(timeout=MINUTE)
    life.later(MINUTE).wake("a")
    life.verdict("a", JobState.SUCCEEDED, output=1)
    assert life.phase("a") == Succeeded(1)


def test_the_time_limit_is_due_even_if_its_timer_is_lost() -> None:
    life = running(timeout=10 * MINUTE)
    assert life.node("a").due == NOON + 10 * MINUTE


# Cancel -----------------------------------------------------------------


def cancelled(life: Life) -> Life:
    """Somebody cancels the run; its sweep finds `a`."""
    life.follow(CancelRun(RUN))
    assert life.run.state is RunState.CANCELLING
    life.commands.clear()
    life.follow(CancelNode(RUN, "a"))
    return life


def test_cancel_while_running_waits_for_the_verdict() -> None:
    life = cancelled(running())
    assert only(CancelJob, life.commands) == [CancelJob(RUN, "a", 1, "job-a-1")]
    assert life.state("a") == "cancelling"
    life.verdict("a", JobState.CANCELLED)
    assert life.state("a") == "cancelled"
    assert life.run.state is RunState.CANCELLED


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.LOST])
def test_a_job_that_ends_badly_under_its_cancel_was_cancelled(state: JobState) -> None:
    life = cancelled(running(retry=retried(3)))
    life.verdict("a", state)
    assert life.state("a") == "cancelled"


def test_cancel_while_submitting_waits_until_no_submit_can_come_through_any_more() -> None:
    life = cancelled(started())
    cancelling = life.phase("a")
    assert isinstance(cancelling, Cancelling)
    assert cancelling.due == NOON + SUBMIT_WINDOW + MARGIN
    life.later(SUBMIT_WINDOW)
    life.verdict("a", JobState.NOT_FOUND, belled=False)
    assert life.state("a") == "cancelling"
    life.now = NOON + SUBMIT_WINDOW + MARGIN
    life.verdict("a", JobState.NOT_FOUND, belled=False)
    assert life.state("a") == "cancelled"


def test_a_submit_that_comes_through_after_the_cancel_is_cancelled_by_name() -> None:
    life = cancelled(started())
    assert life.submitted("a") == [CancelJob(RUN, "a", 1, "job-a-1")]
    assert life.node("a").job == "job-a-1"
    assert life.state("a") == "cancelling"


def test_a_submit_that_was_refused_leaves_nothing_to_cancel() -> None:
    life = started()
    mine = token(life)
    cancelled(life).refused("a", mine)
    assert life.state("a") == "cancelled"


def test_a_submit_that_comes_through_after_everything_is_over_is_cancelled() -> None:
    life = cancelled(started())
    life.later(SUBMIT_WINDOW + MARGIN).verdict("a", JobState.NOT_FOUND, belled=False)
    assert life.run.state is RunState.CANCELLED
    assert life.submitted("a") == [CancelJob(RUN, "a", 1, "job-a-1")]
    assert life.state("a") == "cancelled"


def test_cancel_while_waiting_for_the_next_attempt_ends_at_once() -> None:
    life = running(retry=retried(2))
    life.verdict("a", JobState.FAILED)
    cancelled(life)
    assert only(CancelJob, life.commands) == []
    assert life.run.state is RunState.CANCELLED


def test_cancel_while_a_submit_may_have_come_through_waits_for_the_verdict() -> None:
    life = started()
    life.delayed("a", token(life), MINUTE)
    cancelled(life)
    assert only(CancelJob, life.commands) == [CancelJob(RUN, "a", 1, None)]
    assert life.state("a") == "cancelling"
    life.later(MARGIN).verdict("a", JobState.NOT_FOUND, belled=False)
    assert life.state("a") == "cancelled"


def test_the_end_of_a_wait_for_room_in_a_run_that_is_being_cancelled_waits_for_the_verdict() -> None:
    life = started()
    life.delayed("a", token(life), MINUTE)
    life.follow(CancelRun(RUN))
    life.later(HOUR).wake("a")
    assert life.state("a") == "cancelling"


def test_no_attempt_begins_in_a_run_that_is_being_cancelled() -> None:
    life = running(retry=retried(2))
    life.verdict("a", JobState.FAILED)
    life.follow(CancelRun(RUN))
    assert only(Submit, life.later(HOUR).wake("a")) == []
    assert life.state("a") == "cancelled"


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.LOST])
def test_a_job_that_fails_before_the_sweep_reaches_it_is_not_tried_again(state: JobState) -> None:
    life = running(retry=retried(2))
    life.follow(CancelRun(RUN))
    life.verdict("a", state)
    assert life.state("a") == "cancelled"


def test_a_cancel_that_nobody_heard_is_repeated_until_the_verdict() -> None:
    life = cancelled(running())
    for _ in range(3):
        life.later(MARGIN)
        assert only(ReadStatus, life.wake("a")) == [ReadStatus(RUN, "a", 1, "job-a-1", belled=False)]
        commands = life.verdict("a", JobState.RUNNING, belled=False)
        assert only(CancelJob, commands) == [CancelJob(RUN, "a", 1, "job-a-1")]
        assert timers(commands) == {life.now + MARGIN: Wake(RUN, "a")}
    assert only(CancelJob, life.follow(CancelNode(RUN, "a"))) == [CancelJob(RUN, "a", 1, "job-a-1")]


def test_after_a_restart_a_cancelled_job_that_left_nothing_has_stopped() -> None:
    life = cancelled(running())
    life.wake("a", orphaned=True)
    life.verdict("a", JobState.NOT_FOUND, belled=False, orphaned=True)
    assert life.state("a") == "cancelled"


def test_a_late_submit_of_an_earlier_attempt_is_cancelled_without_touching_the_one_under_way() -> None:
    life = running(retry=retried(2))
    life.verdict("a", JobState.FAILED)
    life.later(HOUR).wake("a")
    life.submitted("a", 2)
    before = life.node("a")
    assert life.submitted("a", 1) == [CancelJob(RUN, "a", 1, "job-a-1")]
    assert life.node("a") == before


# History ----------------------------------------------------------------


def test_the_history_says_when_because_of_what_and_why() -> None:
    life = running(retry=retried(2))
    life.later(SECOND).verdict("a", JobState.FAILED)
    entries = [tuple(entry) for entry in life.node("a").history]
    assert entries == [
        (NOON, "start_run", "submitting", ""),
        (NOON, "submitted", "running", ""),
        (NOON + SECOND, "verdict", "retrying", "attempt 1 of 2 failed"),
    ]


def test_a_history_keeps_its_last_entries_and_what_it_drops_is_written_before_the_commit() -> None:
    life = running()
    dropped: list[Entry] = []
    for _ in range(200):
        decision = life.later(HOUR).hear(Verdict(RUN, "a", 1, JobState.RUNNING, "job", belled=False))
        for spill in decision.prepare:
            assert isinstance(spill, SpillHistory)
            assert spill.first == len(dropped), "no gap, no overlap"
            dropped += spill.entries
        assert len(life.node("a").history) <= HISTORY_LENGTH
    node = life.node("a")
    assert node.spilled == len(dropped)
    whole = [*dropped, *node.history]
    assert len(whole) == 202
    assert whole == sorted(whole), "in the order of time"


def test_every_change_of_state_is_in_the_history() -> None:
    life = running(retry=retried(2), timeout=HOUR)
    life.later(HOUR).wake("a")
    life.verdict("a", JobState.CANCELLED)
    life.later(HOUR).wake("a")
    life.submitted("a", 2)
    life.verdict("a", JobState.SUCCEEDED, 2)
    states = [entry.state for entry in life.node("a").history]
    assert states == [
        "submitting",
        "running",
        "cancelling",
        "retrying",
        "submitting",
        "running",
        "succeeded",
    ]


def test_a_dataproc_job_of_which_nothing_is_heard_is_looked_at_early_and_then_ever_less_often() -> None:
    one = Step("a", Dataproc("job.py"))
    life = Life(one)
    life.start()
    life.submitted("a")
    looked, began = [], life.now
    for _ in range(8):
        phase = life.phase("a")
        assert isinstance(phase, Running)
        life.now = phase.due
        looked.append((life.now - began) // MINUTE)
        assert only(ReadStatus, life.wake("a"))
        life.verdict("a", JobState.RUNNING, belled=False)
    assert looked == [2, 5, 10, 20, 40, 80, 160, 320]
