"""The life of a run as a whole: start, sweeps, cancel, end, expiry."""

from __future__ import annotations

import pytest
from onward.core.attempts import MARGIN, SUBMIT_WINDOW
from onward.core.commands import Find, SetTimer, Submit
from onward.core.events import CancelNode, CancelRun, Found, JobState, StartRun, Sweep, Wake
from onward.core.horizon import HORIZON
from onward.core.pipeline import DAY, HOUR, MINUTE, SECOND
from onward.core.plan import WIDTH
from onward.core.state import NodeKey, RunKey, RunState
from unit.core.telling import NOON, RUN, Life, only, step, timers


def wide(count: int) -> Life:
    """A run in which `count` steps run."""
    life = Life(*(step(f"s{n}") for n in range(count)))
    life.start()
    for n in range(count):
        life.submitted(f"s{n}")
    return life


def ended() -> Life:
    life = wide(1)
    life.verdict("s0", JobState.SUCCEEDED)
    assert life.run.state is RunState.SUCCEEDED
    return life


# Start ------------------------------------------------------------------


def test_the_net_is_set_before_the_run_exists() -> None:
    life = Life(step("a"))
    decision = life.would(life.start_event())
    (net,) = decision.prepare
    assert isinstance(net, SetTimer)
    assert (net.at, net.event) == (NOON + HOUR, Sweep(RUN, "watch", 1))
    assert RunKey(RUN) in {change.key for change in decision.changes}


def test_a_run_that_could_not_be_created_for_hours_has_a_net_all_the_same() -> None:
    life = Life(step("a"))
    (early,) = life.would(life.start_event()).prepare
    (late,) = life.later(2 * HOUR).would(life.start_event()).prepare
    assert isinstance(early, SetTimer)
    assert isinstance(late, SetTimer)
    assert early.name != late.name, "the early one has rung, and its name is refused"
    assert late.at == life.now + HOUR


def test_a_run_keeps_what_it_was_started_with() -> None:
    life = Life(step("a"))
    first = StartRun(RUN, "tale", life.plan.name, {"date": "2026-11-22"}, {"on": "object", "name": "x.csv"})
    life.follow(first)
    before = life.run
    assert (before.params, before.trigger, before.started) == (first.params, first.trigger, NOON)
    life.later(HOUR).follow(StartRun(RUN, "tale", "newer", {"date": "1999-01-01"}, {}))
    assert life.run == before


def test_a_repeated_start_starts_nothing_twice_and_wakes_what_a_crash_may_have_left() -> None:
    life = Life(step("a"), step("b"))
    first = life.hear(life.start_event())
    again = life.hear(life.start_event())
    assert again.changes == ()
    assert [event.node for event in again.events] == [event.node for event in first.events]  # type: ignore[union-attr]
    assert all(isinstance(event, Wake) and event.echo for event in again.events)


def test_a_start_decides_the_only_first_step_and_the_run_in_one_commit() -> None:
    life = Life(step("a"), step("b", "a"))
    decision = life.hear(life.start_event())
    assert {change.key for change in decision.changes} == {RunKey(RUN), NodeKey(RUN, "a")}
    assert only(Submit, decision.commands)
    assert decision.events == ()


# Sweeps -----------------------------------------------------------------


def test_a_watch_wakes_what_is_overdue_and_sets_the_next_before_it_is_acknowledged() -> None:
    life = wide(3)
    assert life.hear(Sweep(RUN, "watch", 1)).commands == (Find(RUN, "watch", 1),)
    decision = life.hear(Found(RUN, "watch", 1, ("s0", "s2"), life.now + 20 * MINUTE))
    assert decision.events == (Wake(RUN, "s0"), Wake(RUN, "s2"))
    assert timers(decision.commands) == {life.now + 20 * MINUTE: Sweep(RUN, "watch", 2)}


@pytest.mark.parametrize(
    ("next_due", "wait"),
    [(None, HOUR), (3 * HOUR, HOUR), (20 * MINUTE, 20 * MINUTE), (SECOND, MINUTE), (-HOUR, MINUTE)],
)
def test_the_next_watch_comes_when_something_is_due_within_a_minute_and_an_hour(
    next_due: int | None, wait: int
) -> None:
    life = wide(1)
    found = Found(RUN, "watch", 1, (), None if next_due is None else life.now + next_due)
    assert timers(life.hear(found).commands) == {life.now + wait: Sweep(RUN, "watch", 2)}


def test_a_watch_that_found_as_many_as_it_may_touch_comes_back_soon() -> None:
    life = wide(40)
    found = Found(RUN, "watch", 1, tuple(f"s{n}" for n in range(WIDTH)), life.now + HOUR)
    decision = life.hear(found)
    assert len(decision.events) == WIDTH
    assert timers(decision.commands) == {life.now + MINUTE: Sweep(RUN, "watch", 2)}


def test_a_repeated_watch_sets_the_same_timer_and_not_a_second_one() -> None:
    life = wide(1)
    found = Found(RUN, "watch", 7, ())
    (one,) = life.hear(found).commands
    (two,) = life.hear(found).commands
    assert isinstance(one, SetTimer)
    assert isinstance(two, SetTimer)
    assert one.name == two.name


def test_a_watch_whose_run_ended_while_it_was_looking_goes_on_to_the_expiry() -> None:
    life = ended()
    decision = life.hear(Found(RUN, "watch", 1, ()))
    assert decision.events == ()
    assert list(timers(decision.commands).values()) == [Sweep(RUN, "watch", 2)]


# Cancel -----------------------------------------------------------------


def test_a_cancel_reaches_more_nodes_than_one_transition_may_touch() -> None:
    life = wide(70)
    decision = life.hear(CancelRun(RUN))
    assert life.run.state is RunState.CANCELLING
    rounds = 0
    sweeps = [event for event in decision.events if isinstance(event, Sweep)]
    while sweeps:
        rounds += 1
        assert life.hear(sweeps.pop()).commands == (Find(RUN, "cancel", 0),)
        active = tuple(name for name, state in life.states().items() if state == "running")[:WIDTH]
        found = life.hear(Found(RUN, "cancel", 0, active))
        for event in found.events:
            if isinstance(event, CancelNode):
                life.follow(event)
            else:
                assert isinstance(event, Sweep)
                sweeps.append(event)
    assert rounds == 3
    assert set(life.states().values()) == {"cancelling"}
    for name in life.states():
        life.verdict(name, JobState.CANCELLED)
    assert life.run.state is RunState.CANCELLED


def test_a_cancel_sweeps_once_more_after_the_longest_submit_that_could_have_been_under_way() -> None:
    life = wide(1)
    life.hear(CancelRun(RUN))
    decision = life.hear(Found(RUN, "cancel", 0, ()))
    assert timers(decision.commands) == {life.now + SUBMIT_WINDOW + MARGIN: Sweep(RUN, "cancel", 1)}


def test_a_second_cancel_sweeps_again_and_changes_nothing() -> None:
    life = wide(1)
    life.hear(CancelRun(RUN))
    decision = life.hear(CancelRun(RUN))
    assert decision.changes == ()
    assert decision.events == (Sweep(RUN, "cancel"),)


def test_nothing_new_starts_in_a_run_that_is_being_cancelled_and_its_end_says_so() -> None:
    life = Life(step("a"), step("b", "a"), step("c", "b"))
    life.start()
    life.submitted("a")
    life.hear(CancelRun(RUN))
    commands = life.verdict("a", JobState.SUCCEEDED)
    assert only(Submit, commands) == []
    assert life.states() == {"a": "succeeded", "b": "cancelled", "c": "cancelled"}
    assert life.run.state is RunState.CANCELLED


def test_a_run_whose_last_step_succeeded_before_the_cancel_took_hold_has_succeeded() -> None:
    life = wide(1)
    life.hear(CancelRun(RUN))
    life.verdict("s0", JobState.SUCCEEDED)
    assert life.run.state is RunState.SUCCEEDED


# Expiry -----------------------------------------------------------------


def test_an_ended_run_is_kept_for_the_horizon_and_no_timer_is_set_more_than_29_days_ahead() -> None:
    life = ended()
    n, rings = 1, []
    while True:
        decision = life.hear(Sweep(RUN, "watch", n))
        if not timers(decision.commands):
            break
        ((at, event),) = timers(decision.commands).items()
        assert event == Sweep(RUN, "watch", n + 1)
        assert 0 < at - life.now <= 29 * DAY
        life.now, n = at, n + 1
        rings.append(at)
    assert rings[-1] == NOON + HORIZON
    assert decision.commands == (Find(RUN, "expire", n),)


def test_an_expired_run_goes_with_its_nodes_a_few_at_a_time_and_itself_last() -> None:
    life = wide(70)
    for n in range(70):
        life.verdict(f"s{n}", JobState.SUCCEEDED)
    assert life.run.state is RunState.SUCCEEDED
    life.later(HORIZON)
    for _ in range(10):
        left = tuple(key.node for key in life.docs if isinstance(key, NodeKey))[:WIDTH]
        decision = life.hear(Found(RUN, "expire", 5, left))
        if decision.events == ():
            break
        assert RunKey(RUN) in life.docs
        assert decision.events == (Sweep(RUN, "watch", 5),)
    assert life.docs == {}
