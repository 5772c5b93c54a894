"""A backfill to its end: in worlds that double, reorder and crash, and in few round trips."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from onward.backfills import Backfills
from onward.core.backfill import Backfill
from onward.core.backfilling import CHUNK, State, begin
from onward.core.commands import SetTimer
from onward.core.errors import Temporary, Unavailable
from onward.core.events import Bell, Event, JobState, LookAtBackfill, StartRun, StopBackfill
from onward.core.facts import WantsBackfill
from onward.core.naming import next_try
from onward.core.pipeline import SECOND, Param, Pipeline, Step
from onward.core.state import BackfillKey, Run, RunKey, RunState
from onward.ports import JobRef, JobRequest, Status, Submission
from unit.shelf import ScriptedService, Shelf, step

DATE = Param("date", "date")
OUTPUT = "gs://w/{{ date }}/out"


def pipeline(*steps: Step) -> Pipeline:
    return Pipeline("p", steps or (step("a"),), params=(DATE,))


def days(count: int, **others: Any) -> WantsBackfill:
    return WantsBackfill("p", "2026-01-01", f"2026-01-{count:02}", key="k", **others)


class Jobs(ScriptedService):
    """Each job ends when somebody looks at it; of some runs it fails."""

    def __init__(self, world: World) -> None:
        super().__init__([])
        self.world = world
        self.fails: set[str] = set()

    def submit(self, request: JobRequest) -> Submission:
        answer = super().submit(request)
        self.world.queue.append(Bell(request.run, request.node, request.attempt))
        return answer

    def status(self, ref: JobRef) -> Status:
        state = JobState.FAILED if ref.run in self.fails else JobState.SUCCEEDED
        return Status(state, ref.job or "", None, "as told" if ref.run in self.fails else "")


class World(Shelf):
    """Events wait, and are delivered in a drawn order, some twice; calls fail before or after they worked."""

    def __init__(self, seed: int = 0, faults: float = 0.0, of: Pipeline | None = None) -> None:
        super().__init__(pipeline=of or pipeline())
        self.queue: list[Event] = []
        self.jobs = Jobs(self)
        self.engine.services = {"python": self.jobs}
        self.rng = Random(seed)
        self.faults = faults
        self.most = 0
        self.backfill = ""
        commit = self.store.commit
        self.store.commit = lambda writes: self._maybe(commit, writes)  # type: ignore[method-assign]

    def _maybe(self, call: Any, *args: Any) -> Any:
        if self.rng.random() < self.faults:
            raise Unavailable("before")
        answer = call(*args)
        if self.rng.random() < self.faults:
            raise Unavailable("after")
        return answer

    def publish(self, events: Sequence[Event]) -> None:
        self._maybe(self._publish, events)

    def _publish(self, events: Sequence[Event]) -> None:
        self.queue += [each for each in events for _ in range(1 + (self.rng.random() < 3 * self.faults))]

    def set(self, timers: Sequence[SetTimer]) -> None:
        self._maybe(super().set, timers)

    def begin(self, wanted: WantsBackfill) -> None:
        event = begin(wanted, self.plan, "")
        self.backfill = event.backfill
        self.queue.append(event)

    def pump(self, most: int = 100_000) -> None:
        """Deliver until nothing waits, or that many."""
        for _ in range(most):
            if not self.queue:
                return
            event = self.queue.pop(self.rng.randrange(len(self.queue)))
            try:
                self.engine.handle(event)
            except Temporary:
                self.queue.append(event)
                self.time += SECOND
            self.most = max(self.most, len(self.under_way()))
        assert most < 100_000, "it never ends"

    def ring(self, later: int) -> None:
        """Time passes, and what is due rings."""
        self.time += later
        due = [timer for timer in self.timers if timer.at <= self.time]
        self.timers = [timer for timer in self.timers if timer.at > self.time]
        self.queue += [timer.event for timer in due]

    def runs(self) -> dict[str, Run]:
        return {
            key.run: doc
            for key, (doc, _) in self.store.docs.items()
            if isinstance(doc, Run) and isinstance(key, RunKey)
        }

    def under_way(self) -> list[str]:
        ours = [(run, doc) for run, doc in self.runs().items() if doc.trigger.get("backfill")]
        return [run for run, doc in ours if not doc.state.ended]

    def doc(self) -> Backfill:
        found = self.store.docs[BackfillKey(self.backfill)].doc
        assert isinstance(found, Backfill)
        return found

    def by_day(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for run, doc in self.runs().items():
            found.setdefault(doc.params["date"], []).append(run)
        return found


def natural(world: World, day: str) -> StartRun:
    wanted = WantsBackfill("p", day, day)
    asked = begin(wanted, world.plan, "").doc.asked
    start = Backfills(world.store, world, world.engine.plans).partitions(world.plan, asked, "")[0].start
    assert start is not None
    return start


def _ours(world: World, day: str) -> StartRun:
    start = natural(world, day)
    return replace(start, trigger={**start.trigger, "backfill": world.backfill})


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_doubled_lost_or_reordered_each_partition_is_one_run_and_never_more_than_n(
    seed: int,
) -> None:
    world = World(seed, faults=0.1)
    world.begin(days(12, parallel=3))
    world.begin(days(12, parallel=3))
    world.pump()
    assert world.doc().ended is not None
    assert world.doc().open == {}
    assert world.doc().started == 12
    assert {day: len(runs) for day, runs in world.by_day().items()} == {
        f"2026-01-{n:02}": 1 for n in range(1, 13)
    }
    assert {doc.state for doc in world.runs().values()} == {RunState.SUCCEEDED}
    assert 1 <= world.most <= 3


@pytest.mark.parametrize("seed", range(12))
def test_a_stop_leaves_nothing_running_and_nothing_that_starts_later(seed: int) -> None:
    world = World(seed, faults=0.1)
    world.begin(days(28, parallel=4))
    world.pump(world.rng.randrange(10, 60))
    world.queue.append(StopBackfill(world.backfill, running=world.rng.random() < 0.5))
    world.pump()
    world.ring(100_000_000)
    world.pump()
    assert world.doc().ended is not None
    assert world.under_way() == []
    assert len(world.runs()) < 28
    before = world.runs().keys()
    world.queue += [LookAtBackfill(world.backfill), _ours(world, "2026-01-28")]
    world.pump()
    assert world.runs().keys() == before


def test_a_start_of_a_stopped_backfill_that_comes_late_begins_no_run() -> None:
    world = World()
    world.begin(days(3, parallel=1))
    world.pump(1)
    starts = [event for event in world.queue if isinstance(event, StartRun)]
    assert starts
    world.queue = [StopBackfill(world.backfill)]
    world.pump()
    assert world.doc().ended is None, "somebody may be in the middle of it"
    world.ring(100_000_000)
    world.pump()
    assert world.doc().ended is not None
    world.queue += starts
    world.pump()
    assert world.runs() == {}


def test_what_is_done_runs_or_was_refused_is_passed_over_and_what_failed_is_tried_again() -> None:
    world = World()
    for day in ("2026-01-01", "2026-01-02"):
        world.queue.append(natural(world, day))
    world.jobs.fails.add(natural(world, "2026-01-02").run)
    world.pump()
    world.begin(days(3))
    world.pump()
    failed = natural(world, "2026-01-02").run
    assert world.by_day()["2026-01-01"] == [natural(world, "2026-01-01").run]
    assert world.by_day()["2026-01-02"] == [failed, next_try(failed)]
    assert world.runs()[next_try(failed)].state is RunState.SUCCEEDED
    assert world.by_day()["2026-01-03"] == [natural(world, "2026-01-03").run]
    assert (world.doc().started, world.doc().failed) == (2, 0)


def test_a_run_that_fails_is_counted_and_the_others_go_on() -> None:
    world = World()
    world.jobs.fails.add(natural(world, "2026-01-02").run)
    world.begin(days(4, parallel=1))
    world.pump()
    assert (world.doc().started, world.doc().failed) == (4, 1)


def test_a_redelivered_fact_finds_the_run_that_the_backfill_has_started() -> None:
    world = World()
    world.begin(days(2))
    world.pump()
    world.queue.append(natural(world, "2026-01-01"))
    world.pump()
    assert len(world.by_day()["2026-01-01"]) == 1


def test_a_run_that_its_own_fact_starts_first_frees_the_place_it_would_have_taken() -> None:
    world = World()
    world.begin(days(3, parallel=1))
    world.pump(1)  # the first one is decided, and on its way
    assert world.runs() == {}
    ours = world.queue
    world.queue = [natural(world, "2026-01-01")]
    world.pump()
    world.queue += ours
    world.pump()
    assert world.doc().ended is not None
    assert {day: len(runs) for day, runs in world.by_day().items()} == {f"2026-01-0{n}": 1 for n in (1, 2, 3)}


def test_force_runs_everything_once_more_and_a_repeat_of_it_nothing() -> None:
    world = World()
    world.begin(days(3))
    world.pump()
    world.begin(WantsBackfill("p", "2026-01-01", "2026-01-03", force=True, key="again"))
    world.pump()
    world.queue.append(LookAtBackfill(world.backfill))
    world.begin(WantsBackfill("p", "2026-01-01", "2026-01-03", force=True, key="again"))
    world.pump()
    assert {len(runs) for runs in world.by_day().values()} == {2}


def test_the_runs_follow_the_plan_that_was_there_when_it_began() -> None:
    world = World()
    world.begin(days(5, parallel=1))
    world.pump(6)
    world.plan = None  # type: ignore[assignment] - whatever is deployed now
    world.pump()
    assert {doc.plan for doc in world.runs().values()} == {world.doc().plan}


def test_a_range_of_which_all_is_done_starts_nothing_and_ends() -> None:
    world = World(of=pipeline(step("a", outputs=(OUTPUT,))))
    for number in range(1, 29):
        world.objects[f"gs://w/2026-01-{number:02}/out"] = b"1"
    world.begin(days(28))
    world.pump()
    assert (world.doc().total, world.doc().started, world.runs()) == (28, 0, {})
    assert world.doc().ended is not None


def test_a_thousand_partitions_are_judged_in_a_handful_of_round_trips() -> None:
    world = World(of=pipeline(step("a", outputs=(OUTPUT,))))
    look = Backfills(world.store, world, world.engine.plans)
    asked = begin(WantsBackfill("p", "2023-01-01", "2025-12-31"), world.plan, "").doc.asked
    many = look.partitions(world.plan, asked, "")
    assert len(many) > 1_000
    world.objects = {f"gs://w/2024-0{month}-01/out": b"1" for month in range(1, 10)}
    calls: list[str] = []
    world.list, listed = (lambda glob, limit: calls.append(glob) or listed(glob, limit)), world.list  # type: ignore
    world.store.reads.clear()
    judged = look.judged(world.plan, many, "")
    assert [each.state for each in judged].count(State.DONE) == 9
    assert [each.state for each in judged].count(State.MISSING) == len(many) - 9
    assert len(world.store.reads) == 1
    assert calls == ["gs://w/202*/out", "gs://w/202*/out/**"]


def test_a_thousand_partitions_that_wait_are_no_documents_yet() -> None:
    world = World()
    world.begin(WantsBackfill("p", "2023-01-01", "2026-05-18", key="k", parallel=2))
    world.pump(1)
    assert world.doc().total > 1_000
    world.pump(1)
    assert len(world.store.docs) <= 2 + 2 * 2
    assert world.doc().next <= CHUNK


def test_what_can_not_be_listed_ends_the_backfill_with_its_reason() -> None:
    world = World()
    event = begin(days(2), world.plan, "")
    world.backfill = event.backfill
    many = replace(event.doc, asked=replace(event.doc.asked, first="1900-01-01"))
    world.queue.append(replace(event, doc=many))
    world.pump()
    assert "at most 20,000 partitions" in (world.doc().error or "")
    assert world.doc().ended is not None
    assert world.runs() == {}
