"""Who waits for a gate begins only when the gate has let it in, and leaves it however it ends."""

from __future__ import annotations

from collections import deque

import pytest
from onward.core.commands import Command, Leave, Submit
from onward.core.events import Admitted, CancelNode, CancelRun, Event, Grant, JobState, TurnedAway, Wake
from onward.core.pipeline import DAY, HOUR, Pipeline, Step
from onward.core.plan import compile_plan
from onward.core.state import Gate, GateKey, PipelineKey, PipelineState, Queued, RunState, Waiter, WaiterKey
from unit.core.telling import RUN, Life, only, step

POOL, RUNS = "pool:tale.a", "runs:tale"
HOLDER = f"{RUN}/a"


class Story(Life):
    """A run that goes through gates. What it asks of them is kept in `rung`; nobody answers."""

    def __init__(self, *steps: Step, **fields: object) -> None:
        super().__init__(plan=compile_plan(Pipeline("tale", steps, **fields)))  # type: ignore[arg-type]
        self.rung: list[Grant] = []

    def follow(self, event: Event) -> list[Command]:
        commands: list[Command] = []
        waiting = deque([event])
        while waiting:
            decision = self.hear(waiting.popleft())
            commands += decision.commands
            self.rung += [each for each in decision.events if isinstance(each, Grant)]
            waiting += [each for each in decision.events if not isinstance(each, Grant)]
        return commands

    def put_in(self, gate: str, holder: str) -> None:
        """The gate holds it; its waiter is gone."""
        self.docs[GateKey(gate)] = Gate((holder,))
        for key in [key for key in self.docs if isinstance(key, WaiterKey) and key.gate == gate]:
            del self.docs[key]

    def holders(self, gate: str) -> tuple[str, ...]:
        found = self.docs.get(GateKey(gate), Gate())
        assert isinstance(found, Gate)
        return found.admitted

    def waiters(self) -> list[Waiter]:
        return [doc for doc in self.docs.values() if isinstance(doc, Waiter)]


def pooled() -> Story:
    """A step that waits for its pool."""
    story = Story(step("a", pool="~step", pool_size=2), step("b", "a"))
    story.start()
    return story


def let_in() -> Story:
    """A step whose job runs, in its slot."""
    story = pooled()
    story.put_in(POOL, HOLDER)
    story.follow(Admitted(RUN, "a", POOL))
    story.submitted("a")
    return story


# Steps --------------------------------------------------------------------


def test_a_step_with_a_pool_waits_before_its_first_attempt_and_asks_once() -> None:
    story = pooled()
    assert (story.state("a"), story.node("a").attempt) == ("queued", 0)
    assert [(each.run, each.node, each.limit) for each in story.waiters()] == [(RUN, "a", 2)]
    assert story.rung == [Grant(POOL, HOLDER)]


def test_who_is_told_believes_it_only_if_the_gate_says_so() -> None:
    story = pooled()
    assert only(Submit, story.follow(Admitted(RUN, "a", POOL))) == []
    assert story.state("a") == "queued"
    story.put_in(POOL, HOLDER)
    assert len(only(Submit, story.follow(Admitted(RUN, "a", POOL)))) == 1
    assert story.state("a") == "submitting"


def test_who_is_told_twice_begins_once() -> None:
    story = let_in()
    assert only(Submit, story.follow(Admitted(RUN, "a", POOL))) == []
    assert story.node("a").attempt == 1


def test_a_wake_asks_again_and_after_an_hour_has_the_holders_looked_at_then_ever_more_seldom() -> None:
    story = pooled()
    story.rung.clear()
    story.follow(Wake(RUN, "a"))
    assert story.rung == [Grant(POOL, HOLDER, net=False)]
    waits = []
    for _ in range(8):
        phase = story.phase("a")
        assert isinstance(phase, Queued)
        waits.append(phase.due - story.now)
        story.later(waits[-1])
        story.follow(Wake(RUN, "a"))
    assert story.rung[1:] == [Grant(POOL, HOLDER, net=True)] * 8
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (HOUR, DAY)


def test_a_wake_finds_a_slot_of_which_nobody_told() -> None:
    story = pooled()
    story.put_in(POOL, HOLDER)
    assert len(only(Submit, story.wake("a"))) == 1


@pytest.mark.parametrize("outcome", [JobState.SUCCEEDED, JobState.FAILED])
def test_a_slot_is_free_in_the_commit_of_the_end_however_that_is(outcome: JobState) -> None:
    story = let_in()
    story.rung.clear()
    story.bell("a")
    story.verdict("a", outcome)
    assert story.holders(POOL) == ()
    assert Grant(POOL, f"{HOLDER} left") in story.rung


def test_a_step_that_is_cancelled_while_it_waits_takes_its_waiter_along() -> None:
    story = pooled()
    story.follow(CancelNode(RUN, "a"))
    assert story.state("a") == "cancelled"
    assert story.waiters() == []
    assert story.rung[-1] == Grant(POOL, f"{HOLDER} left")


@pytest.mark.parametrize("others", [(), (step("c"),)], ids=["in a run that has ended", "in one that goes on"])
def test_a_slot_for_a_step_that_has_ended_before_it_was_told_is_given_back(others: tuple[Step, ...]) -> None:
    story = Story(step("a", pool="~step", pool_size=2), *others)
    story.start()
    story.follow(CancelNode(RUN, "a"))
    story.put_in(POOL, HOLDER)
    story.rung.clear()
    story.follow(Admitted(RUN, "a", POOL))
    assert story.holders(POOL) == ()
    assert Grant(POOL, f"{HOLDER} left") in story.rung


def test_the_more_urgent_come_first_then_those_of_the_earlier_run() -> None:
    places = []
    for priority, later in ((0, 0), (0, 5), (10, 9), (-10, 0)):
        story = Story(step("a", pool="warehouse", priority=priority))
        story.later(later)
        story.start()
        (place,) = (key.waiter for key in story.docs if isinstance(key, WaiterKey))
        places.append((place, priority, later))
    assert [each[1:] for each in sorted(places)] == [(10, 9), (0, 0), (0, 5), (-10, 0)]


# Runs ---------------------------------------------------------------------


def queued(**fields: object) -> Story:
    """A run that waits for its turn."""
    story = Story(step("a"), **{"max_active_runs": 1, **fields})
    story.start()
    return story


def test_a_run_of_a_limited_pipeline_waits_and_nothing_of_it_begins() -> None:
    story = queued()
    assert (story.run.state, story.states()) == (RunState.QUEUED, {"a": "waiting"})
    assert [(each.run, each.node) for each in story.waiters()] == [(RUN, None)]
    assert story.rung == [Grant(RUNS, RUN)]


def test_a_repeated_start_of_a_run_that_waits_makes_no_second_waiter_and_asks_again() -> None:
    story = queued()
    story.later(HOUR)
    story.start()
    assert len(story.waiters()) == 1
    assert [each.gate for each in story.rung] == [RUNS] * 2


def test_a_run_begins_when_its_gate_has_let_it_in_and_not_before() -> None:
    story = queued()
    story.follow(Admitted(RUN, None, RUNS))
    assert story.run.state is RunState.QUEUED
    story.put_in(RUNS, RUN)
    story.later(HOUR)
    assert len(only(Submit, story.follow(Admitted(RUN, None, RUNS)))) == 1
    assert (story.run.state, story.run.started) == (RunState.RUNNING, story.now)


def test_the_end_of_a_run_frees_its_place() -> None:
    story = queued()
    story.put_in(RUNS, RUN)
    story.follow(Admitted(RUN, None, RUNS))
    story.submitted("a")
    story.bell("a")
    story.verdict("a", JobState.SUCCEEDED)
    assert story.run.state is RunState.SUCCEEDED
    assert story.holders(RUNS) == ()
    assert story.rung[-1] == Grant(RUNS, f"{RUN} left")


def test_a_run_that_is_cancelled_while_it_waits_has_never_begun_and_leaves_nothing() -> None:
    story = queued()
    story.follow(CancelRun(RUN))
    assert story.run.state is RunState.CANCELLED
    assert story.waiters() == []
    story.put_in(RUNS, RUN)
    assert story.follow(Admitted(RUN, None, RUNS)) == []
    assert story.holders(RUNS) == ()


def test_a_run_that_is_turned_away_is_skipped_unless_it_has_been_let_in() -> None:
    story = queued(on_conflict="skip")
    story.follow(TurnedAway(RUN, RUNS))
    assert story.run.state is RunState.SKIPPED
    assert story.waiters() == []
    late = queued(on_conflict="skip")
    late.put_in(RUNS, RUN)
    late.follow(TurnedAway(RUN, RUNS))
    assert late.run.state is RunState.QUEUED


def test_a_run_of_a_paused_pipeline_and_one_behind_those_that_wait_have_to_ask() -> None:
    for key, doc in (
        (PipelineKey("tale"), PipelineState(paused=True)),
        (GateKey(RUNS), Gate(look=1)),
    ):
        story = Story(step("a"))
        story.docs[key] = doc  # type: ignore[index]
        story.start()
        assert story.run.state is RunState.QUEUED
    free = Story(step("a"))
    free.start()
    assert free.run.state is RunState.RUNNING


def test_a_slot_is_left_by_its_holder_alone() -> None:
    gate = Gate(("x", "y"))
    assert gate.left(("z",)) is gate
    assert gate.left(Leave(GateKey(POOL), ("x",)).members).admitted == ("y",)
