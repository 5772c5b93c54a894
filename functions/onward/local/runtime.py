"""The embedded runtime: the engine, alone with its store, fed by files, processes, timers and people.

bucket folders ─▶ watcher ─▶ ledger, matching ─┐
people, HTTP ─▶ start_run, cancel, retry ──────┼─▶ event loop ─▶ engine ─▶ store
supervised jobs, python workers, timers ───────┘                   └─▶ services
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from onward.core.backfilling import begin
from onward.core.commands import TellOfSet
from onward.core.errors import NotFound
from onward.core.events import Bell, CancelRun, Event, RunEnded, SetPaused, StartRun, StopBackfill
from onward.core.facts import ByHand, Message, WantsBackfill
from onward.core.matching import ObjectArrival
from onward.core.pipeline import Pipeline, topics, watched
from onward.core.sets import spoken
from onward.core.starting import Fact, Refused, another_try, by_hand, spelled, starts
from onward.core.state import BackfillKey, Key, NodeKey, Run, RunKey
from onward.engine import Engine
from onward.filling import Filling
from onward.local.announcements import AnnouncementFile
from onward.local.buckets import Buckets
from onward.local.clock import LoopTimers, SystemClock
from onward.local.commands import Commands
from onward.local.deployed import Deployed
from onward.local.folder import StateFolder
from onward.local.jobs.processes import kill_marked
from onward.local.ledger import Ledger
from onward.local.loop import EventLoop
from onward.local.objects import LocalObjects
from onward.local.pool.pool import MARK, Pool
from onward.local.schedules import Schedules
from onward.local.services import NothingToDo, ProcessService, PythonService
from onward.local.watcher import Arrival, Watcher
from onward.ports import Clock, JobRef, Service, Status, Write
from onward.recovery import expired, unfinished
from onward.services.runs import SubRuns
from onward.stores.sqlite import SqliteStore
from onward.views import Views


class Runtime:
    """One per state folder. Raises `StateInUse` when another runtime holds it."""

    def __init__(
        self,
        workflows: Path,
        state: Path,
        loop: asyncio.AbstractEventLoop,
        say: Callable[[str], None],
        clock: Clock | None = None,
    ) -> None:
        self.folder = StateFolder(state)
        self.folder.acquire()
        # What calls had started when an earlier runtime was killed would run beside their repeats.
        kill_marked(MARK, str(self.folder.files))
        self._loop = loop
        self._say = say
        self.buckets = Buckets(self.folder.buckets)
        self.store = SqliteStore(self.folder.database)
        clock = self._clock = clock or SystemClock()
        objects = LocalObjects(self.folder.objects, self.buckets)
        self._timers = LoopTimers(loop, clock, lambda event: self._events.post([event]))
        self._services = self._make_services()
        boot, turns = secrets.token_hex(8), count()
        self.engine = Engine(
            self.store,
            self._services,
            self._timers,
            _NoBus(),
            objects,
            clock,
            lambda: f"{boot}-{next(turns)}",
            alone=True,
        )
        self.announcements = AnnouncementFile(self.folder.announcements)
        self.engine.announcer = self.announcements
        self.engine.on_crowded = self._tell_crowded
        self.engine.on_set = self._tell_of_set
        self.engine.follow = self._follow
        self.engine.followed = lambda pipeline: pipeline in self._deployed.followed
        self._events = EventLoop(self.engine, loop, say)
        self._deployed = Deployed(workflows.absolute(), self.folder.files, self.engine.plans, say)
        self.engine.limit = self._deployed.limit
        self.views = Views(self.store, objects)
        self.filling = Filling(self.store, objects)
        self._ledger = Ledger(self.store.connection)
        self._schedules = Schedules(loop, clock, self.store, self._current, self._take)
        self._watcher: Watcher | None = None
        self._told: list[Callable[[frozenset[str]], None]] = []
        self._events.after_turn += [self._python.flush, self._ledger.save]
        self.store.on_commit = self._committed

    def _make_services(self) -> dict[str, Service]:
        commands = Commands(self.buckets, self.folder.objects)
        processes = ProcessService(self.folder.jobs, commands, self._files, self._rung, self._loop)
        python = PythonService(
            lambda told: Pool(self._loop, told),
            commands,
            self._files,
            self.folder.logs,
            self._returned,
        )
        self._python = python
        self._to_close = (processes, python)
        runs = SubRuns(
            self.store,
            lambda name: self._deployed.plan(name),  # noqa: PLW0108 - built after the services
            lambda event: self._events.post([event]),
            lasting=False,
        )
        nothing = NothingToDo()
        return {
            "dataflow": processes,
            "dataproc": processes,
            "workflow": processes,
            "python": python,
            "pipeline": runs,
            "cluster": nothing,
            "drain": nothing,
        }

    def start(self, *, watch: bool) -> None:
        """Bring open runs back into motion; `watch`: take what arrives in the buckets, or has arrived."""
        self._deployed.refresh()
        self._events.post(unfinished(self.store))
        self._events.post(expired(self.store, self._clock.now()))
        if watch:
            self._ledger.forget_missing(lambda bucket, name: self.buckets.exists(f"gs://{bucket}/{name}"))
            self._watcher = Watcher(
                self._loop,
                self.buckets,
                watched(self._deployed.pipelines.values()),
                self._ledger.known,
                self._arrived,
                on_touched=self._touched,
                on_problem=self._say,
            )
            self._watcher.start()
            self._schedules.start()

    async def close(self) -> None:
        """Stop. Jobs go on under their supervisors, and the state stays as it is."""
        self._schedules.stop()
        if self._watcher is not None:
            self._watcher.stop()
        self._events.close()
        self._timers.close()
        for service in self._to_close:
            service.close()
        self.store.close()
        self.folder.release()

    # What people ask for

    async def start_run(
        self, pipeline: str, params: Mapping[str, Any], key: str, *, force: bool = False
    ) -> str:
        """Start a run by hand. Returns its id once it is committed; the same key is the same run."""
        self._deployed.refresh()
        start = by_hand(ByHand(pipeline, dict(params), key, force), self._deployed)
        await self._done(start)
        return start.run

    async def deliver(self, message: Message) -> list[str]:
        """Take a message of a pipeline's topic. Returns the runs that it started, once they are committed."""
        self._deployed.refresh()
        events = self._starts(message)
        await asyncio.gather(*map(self._done, events))
        return [event.run for event in events if isinstance(event, StartRun)]

    def topics(self) -> set[str]:
        """Those that pipelines listen to."""
        return topics(self._current())

    def _current(self) -> Collection[Pipeline]:
        """The pipelines as they are now."""
        self._deployed.refresh()
        return self._deployed.pipelines.values()

    async def cancel(self, run: str) -> None:
        """Cancel a run. Returns once that is committed; the run ends when its jobs have."""
        self._run(run)
        await self._done(CancelRun(run))

    async def set_paused(self, pipeline: str, *, paused: bool) -> None:
        """Have the pipeline's next runs wait, or go on. Returns once that is committed."""
        self._deployed.refresh()
        self._deployed.plan(pipeline)
        await self._done(SetPaused(pipeline, paused, self._clock.now()))

    async def retry(self, run: str, *, newest_plan: bool = False) -> str:
        """Start the next try of a run that has ended, and take over what succeeded. Returns its id."""
        run = self.views.newest_try(run)
        doc = self._run(run)
        if newest_plan:
            self._deployed.refresh()
        start = another_try(run, doc, self._deployed.plan(doc.pipeline) if newest_plan else None)
        await self._done(start)
        return start.run

    async def begin_backfill(self, wanted: WantsBackfill) -> str:
        """Begin a backfill. Returns its id once it is committed; the same key is the same one."""
        self._deployed.refresh()
        event = begin(wanted, self._deployed.plan(wanted.pipeline), "")
        await self._done(event)
        return event.backfill

    async def stop_backfill(self, backfill: str, *, running: bool) -> None:
        """Start no more of a backfill. Returns once that is committed."""
        self.views.backfill(backfill)
        await self._done(StopBackfill(backfill, running))

    async def ended(self, run: str) -> None:
        """Returns when the run has ended."""
        changed = asyncio.Event()
        unsubscribe = self.subscribe(lambda runs: changed.set() if run in runs else None)
        try:
            while not self._run(run).state.ended:
                await changed.wait()
                changed.clear()
        finally:
            unsubscribe()

    def subscribe(self, told: Callable[[frozenset[str]], None]) -> Callable[[], None]:
        """Be told which runs and backfills each commit changed. Returns what ends that."""
        self._told.append(told)
        return lambda: self._told.remove(told)

    def _run(self, run: str) -> Run:
        found = self.store.read([RunKey(run)]).get(RunKey(run))
        if found is None or not isinstance(found.doc, Run):
            raise NotFound(f"there is no run {run}; `onward runs` lists them")
        return found.doc

    async def _done(self, event: Event) -> None:
        committed = asyncio.Event()
        self._events.post([event], committed.set)
        await committed.wait()

    def _committed(self, writes: Sequence[Write]) -> None:
        if self._told:
            changed = frozenset(_subject(write.change.key) for write in writes) - {""}
            for told in list(self._told):
                told(changed)

    # What arrives in the buckets

    def _arrived(self, arrivals: list[Arrival]) -> None:
        self._deployed.refresh()
        for arrival in arrivals:
            bucket, name, generation = arrival.bucket, arrival.name, arrival.generation
            self._ledger.took(bucket, name, generation)
            settle = partial(self._ledger.settle, bucket, name, generation)
            metadata = self.buckets.metadata(bucket, name)
            self._take(ObjectArrival(bucket, name, generation, arrival.size, metadata), settle)
        self._events.wake()

    def _take(self, fact: Fact, settle: Callable[[], None]) -> None:
        """`settle` is called once all that the fact starts is committed."""
        events = self._starts(fact)
        if events:
            # The last one's commit covers the others: they are decided in order.
            self._events.post(events[:-1])
            self._events.post(events[-1:], settle)
        else:
            settle()

    def _starts(self, fact: Fact) -> list[Event]:
        """What this fact starts; what can't start is reported and kept as a dead letter."""
        outcomes = list(starts(fact, self._deployed))
        if not outcomes and not isinstance(fact, RunEnded):
            self._say(f"{spelled(fact)} matches no pipeline; ignored")
        for refused in (each for each in outcomes if isinstance(each, Refused)):
            self._say(refused.reason)
            self.folder.bury(
                refused.reason, {"pipeline": refused.pipeline, "fact": msgspec.to_builtins(fact)}
            )
        return [each for each in outcomes if not isinstance(each, Refused)]

    def _follow(self, ended: RunEnded) -> list[Event]:
        self._deployed.refresh()
        return self._starts(ended)

    def _touched(self, arrival: Arrival) -> None:
        self._ledger.touched(arrival.bucket, arrival.name, arrival.generation)
        self._events.wake()

    def _tell_crowded(self, pipeline: str) -> None:
        self._say(f"runs of {pipeline} wait: `max_runs_per_hour` of them have started in the last hour")

    def _tell_of_set(self, told: TellOfSet) -> None:
        self._say(f"set {spoken(told.set, told.key)} of {told.pipeline} is {told.what}: {told.why}")

    # What the services report

    def _files(self, plan: str) -> Path:
        found = self.engine.plans.get(plan)
        assert found is not None, "a job is only ever submitted for a stored plan"
        return self._deployed.folder(found)

    def _rung(self, ref: JobRef) -> None:
        self._events.post([Bell(ref.run, ref.node, ref.attempt)])

    def _returned(self, results: list[tuple[JobRef, Status]]) -> None:
        self._events.post_now([self.engine.verdict(ref, status, read=False) for ref, status in results])


def _subject(key: Key) -> str:
    """The run or the backfill that a document is about; none for any other."""
    match key:
        case RunKey(run=name) | NodeKey(run=name) | BackfillKey(backfill=name):
            return name
        case _:
            return ""


class _NoBus:
    """A process that is alone with its store publishes nothing."""

    def publish(self, events: Sequence[Event]) -> None:
        """See `ports.Bus`."""
        assert not events
