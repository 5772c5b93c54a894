"""The laptop: one process, alone with its store. Its inbox and timers die with it; supervised jobs do not.

Half of the jobs are processes of their own, whose end rings a bell with the runtime that watches them. The
others are calls in warm workers: they die with the runtime, and tell their result themselves.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from onward.core.commands import SetTimer
from onward.core.errors import Temporary
from onward.core.events import Bell, Event, JobState, Submitted, Verdict
from onward.core.pipeline import HOUR, SECOND
from onward.engine import Engine
from onward.recovery import expired, unfinished
from onward.stores.sqlite import SqliteStore

from simulation.doors import Announcer, Objects, StoreDoor
from simulation.faults import Crash
from simulation.service import Job
from simulation.world import Left, Message, T, World

GROUP = 256


class Laptop(World):
    """The embedded runtime, killed now and then."""

    store: SqliteStore
    remote_store = False
    downtimes: tuple[int, ...] = (SECOND, SECOND, 60 * SECOND, 3 * HOUR)
    """How long it takes until somebody starts it again."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._folder = tempfile.TemporaryDirectory()
        self.life = 0
        self.timers: set[str] = set()
        self._open()
        self.engine = self._process()

    def close(self) -> None:
        """Leave no file behind."""
        self.store.close()
        self._folder.cleanup()

    def _open(self) -> None:
        self.store = SqliteStore(Path(self._folder.name) / "state.db")
        # The world's crashes are not the disk's: what is committed stays, without waiting for it.
        self.store.connection.execute("PRAGMA synchronous = OFF")

    def _process(self) -> Engine:
        store = StoreDoor(self)
        engine = Engine(
            store,
            self.services(store),
            self,
            self,
            Objects(self),
            self,
            self.token,
            alone=True,
        )
        engine.announcer = Announcer(self)
        engine.limit = self.limit
        return engine

    # Messages -------------------------------------------------------------

    def send(self, event: Event, delay: int = 0) -> None:
        """A file, a person: asked again until it is dealt with."""
        self.push(self.time + delay, event)

    def tell(self, event: Event) -> None:
        """In its own queue."""
        self.push(self.time, event, life=self.life)

    def ring(self, job: Job, at: int) -> None:
        """The process that started the job, or read its status, hears of its end."""
        if job.watched_by == self.life:
            return
        job.watched_by = self.life
        if job.is_call or self.rng.random() >= self.faults.lost_bell:
            self.push(at, job, life=self.life)

    def set(self, timers: Sequence[SetTimer]) -> None:
        """See `ports.Timers`."""
        for timer in timers:
            if timer.name not in self.timers:
                self.timers.add(timer.name)
                self.push(max(timer.at, self.time), timer.event, life=self.life)

    def publish(self, events: Sequence[Event]) -> None:
        """See `ports.Bus`."""
        raise AssertionError(f"a process that is alone decides all itself: {events}")

    def read(self, do: Callable[[], T]) -> T:
        """The state is in the process: to die before or after a read is the same as at the next call."""
        return do()

    # Turns ----------------------------------------------------------------

    def step(self) -> None:
        """One turn: what waits together is decided together."""
        self.time = max(self.time, self.queue[0].at)
        if self.rng.random() < 0.5:
            self.time += self.rng.randint(0, 2 * SECOND)
        group = []
        while self.queue and self.queue[0].at <= self.time and len(group) < GROUP:
            message = heapq.heappop(self.queue)
            heard = self._heard(message)
            if heard is not None:
                group.append(message._replace(what=heard))
        for message in group:
            self.note(str(message.what))
        if not group:
            return
        try:
            self._turn(group)
        except Crash:
            self.restart([message for message in group if message.life is None])
        except Temporary as error:
            # Nothing was committed, and nothing else is tried meanwhile.
            self.note(f"  again: {error}")
            self.counts["redeliveries"] += len(group)
            self.time += self.rng.randint(1, 30) * SECOND
            for message in group:
                heapq.heappush(self.queue, message)

    def _heard(self, message: Message) -> Event | Left | None:
        job = message.what
        if message.life not in (None, self.life):
            return None
        if not isinstance(job, Job):
            return job
        if job.told or job.state(self.time) is JobState.RUNNING:
            return None
        job.told = True
        request = job.request
        if not job.is_call:
            return Bell(request.run, request.node, request.attempt)
        self.service.jobs.pop(request.name, None)
        said = job.status(self.time)
        return Verdict(
            request.run, request.node, request.attempt, said.state, said.job, said.output, error=said.error
        )

    def _turn(self, group: list[Message]) -> None:
        events = [message.what for message in group if not isinstance(message.what, Left | Job)]
        self.counts["events"] += len(events)
        turns = [self.engine.turn(events)] if events else []
        turns += [
            self.engine.carry_out(message.what.commands)
            for message in group
            if isinstance(message.what, Left)
        ]
        for reports, why, left in turns:
            for report in reports:
                wait = self.rng.choice((0, 0, 5_000, SECOND)) if isinstance(report, Submitted) else 0
                self.push(self.time + wait, report, life=self.life)
            if left:
                self.note(f"  left: {why}")
                self.push(self.time + self.rng.randint(1, 30) * SECOND, Left(left), life=self.life)

    # Lives ----------------------------------------------------------------

    def restart(self, outside: Sequence[Message] = ()) -> None:
        """kill -9, and a new process after a while. Those outside ask again what was not dealt with."""
        starting = True
        for message in outside:
            self.push(self.time, message.what)
        while starting:
            self.note("  crash")
            self.counts["crashes"] += 1
            self.life += 1
            self.timers = set()
            self.service.end_calls()
            self.time += self.rng.choice(self.downtimes)
            self.store.close()
            self._open()
            self.engine = self._process()
            try:
                for event in [*unfinished(self.engine.store), *expired(self.engine.store, self.time)]:
                    self.push(self.time, event, life=self.life)
                starting = False
            except (Crash, Temporary):
                pass

    def reads_per_job(self, job: Job) -> int:
        """A call brings its own result."""
        return 0 if job.is_call else 1

    def freeze(self) -> None:
        """The lid is closed."""
        self.counts["freezes"] += 1
        self.time += self.rng.choice((0, 1, 20, 70, 600)) * SECOND
