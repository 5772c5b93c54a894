"""The world: a clock, a bus, timers, a store and a service, all run by one seed.

A handler runs at once when its event is delivered, but every call it makes to the store, the service, the bus
or the timers is a place where the world may step in: the process may crash before or after the call, or
freeze, in which case other events are handled (and time passes) before the call is made.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from random import Random
from typing import Any, Literal, TypeVar

from onward.core.commands import SetTimer
from onward.core.errors import Temporary, Unavailable
from onward.core.events import Bell, Event, JobState
from onward.core.pipeline import DAY, HOUR, MINUTE, SECOND
from onward.core.plan import Plan
from onward.core.state import Key, Node, Run
from onward.engine import Engine
from onward.ports import Accepted, Busy, Declined, JobRef, JobRequest, Status, Submission, Versioned, Write
from onward.stores.memory import MemoryStore

from simulation.invariants import Watcher

T = TypeVar("T")
START = 1_700_000_000 * SECOND


class Crash(BaseException):
    """The process is gone; what it had not done, it never will."""


class Faults:
    """How often things go wrong. All of it stops when `off` is called."""

    def __init__(self, rng: Random) -> None:
        calm = rng.random() < 0.1
        self.crash = 0.0 if calm else rng.choice((0.0, 0.005, 0.03))
        self.freeze = 0.0 if calm else rng.choice((0.0, 0.01, 0.05))
        self.double = 0.0 if calm else rng.choice((0.0, 0.1, 0.3))
        self.late = 0.0 if calm else rng.choice((0.0, 0.1, 0.3))
        self.lost_bell = 0.0 if calm else rng.choice((0.0, 0.1, 0.5, 1.0))
        self.false_bell = 0.0 if calm else rng.choice((0.0, 0.1))
        self.trouble = 0.0 if calm else rng.choice((0.0, 0.02, 0.1))
        self.job_failure = rng.choice((0.0, 0.1, 0.3))
        self.job_loss = rng.choice((0.0, 0.0, 0.1))

    def off(self) -> None:
        """From now on everything works and every message arrives (lost ones stay lost)."""
        self.__dict__.update({name: 0.0 for name in self.__dict__})


class World:
    """Everything outside of the engine."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.time = START
        self.faults = Faults(self.rng)
        self.watcher = Watcher(self)
        self.store = MemoryStore()
        self.service = Service(self)
        self.queue: list[tuple[int, int, int, Event]] = []
        self.timers: set[str] = set()
        self.order = count()
        self.depth = 0
        self.trace: list[str] = []
        self.counts: Counter[str] = Counter()
        self.plans: dict[str, Plan] = {}
        self.plain_process = self.rng.random() < 0.5

    # What the engine sees -------------------------------------------------

    def engine(self) -> Engine:
        """A fresh process, as if started for this event."""
        return Engine(
            StoreDoor(self),
            {"python": self.service},
            TimersDoor(self),
            BusDoor(self),
            Objects(self),
            self,
            lambda: f"token{next(self.order)}",
            alone=False,
        )

    def now(self) -> int:
        """The virtual time."""
        return self.time

    # What happens ---------------------------------------------------------

    show: Callable[[str], None] | None = None

    def note(self, line: str) -> None:
        """A line of the trace."""
        self.trace.append(line)
        if self.show is not None:
            self.show(line)

    def send(self, event: Event, delay: int = 0, *, bell: bool = False) -> None:
        """Put a message on the way: late, twice, out of order, and a bell perhaps not at all."""
        rng, faults = self.rng, self.faults
        if bell and rng.random() < faults.lost_bell:
            return
        copies = 2 if rng.random() < faults.double else 1
        for _ in range(copies):
            extra = rng.randint(0, 20 * MINUTE) if rng.random() < faults.late else rng.randint(0, 2 * SECOND)
            self._push(self.time + delay + extra, event)

    def _push(self, at: int, event: Event, tries: int = 0) -> None:
        heapq.heappush(self.queue, (at, next(self.order), tries, event))

    def step(self) -> None:
        """Deliver the next message."""
        at, _, tries, event = heapq.heappop(self.queue)
        self.time = max(self.time, at)
        self.deliver(event, tries)

    def deliver(self, event: Event, tries: int = 0) -> None:
        """One invocation, in a process of its own; not acknowledged unless it comes to its end."""
        self.note(f"{(self.time - START) / SECOND:.1f} {event}")
        self.counts["events"] += 1
        self.depth += 1
        try:
            if isinstance(event, Group):
                turn = self.engine().turn(event.events)
                for report in turn.reports:
                    self._push(self.time, report)
                if turn.unfinished is not None:
                    raise turn.unfinished
            else:
                self.engine().handle(event)
        except Crash:
            self.note("  crash")
            self.counts["crashes"] += 1
            self._push(self.time + self.rng.randint(1, 90) * SECOND, event, tries + 1)
        except Temporary as error:
            self.note(f"  again: {error}")
            self.counts["redeliveries"] += 1
            wait = min(10 * SECOND << min(tries, 6), 600 * SECOND)
            self._push(self.time + wait, event, tries + 1)
        finally:
            self.depth -= 1

    def call(self, do: Callable[[], T]) -> T:
        """A call to the outside: the world may step in before it and after it."""
        rng, faults = self.rng, self.faults
        if rng.random() < faults.crash:
            raise Crash
        if self.depth < 4 and rng.random() < faults.freeze:
            self._freeze()
        if rng.random() < faults.trouble / 2:
            raise Unavailable("no answer, nothing done")
        result = do()
        if rng.random() < faults.trouble / 2:
            raise Unavailable("no answer, but done")
        if rng.random() < faults.crash:
            raise Crash
        return result

    def _freeze(self) -> None:
        self.counts["freezes"] += 1
        until = self.time + self.rng.choice((0, 1, 20, 70, 600)) * SECOND
        for _ in range(self.rng.randint(1, 6)):
            if not self.queue or self.queue[0][0] > until:
                break
            self.step()
        self.time = max(self.time, until)


class Group(tuple[Event, ...]):
    """Events that waited together."""

    @property
    def events(self) -> tuple[Event, ...]:
        """As a plain tuple."""
        return tuple(self)


class StoreDoor:
    """The store behind a network."""

    def __init__(self, world: World) -> None:
        self.world = world

    def read(self, keys: Iterable[Key]) -> dict[Key, Versioned]:
        """See `ports.Store`."""
        wanted = list(keys)
        return self.world.call(lambda: self.world.store.read(wanted))

    def commit(self, writes: Sequence[Write]) -> None:
        """See `ports.Store`."""

        def do() -> None:
            before = dict(self.world.store.docs)
            self.world.store.commit(writes)
            self.world.watcher.committed(before, self.world.store.docs)

        self.world.call(do)

    def first(self, run: str, where: Literal["due", "active", "any"], limit: int) -> list[tuple[str, Node]]:
        """See `ports.Store`."""
        return self.world.call(lambda: self.world.store.first(run, where, limit))

    def runs(self, **which: Any) -> list[tuple[str, Run]]:
        """See `ports.Store`."""
        return self.world.call(lambda: self.world.store.runs(**which))


class TimersDoor:
    """A task queue: a name is taken once, and an accepted timer rings."""

    def __init__(self, world: World) -> None:
        self.world = world

    def set(self, timers: Sequence[SetTimer]) -> None:
        """See `ports.Timers`."""
        for timer in timers:
            self.world.call(lambda timer=timer: self._set(timer))  # type: ignore[misc]

    def _set(self, timer: SetTimer) -> None:
        world = self.world
        assert timer.at <= world.time + 30 * DAY, "a task queue takes a timer at most 30 days ahead"
        if timer.name not in world.timers:
            world.timers.add(timer.name)
            world.send(timer.event, max(0, timer.at - world.time))


class BusDoor:
    """Pub/Sub: at least once, in any order."""

    def __init__(self, world: World) -> None:
        self.world = world

    def publish(self, events: Sequence[Event]) -> None:
        """See `ports.Bus`."""
        self.world.call(lambda: [self.world.send(event) for event in events])


class Objects:
    """Outputs are there until the world takes some away."""

    def __init__(self, world: World) -> None:
        self.world = world

    def put(self, name: str, body: bytes) -> str:
        """See `ports.Objects`."""
        return f"gs://state/{name}"

    def get(self, uri: str) -> bytes:
        """See `ports.Objects`."""
        return b"null"

    def exists(self, uri: str) -> bool:
        """See `ports.Objects`."""
        return self.world.rng.random() < 0.95 or not self.world.faults.job_failure


class Job:
    """A job as the service knows it."""

    def __init__(self, request: JobRequest, ends: int, state: JobState) -> None:
        self.request = request
        self.ends = ends
        self.final = state
        self.cancelled_at: int | None = None

    def state(self, now: int) -> JobState:
        """Running until it ends or its cancel took hold."""
        if self.cancelled_at is not None and self.cancelled_at <= min(now, self.ends - 1):
            return JobState.CANCELLED
        return self.final if now >= self.ends else JobState.RUNNING


class Service:
    """Refuses a second job of one name; a submit may come through late, or be known to nobody."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.jobs: dict[str, Job] = {}

    def submit(self, request: JobRequest) -> Submission:
        """See `ports.Service`."""
        return self.world.call(lambda: self._submit(request))

    def _submit(self, request: JobRequest) -> Submission:
        world = self.world
        rng = world.rng
        if world.time > request.until:
            raise Unavailable("the call's deadline has passed")
        if rng.random() < world.faults.trouble:
            if rng.random() < 0.3:
                return Declined("no such machine type")
            if rng.random() < 0.5:
                return Busy("quota", rng.randint(1, 300) * SECOND)
            self.create(request, late=True)
            raise Unavailable("deadline exceeded, but it came through")
        self.create(request)
        return Accepted(request.name)

    def create(self, request: JobRequest, *, late: bool = False) -> None:
        """Make the job, unless there is one of this name that is not lost."""
        world, rng = self.world, self.world.rng
        known = self.jobs.get(request.name)
        if known is not None and known.state(world.time) is not JobState.LOST:
            return
        roll = rng.random()
        final = JobState.SUCCEEDED
        if roll < world.faults.job_failure:
            final = JobState.FAILED
        elif roll < world.faults.job_failure + world.faults.job_loss:
            final = JobState.LOST
        begins = world.time + (rng.randint(0, 25) * SECOND if late else 0)
        length = rng.choice((SECOND, 10 * SECOND, 10 * MINUTE, 45 * MINUTE, 3 * HOUR))
        world.counts["jobs"] += 1
        self.jobs[request.name] = Job(request, begins + length, final)
        world.watcher.submitted(request)
        bell = Bell(request.run, request.node, request.attempt)
        world.send(bell, begins + length - world.time, bell=True)
        if rng.random() < world.faults.false_bell:
            world.send(Bell(request.run, request.node, rng.randint(1, 3)), rng.randint(0, length), bell=True)

    def status(self, ref: JobRef) -> Status:
        """See `ports.Service`."""
        return self.world.call(lambda: self._status(ref))

    def _status(self, ref: JobRef) -> Status:
        self.world.counts["status reads"] += 1
        job = self.jobs.get(ref.name)
        if job is None:
            return Status(JobState.NOT_FOUND)
        state = job.state(self.world.time)
        error = "it said no" if state is JobState.FAILED else ""
        return Status(state, ref.name, {"ok": ref.node} if state is JobState.SUCCEEDED else None, error)

    def cancel(self, ref: JobRef) -> None:
        """See `ports.Service`."""
        self.world.call(lambda: self._cancel(ref))

    def _cancel(self, ref: JobRef) -> None:
        world = self.world
        job = self.jobs.get(ref.name)
        if job is not None and job.state(world.time) is JobState.RUNNING and job.cancelled_at is None:
            job.cancelled_at = world.time + world.rng.randint(0, 20) * SECOND
            bell = Bell(ref.run, ref.node, ref.attempt)
            world.send(bell, job.cancelled_at - world.time, bell=True)

    def alive(self) -> list[Job]:
        """Jobs that are running now."""
        return [job for job in self.jobs.values() if job.state(self.world.time) is JobState.RUNNING]
