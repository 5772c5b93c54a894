"""The engine over the real emulator: a run from its start to its end, and what each event costs in calls."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count

import pytest
from onward.core.commands import SetTimer
from onward.core.errors import Temporary
from onward.core.events import Bell, Event, JobState, StartRun, Sweep
from onward.core.horizon import HORIZON
from onward.core.naming import run_id
from onward.core.pipeline import SECOND, Pipeline, Python, Step
from onward.core.plan import compile_plan
from onward.core.state import NodeKey, RunKey, RunState
from onward.engine import Engine
from onward.ports import Accepted, Ages, JobRef, JobRequest, Listed, Status, Submission
from onward.stores.firestore import FirestoreStore
from onward.stores.firestore_wire import connect

RUN = run_id("p", "object", "landing", "file", "1")
COPIES = 4


def step(name: str, *needs: str) -> Step:
    return Step(name, Python("steps.py", name), needs)


PARTS = ("part0", "part1", "part2")
PLAN = compile_plan(
    Pipeline(
        "p",
        (step("first"), *(step(part, "first") for part in PARTS), step("all", *PARTS), step("last", "all")),
    )
)


class Outside:
    """All but the store: what is published waits in `queue`, and a job's bell with it. Jobs succeed."""

    def __init__(self) -> None:
        self.queue: deque[Event] = deque()
        self.submits: Counter[str] = Counter()
        self.status_reads: Counter[str] = Counter()
        self.time = 1_700_000_000 * SECOND
        self.tokens = count()

    def engine(self, store: FirestoreStore) -> Engine:
        """A process of its own, with nothing cached."""
        return Engine(
            store, {"python": self}, self, self, self, self, lambda: f"token{next(self.tokens)}", alone=False
        )

    def submit(self, request: JobRequest) -> Submission:
        self.submits[request.name] += 1
        self.queue.append(Bell(request.run, request.node, request.attempt))
        return Accepted(f"job-{request.name}")

    def status(self, ref: JobRef) -> Status:
        self.status_reads[ref.name] += 1
        return Status(JobState.SUCCEEDED, f"job-{ref.name}", {"node": ref.node})

    def cancel(self, ref: JobRef) -> None:
        raise AssertionError(f"nobody cancels {ref.name}")

    def publish(self, events: Sequence[Event]) -> None:
        self.queue += events

    def set(self, timers: Sequence[SetTimer]) -> None:
        """No timer is needed where nothing is lost."""

    def put(self, name: str, body: bytes) -> str:
        raise AssertionError(f"nothing is large, nor {name} of {len(body)} bytes")

    def get(self, uri: str) -> bytes:
        raise AssertionError(f"nothing is large, nor {uri}")

    def own(self, name: str) -> bytes | None:
        raise AssertionError(f"nothing is large, nor {name}")

    def exists(self, uri: str) -> bool:
        raise AssertionError(f"no outputs are declared, nor {uri}")

    def ages(self, uri: str) -> Ages | None:
        raise AssertionError(uri)

    def list(self, glob: str, limit: int) -> Sequence[Listed]:
        raise AssertionError(f"nobody looks for {limit} of {glob}")

    def now(self) -> int:
        return self.time


@pytest.fixture
def store(firestore_project: str) -> FirestoreStore:
    client = connect()
    store = FirestoreStore(firestore_project, connect=lambda: client)
    Outside().engine(store).plans.add(PLAN)
    store.round_trips.clear()
    return store


@pytest.fixture
def outside() -> Outside:
    outside = Outside()
    outside.queue.append(StartRun(RUN, "p", PLAN.name))
    return outside


def states(store: FirestoreStore) -> dict[str, str]:
    return {
        name: str(node.phase.__struct_config__.tag)
        for name, node in store.first(RUN, "any", 99)
        if not name.startswith("~")
    }


ALL_SUCCEEDED = {node.name: "succeeded" for node in PLAN.pipeline.steps}


def test_a_run_succeeds_though_every_event_meets_a_new_process(
    store: FirestoreStore, outside: Outside
) -> None:
    while outside.queue:
        outside.engine(store).handle(outside.queue.popleft())
    assert states(store) == ALL_SUCCEEDED
    assert [(run, doc.state) for run, doc in store.runs()] == [(RUN, RunState.SUCCEEDED)]
    assert store.runs(open_only=True) == []
    assert set(outside.submits.values()) == set(outside.status_reads.values()) == {1}


def test_a_run_submits_each_job_once_though_every_event_comes_in_copies_at_the_same_time(
    store: FirestoreStore, outside: Outside
) -> None:
    def deliver(event: Event) -> None:
        with suppress(Temporary):  # one of the others is in the middle of it
            outside.engine(store).handle(event)

    with ThreadPoolExecutor(COPIES) as threads:
        while outside.queue:
            event = outside.queue.popleft()
            list(threads.map(deliver, [event] * COPIES))
    assert states(store) == ALL_SUCCEEDED
    assert set(outside.submits.values()) == {1}


def test_a_run_is_removed_to_its_last_document_when_its_time_is_over(
    store: FirestoreStore, outside: Outside
) -> None:
    while outside.queue:
        outside.engine(store).handle(outside.queue.popleft())
    outside.time += HORIZON + SECOND
    outside.queue.append(Sweep(RUN, "watch", 9))
    while outside.queue:
        outside.engine(store).handle(outside.queue.popleft())
    assert store.read([RunKey(RUN), NodeKey(RUN, "first"), NodeKey(RUN, "~gather1")]) == {}
    assert store.first(RUN, "any", 99) == store.runs() == []


def test_an_event_costs_as_many_calls_as_are_counted_here(store: FirestoreStore, outside: Outside) -> None:
    """In a process that knows the plan.

    One batched read and one commit decide, one commit settles a submit: three for each step of a chain. Where
    steps come together, the gather's set is read after the commit that joined it.
    """
    engine = outside.engine(store)
    engine.plans.get(PLAN.name)
    assert store.round_trips == {"plan read": 1}
    cost: dict[str, dict[str, int]] = {}
    while outside.queue:
        event = outside.queue.popleft()
        store.round_trips.clear()
        engine.handle(event)
        cost[f"{type(event).__name__} {getattr(event, 'node', '')}".strip()] = dict(store.round_trips)
    assert cost == {
        # A process counts the hour's runs before its first start, and seldom after that.
        "StartRun": {"read": 2, "query": 1, "commit": 2},
        "Bell first": {"read": 1, "commit": 1},
        "Wake part0": {"read": 1, "commit": 2},
        "Wake part1": {"read": 1, "commit": 2},
        "Wake part2": {"read": 1, "commit": 2},
        "Bell part0": {"read": 2, "commit": 1},
        "Bell part1": {"read": 2, "commit": 1},
        "Bell part2": {"read": 2, "commit": 3},
        "Bell all": {"read": 1, "commit": 2},
        "Bell last": {"read": 1, "commit": 1},
    }
    assert set(outside.status_reads.values()) == {1}
