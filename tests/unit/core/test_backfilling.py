"""How it is with a partition, and what a backfill does about it."""

from __future__ import annotations

from typing import Any

import pytest
from onward.core import backfilling
from onward.core.backfilling import Judged, State, forced, judge
from onward.core.events import StartRun
from onward.core.partitions import Partition
from onward.core.state import Run, RunState

RUN, BACKFILL = "a" * 20, "b" * 12
NATURAL = StartRun(RUN, "p", "plan", {"date": "2026-11-22"}, {"on": "hand", "key": "date=2026-11-22"})
DAY = Partition("2026-11-22", NATURAL)
OWN = {"on": "hand", "key": "date=2026-11-22", "backfill": BACKFILL}


def run(state: RunState, started: int = 1, **trigger: Any) -> Run:
    return Run("p", "plan", state, started, {}, {"on": "hand", **trigger})


def judged(
    partition: Partition, *tries: tuple[str, Run], made: int | None = None, declared: bool = True
) -> Judged:
    return judge(partition, tries, made, declared=declared)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (RunState.QUEUED, State.RUNNING),
        (RunState.RUNNING, State.RUNNING),
        (RunState.CANCELLING, State.RUNNING),
        (RunState.SUCCEEDED, State.DONE),
        (RunState.FAILED, State.FAILED),
        (RunState.CANCELLED, State.FAILED),
        (RunState.SKIPPED, State.FAILED),
    ],
)
def test_a_run_of_its_fact_says_how_it_is(state: RunState, said: State) -> None:
    assert judged(DAY, (RUN, run(state)), made=5).state is said


def test_without_a_run_its_outputs_say_it() -> None:
    assert judged(DAY).state is State.MISSING
    assert judged(DAY, made=5).state is State.DONE
    assert judged(DAY, declared=False).state is State.MISSING


def test_outputs_that_are_older_than_the_object_are_stale() -> None:
    of_object = Partition("gs://landing/a.csv", NATURAL, updated=10)
    assert judged(of_object, made=9).state is State.STALE
    assert judged(of_object, made=10).state is State.DONE


def test_where_nothing_can_start_the_partition_is_refused_and_starts_nothing() -> None:
    said = judged(Partition("someday", why="must be a date"))
    assert said.state is State.REFUSED
    assert backfilling.start(said, BACKFILL, force=True) is None


@pytest.mark.parametrize("made", [None, 9])
def test_what_is_missing_or_stale_is_started_as_its_own_fact_would_have(made: int | None) -> None:
    said = judged(Partition("gs://landing/a.csv", NATURAL, updated=10), made=made)
    start = backfilling.start(said, BACKFILL, force=False)
    trigger = OWN if made is None else {**OWN, "force": True}
    assert start == StartRun(RUN, "p", "plan", NATURAL.params, trigger)


def test_what_failed_is_started_as_the_next_try_after_its_newest() -> None:
    said = judged(DAY, (f"{RUN}~3", run(RunState.FAILED)))
    start = backfilling.start(said, BACKFILL, force=False)
    assert start is not None
    assert start.run == f"{RUN}~4"


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.SUCCEEDED])
def test_what_runs_or_is_done_is_left_alone(state: RunState) -> None:
    assert backfilling.start(judged(DAY, (RUN, run(state))), BACKFILL, force=False) is None
    assert backfilling.start(judged(DAY, made=5), BACKFILL, force=False) is None


def test_with_force_what_is_done_runs_again_under_an_id_of_this_backfill() -> None:
    start = backfilling.start(judged(DAY, (RUN, run(RunState.SUCCEEDED))), BACKFILL, force=True)
    assert start is not None
    assert start.run == forced(NATURAL, BACKFILL) != RUN
    assert start.trigger["force"] is True
    assert forced(NATURAL, "c" * 12) != start.run
    assert backfilling.start(judged(DAY, (RUN, run(RunState.RUNNING))), BACKFILL, force=True) is None


def test_with_force_what_no_run_made_gets_the_run_of_its_fact() -> None:
    start = backfilling.start(judged(DAY, made=5), BACKFILL, force=True)
    assert start is not None
    assert start.run == RUN


def test_what_this_backfill_has_started_is_not_started_by_it_again() -> None:
    for state in RunState:
        said = judged(DAY, (RUN, run(state, backfill=BACKFILL)))
        assert backfilling.start(said, BACKFILL, force=True) is None
    other = judged(DAY, (RUN, run(RunState.FAILED, backfill="c" * 12)))
    assert backfilling.start(other, BACKFILL, force=False) is not None


def test_of_a_forced_run_and_that_of_its_fact_the_newer_one_counts() -> None:
    said = judged(DAY, (RUN, run(RunState.SUCCEEDED, 1)), ("f" * 20, run(RunState.RUNNING, 2)))
    assert (said.state, said.run) == (State.RUNNING, "f" * 20)
