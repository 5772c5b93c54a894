"""The cloud: each event has a process of its own, many at a time, and is delivered until acknowledged."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from onward.core.commands import SetTimer
from onward.core.errors import Temporary
from onward.core.events import Bell, Event
from onward.core.pipeline import DAY, MINUTE, SECOND
from onward.engine import Engine
from onward.stores.memory import MemoryStore

from simulation.doors import Announcer, Objects, StoreDoor
from simulation.faults import Crash
from simulation.service import Job
from simulation.world import Left, World

MOST_AT_ONCE = 4


class Cloud(World):
    """Pub/Sub, a task queue, and functions."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.store = MemoryStore()
        self.timers: set[str] = set()
        self.depth = 0

    def send(self, event: Event, delay: int = 0) -> None:
        """On its way late, twice, out of order."""
        rng, faults = self.rng, self.faults
        copies = 2 if rng.random() < faults.double else 1
        for _ in range(copies):
            extra = rng.randint(0, 20 * MINUTE) if rng.random() < faults.late else rng.randint(0, 2 * SECOND)
            self.push(self.time + delay + extra, event)

    def ring(self, job: Job, at: int) -> None:
        """A bell perhaps comes, and perhaps does not."""
        if job.watched_by is None:
            job.watched_by = 0
            if self.rng.random() >= self.faults.lost_bell:
                request = job.request
                self.send(Bell(request.run, request.node, request.attempt), at - self.time)

    def step(self) -> None:
        """Deliver the next message; not acknowledged unless its handler comes to its end."""
        message = heapq.heappop(self.queue)
        event, tries = message.what, message.tries
        assert not isinstance(event, Job | Left)
        self.time = max(self.time, message.at)
        self.note(str(event))
        self.counts["events"] += 1
        self.depth += 1
        try:
            self._process().handle(event)
        except Crash:
            self.note("  crash")
            self.counts["crashes"] += 1
            self.push(self.time + self.rng.randint(1, 90) * SECOND, event, tries + 1)
        except Temporary as error:
            self.note(f"  again: {error}")
            self.counts["redeliveries"] += 1
            self.push(self.time + min(10 * SECOND << min(tries, 6), 600 * SECOND), event, tries + 1)
        finally:
            self.depth -= 1

    def _process(self) -> Engine:
        """As if started for this event."""
        store = StoreDoor(self)
        engine = Engine(
            store,
            self.services(store),
            self,
            self,
            Objects(self),
            self,
            self.token,
            alone=False,
        )
        engine.announcer = Announcer(self)
        engine.limit = self.limit
        return engine

    def reads_per_job(self, job: Job) -> int:  # noqa: ARG002 - each job is alike here
        """Its bell is never believed."""
        return 1

    def freeze(self) -> None:
        """Others go on meanwhile."""
        if self.depth >= MOST_AT_ONCE:
            return
        self.counts["freezes"] += 1
        until = self.time + self.rng.choice((0, 1, 20, 70, 600)) * SECOND
        for _ in range(self.rng.choice((1, 3, 30))):
            if not self.queue or self.queue[0].at > until:
                break
            self.step()
        self.time = max(self.time, until)

    def tell(self, event: Event) -> None:
        """By message."""
        self.publish([event])

    def publish(self, events: Sequence[Event]) -> None:
        """See `ports.Bus`."""
        self.call(lambda: [self.send(event) for event in events])

    def set(self, timers: Sequence[SetTimer]) -> None:
        """See `ports.Timers`. A name is taken once, and an accepted timer rings."""
        for timer in timers:
            self.call(lambda timer=timer: self._set(timer))  # type: ignore[misc]

    def _set(self, timer: SetTimer) -> None:
        assert timer.at <= self.time + 30 * DAY, "a task queue takes a timer at most 30 days ahead"
        if timer.name not in self.timers:
            self.timers.add(timer.name)
            self.send(timer.event, max(0, timer.at - self.time))
