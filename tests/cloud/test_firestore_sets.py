"""Sets on the real emulator: thirty arrivals at once, each told twice, and each is in exactly one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Lock

import pytest
from onward.core import manifests
from onward.core.commands import SetTimer
from onward.core.errors import NotFound, Temporary
from onward.core.events import Event, SetRang
from onward.core.horizon import HORIZON
from onward.core.matching import ObjectArrival
from onward.core.pipeline import (
    MINUTE,
    SECOND,
    BatchTrigger,
    ObjectsTrigger,
    Param,
    Part,
    Pipeline,
    Python,
    Step,
)
from onward.core.plan import Plan, compile_plan
from onward.core.starting import Refused, starts
from onward.engine import Engine
from onward.ports import Accepted, JobRef, JobRequest, Listed, Status, Submission
from onward.stores.firestore import FirestoreStore
from onward.stores.firestore_wire import connect

ARRIVALS = 30
STEPS = (Step("a", Python("steps.py", "a")),)
BATCH = BatchTrigger("landing", ("*.csv",), 10, MINUTE)
QUIET = ObjectsTrigger("landing", (Part("0", "{day}/*.csv"),), ("day",), quiet=MINUTE)
COUNT = ObjectsTrigger("landing", (Part("0", "{day}/*.csv"),), ("day",), count=ARRIVALS)


class Outside:
    """All but the store, shared by many threads: what is published waits in `queue`; jobs go on for ever."""

    def __init__(self, store: FirestoreStore, trigger: BatchTrigger | ObjectsTrigger) -> None:
        params = () if isinstance(trigger, BatchTrigger) else (Param("day", "string"),)
        self.compiled = compile_plan(Pipeline("p", STEPS, triggers=(trigger,), params=params))
        self.pipelines = {"p": self.compiled.pipeline}
        self.store = store
        self.queue: list[Event] = []
        self.timers: list[SetTimer] = []
        self.objects: dict[str, bytes] = {}
        self.time = 1_700_000_000 * SECOND
        self.tokens = count()
        self.lock = Lock()
        self.engine().plans.add(self.compiled)

    def plan(self, _: str) -> Plan:
        return self.compiled

    def engine(self) -> Engine:
        """A process of its own, with nothing cached."""
        return Engine(
            self.store,
            {"python": self},
            self,
            self,
            self,
            self,
            lambda: f"token{next(self.tokens)}",
            alone=False,
        )

    def deliver(self, event: Event) -> None:
        """Until it is dealt with, as a subscription does."""
        for _ in range(100):
            try:
                self.engine().handle(event)
            except Temporary:
                continue
            return
        raise AssertionError(f"{event} was never dealt with")

    def deliver_all(self, events: Sequence[Event]) -> None:
        with ThreadPoolExecutor(ARRIVALS) as threads:
            waiting = list(events)
            while waiting:
                list(threads.map(self.deliver, waiting))
                with self.lock:
                    waiting, self.queue = self.queue, []

    def arrive(self, names: Sequence[str]) -> None:
        found = [event for name in names for event in starts(ObjectArrival("landing", name, "1", 5), self)]
        events = [event for event in found if not isinstance(event, Refused)]
        self.deliver_all([*events, *events])

    def ring(self) -> None:
        """The sets' timers that are due."""
        due = [timer for timer in self.timers if timer.at <= self.time and isinstance(timer.event, SetRang)]
        self.timers = [timer for timer in self.timers if timer not in due]
        self.deliver_all([timer.event for timer in due])

    def held(self) -> list[list[str]]:
        """The names that each run is for."""
        runs = [run for _, run in self.store.runs()]
        found = [manifests.decode(self.objects[run.trigger["manifest"]]) for run in runs]
        return [[each["name"] for each in manifest.objects] for manifest in found]

    # Ports ------------------------------------------------------------

    def submit(self, request: JobRequest) -> Submission:
        return Accepted(f"job-{request.name}")

    def status(self, ref: JobRef) -> Status:
        raise AssertionError(f"nobody asks for {ref.name}")

    def cancel(self, ref: JobRef) -> None:
        raise AssertionError(f"nobody cancels {ref.name}")

    def publish(self, events: Sequence[Event]) -> None:
        with self.lock:
            self.queue += events

    def set(self, timers: Sequence[SetTimer]) -> None:
        with self.lock:
            names = {timer.name for timer in self.timers}
            self.timers += [timer for timer in timers if timer.name not in names]

    def put(self, name: str, body: bytes) -> str:
        self.objects[f"gs://state/{name}"] = body
        return f"gs://state/{name}"

    def get(self, uri: str) -> bytes:
        if uri not in self.objects:
            raise NotFound(uri)
        return self.objects[uri]

    def own(self, name: str) -> bytes | None:
        raise AssertionError(name)

    def exists(self, uri: str) -> bool:
        raise AssertionError(uri)

    def list(self, glob: str, limit: int) -> Sequence[Listed]:
        raise AssertionError(f"nobody looks for {limit} of {glob}")

    def now(self) -> int:
        return self.time


@pytest.fixture
def store(firestore_project: str) -> FirestoreStore:
    client = connect()
    return FirestoreStore(firestore_project, connect=lambda: client)


def test_thirty_arrivals_at_once_are_three_batches_of_ten(store: FirestoreStore) -> None:
    outside = Outside(store, BATCH)
    names = [f"{number}.csv" for number in range(ARRIVALS)]
    outside.arrive(names)
    held = outside.held()
    assert sorted(map(len, held)) == [10, 10, 10]
    assert Counter(name for batch in held for name in batch) == Counter(names)


def test_what_is_left_over_is_a_batch_when_its_window_is_over(store: FirestoreStore) -> None:
    outside = Outside(store, BATCH)
    names = [f"{number}.csv" for number in range(13)]
    outside.arrive(names)
    assert len(outside.held()) == 1
    outside.time += 2 * MINUTE
    outside.ring()
    held = outside.held()
    assert sorted(map(len, held)) == [3, 10]
    assert Counter(name for batch in held for name in batch) == Counter(names)


@pytest.mark.parametrize("trigger", [COUNT, QUIET], ids=["count", "quiet"])
def test_thirty_arrivals_at_once_are_one_complete_set(store: FirestoreStore, trigger: ObjectsTrigger) -> None:
    outside = Outside(store, trigger)
    names = [f"monday/{number}.csv" for number in range(ARRIVALS)]
    outside.arrive(names)
    outside.time += 2 * MINUTE
    outside.ring()
    (held,) = outside.held()
    assert sorted(held) == sorted(names)


def test_a_set_is_removed_to_its_last_member_when_its_time_is_over(store: FirestoreStore) -> None:
    outside = Outside(store, COUNT)
    outside.arrive([f"monday/{number}.csv" for number in range(ARRIVALS)])
    ((name, _),) = store.open_sets(10)
    for _ in range(4):
        outside.time += HORIZON // 2
        outside.ring()
    assert store.open_sets(10) == []
    assert store.members(name, "any", 10) == []
