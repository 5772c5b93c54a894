"""The world: a clock, messages on their way, a store and a service, all run by one seed.

Every call that a process makes to the outside is a place where the world may step in: the process may crash
before or after the call, freeze in front of it, or get no answer. `Cloud` and `Laptop` say what a process is.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from random import Random
from typing import NamedTuple, TypeVar

from onward.core import matching
from onward.core.commands import Command
from onward.core.errors import Unavailable
from onward.core.events import Event
from onward.core.pipeline import SECOND
from onward.core.plan import Plan
from onward.ports import Listed, Services, Store
from onward.services.runs import SubRuns

from simulation.faults import Crash, Faults
from simulation.invariants import Watcher
from simulation.service import Job, Service
from simulation.violation import Violation

T = TypeVar("T")
START = 1_700_000_000 * SECOND


class Left(NamedTuple):
    """What a process could not carry out for now."""

    commands: Sequence[Command]


class Message(NamedTuple):
    """An event, a job's end, or work that was left, on its way."""

    at: int
    order: int
    what: Event | Job | Left
    tries: int = 0
    life: int | None = None
    """The process that it dies with."""


class World(ABC):
    """Everything outside of the engine."""

    store: Store
    show: Callable[[str], None] | None = None

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.time = START
        self.faults = Faults(self.rng)
        self.order = count()
        self.queue: list[Message] = []
        self.trace: list[str] = []
        self.counts: Counter[str] = Counter()
        self.plans: dict[str, Plan] = {}
        self.objects: dict[str, bytes] = {}
        """Onward's own, by URI."""
        self.bucket: list[Listed] = []
        """What is there, by name."""
        self.limits: dict[str, int] = {}
        """Of gates, and of the runs that may begin in an hour."""
        self.calls = 0
        self.service = Service(self)
        self.watcher = Watcher(self)

    remote_store = True
    """A commit may have been done although no answer came."""

    @abstractmethod
    def send(self, event: Event, delay: int = 0) -> None:
        """A message from outside: a trigger, a person."""

    @abstractmethod
    def ring(self, job: Job, at: int) -> None:
        """The job ends then: somebody may hear of it."""

    @abstractmethod
    def step(self) -> None:
        """Deliver what comes next."""

    @abstractmethod
    def freeze(self) -> None:
        """Time passes in front of a call."""

    @abstractmethod
    def reads_per_job(self, job: Job) -> int:
        """How often the status of a healthy job is read where nothing goes wrong."""

    @abstractmethod
    def tell(self, event: Event) -> None:
        """A service has an event delivered."""

    def services(self, store: Store) -> Services:
        """One for all kinds of jobs, and sub-runs."""
        runs = SubRuns(store, self._deployed, self.tell, lasting=self.remote_store)
        return {"pipeline": runs, **dict.fromkeys(("python", "dataproc", "cluster"), self.service)}

    def _deployed(self, pipeline: str) -> Plan:
        return next(plan for plan in self.plans.values() if plan.pipeline.name == pipeline)

    def listed(self, glob: str) -> list[Listed]:
        """The objects of the buckets that the glob matches."""
        pattern = matching.compile(glob.removeprefix("gs://"))
        return [each for each in self.bucket if pattern.match(each.uri.removeprefix("gs://")) is not None]

    def limit(self, gate: str) -> int | None:
        """The size of a gate, as deployed."""
        return self.limits.get(gate)

    def close(self) -> None:  # noqa: B027 - most have nothing to leave behind
        """The story is told."""

    # What the engine sees -------------------------------------------------

    def now(self) -> int:
        """The virtual time."""
        return self.time

    def token(self) -> str:
        """One that nobody else has."""
        return f"token{next(self.order)}"

    def read(self, do: Callable[[], T]) -> T:
        """A call that only reads the state."""
        return self.call(do)

    def call(self, do: Callable[[], T], *, lost_answers: bool = True) -> T:
        """A call to the outside: the world may step in before it and after it."""
        rng, faults = self.rng, self.faults
        self._may_crash()
        if rng.random() < faults.freeze:
            self.freeze()
        if rng.random() < faults.trouble / 2:
            raise Unavailable("no answer, nothing done")
        result = do()
        if lost_answers and rng.random() < faults.trouble / 2:
            raise Unavailable("no answer, but done")
        self._may_crash()
        return result

    def _may_crash(self) -> None:
        self.calls += 1
        if self.calls == self.faults.crash_at or self.rng.random() < self.faults.crash:
            raise Crash

    def keep(self, name: str, body: bytes) -> str:
        """Store an object of Onward's own."""
        uri = f"gs://state/{name}"
        self.objects[uri] = body
        return uri

    # What happens ---------------------------------------------------------

    def push(self, at: int, what: Event | Job | Left, tries: int = 0, life: int | None = None) -> None:
        """Put it on its way."""
        heapq.heappush(self.queue, Message(at, next(self.order), what, tries, life))

    def play(self, until: int) -> None:
        """Go on until then."""
        for _ in range(400_000):
            if not self.queue or self.queue[0].at > until:
                break
            self.step()
        else:
            raise Violation("the world never comes to rest")
        self.time = max(self.time, until)

    def note(self, line: str) -> None:
        """A line of the trace."""
        line = f"{(self.time - START) / SECOND:.1f} {line}"
        self.trace.append(line)
        if self.show is not None:
            self.show(line)
