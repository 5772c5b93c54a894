"""What a step costs in the cloud: operations counted in real runs of the engine, times list prices.

    .venv/bin/python -m bench.cost

Each run goes from its object to the removal of its last document, 35 days later, as it does in the cloud:
every event is one request to an entry point, and entry points share nothing but the store. Jobs take ten
minutes and succeed. Free tiers, discounts and the jobs themselves are left out.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Literal, NamedTuple, TypeVar

import msgspec
from onward.core.commands import Delete, SetTimer
from onward.core.events import Bell, Event, JobState, StartRun
from onward.core.naming import run_id
from onward.core.pipeline import SECOND, Dataproc, Pipeline, Step
from onward.core.plan import Plan, compile_plan
from onward.core.state import Key, Member, Node, Set, Waiter
from onward.engine import Engine
from onward.ports import Accepted, Ages, JobRef, JobRequest, Listed, Status, Submission, Versioned, Write
from onward.stores.memory import MemoryStore

T = TypeVar("T")

JOB_SECONDS = 600
LEAST_BYTES = 1_000
"""What Pub/Sub bills at least for each publish and each delivery."""
BELL_BYTES = 3_000
"""Of a log entry about a job's end, or a bucket's notification."""
LOG_BYTES = 1_500
"""Of our line and Cloud Run's own, for each request."""
WORK_SECONDS = 0.1
"""Of a request: the least that Cloud Run bills."""
CALL_SECONDS = 1.0
"""How long a service takes to answer a submit or a status read. Assumed."""
COUNTED_AT_ONCE = 1_000
"""Index entries that Firestore counts for the price of one read."""
GIB = 1024**3


class Price(NamedTuple):
    """A list price in US dollars, for so many."""

    dollars: float
    per: float


# us-central1, without free tiers. Sources and what to check: docs/operating.md.
PRICES = {
    "Firestore document reads": Price(0.03, 100_000),
    "Firestore document writes": Price(0.09, 100_000),
    "Firestore document deletes": Price(0.01, 100_000),
    "Pub/Sub bytes": Price(40, 1024**4),
    "Cloud Tasks operations": Price(0.40, 1_000_000),
    "requests": Price(0.40, 1_000_000),
    "vCPU seconds": Price(0.000024, 1),
    "GiB seconds": Price(0.0000025, 1),
    "log bytes": Price(0.50, GIB),
}
MEMORY_GIB = 0.5
WORKFLOWS_STEP = Price(0.01, 1_000)
TRANSITION = Price(0.025, 1_000)
COMPOSER_MONTH = 300.0

CONDITIONS, SERIES = 6, 8
"""Of the alert policies; and the time series that are there while nothing happens: one per subscription."""
IDLE = (
    ("alert conditions", CONDITIONS, Price(1.50, 1)),
    ("time series that they read, twice a minute", SERIES * 2 * 60 * 24 * 30, Price(0.35, 1_000_000)),
    ("images of functions and Beam steps, GiB (estimated)", 3, Price(0.10, 1)),
    ("archives, files, documents and objects, GiB (estimated)", 1, Price(0.15, 1)),
    ("functions, topics, subscriptions, queues, log sinks", 0, Price(0, 1)),
)


class CountedStore(MemoryStore):
    """Counts what Firestore bills. A document that is not there is a read too, and so is an empty result."""

    def __init__(self, counts: Counter[str]) -> None:
        super().__init__()
        self._counts = counts

    def read(self, keys: Iterable[Key]) -> dict[Key, Versioned]:
        wanted = set(keys)
        self._counts["Firestore document reads"] += len(wanted)
        return super().read(wanted)

    def commit(self, writes: Sequence[Write]) -> dict[Key, int]:
        deletes = sum(isinstance(write.change, Delete) for write in writes)
        self._counts["Firestore document deletes"] += deletes
        self._counts["Firestore document writes"] += len(writes) - deletes
        return super().commit(writes)

    def first(self, run: str, where: Literal["due", "active", "any"], limit: int) -> list[tuple[str, Node]]:
        return self._listed(super().first(run, where, limit))

    def members(
        self, of: str, where: Literal["waiting", "newest", "any"], limit: int
    ) -> list[tuple[str, Member]]:
        return self._listed(super().members(of, where, limit))

    def waiters(self, gate: str, limit: int) -> list[tuple[str, Waiter]]:
        return self._listed(super().waiters(gate, limit))

    def open_sets(self, limit: int) -> list[tuple[str, Set]]:
        return self._listed(super().open_sets(limit))

    def count(self, what: Literal["members", "waiters"], of: str, limit: int) -> int:
        return self._counted(super().count(what, of, limit))

    def started(self, pipeline: str, since: int, limit: int) -> int:
        return self._counted(super().started(pipeline, since, limit))

    def _listed(self, found: list[T]) -> list[T]:
        self._counts["Firestore document reads"] += max(1, len(found))
        return found

    def _counted(self, found: int) -> int:
        self._counts["Firestore document reads"] += max(1, -(-found // COUNTED_AT_ONCE))
        return found


class Cloud:
    """Delivers events in the order of their times, each as one request, once."""

    def __init__(self, plan: Plan) -> None:
        self.counts: Counter[str] = Counter()
        self._time = 0
        self._coming: list[tuple[int, int, str, Event]] = []
        self._numbers = count()
        store = CountedStore(self.counts)
        tokens = (f"token{number}" for number in count())
        ports = ({"dataproc": self}, self, self, self, self, lambda: next(tokens))
        self._doors = {
            door: Engine(store, *ports) for door in ("on_object", "on_wake", "on_job_event", "on_timer")
        }
        self._doors["on_object"].plans.add(plan)
        run = run_id(plan.pipeline.name, "object", "landing", "file", "1")
        self._message("on_object", StartRun(run, plan.pipeline.name, plan.name), BELL_BYTES)

    def run(self) -> Counter[str]:
        """To the end; what it took."""
        while self._coming:
            self._time, _, door, event = heapq.heappop(self._coming)
            self.counts["requests"] += 1
            self.counts["log bytes"] += LOG_BYTES
            self._doors[door].handle(event)
        return self.counts

    def _message(self, door: str, event: Event, size: int, at: int = 0) -> None:
        """Published and delivered."""
        self.counts["Pub/Sub messages"] += 1
        self.counts["Pub/Sub bytes"] += 2 * max(size, LEAST_BYTES)
        self._deliver(door, event, at)

    def _deliver(self, door: str, event: Event, at: int) -> None:
        heapq.heappush(self._coming, (max(at, self._time), next(self._numbers), door, event))

    # The ports, as far as a healthy run needs them

    def submit(self, request: JobRequest) -> Submission:
        self.counts["submits"] += 1
        bell = Bell(request.run, request.node, request.attempt)
        self._message("on_job_event", bell, BELL_BYTES, self._time + JOB_SECONDS * SECOND)
        return Accepted(request.name)

    def status(self, ref: JobRef) -> Status:
        self.counts["status reads"] += 1
        return Status(JobState.SUCCEEDED, ref.name)

    def publish(self, events: Sequence[Event]) -> None:
        for event in events:
            self._message("on_wake", event, len(msgspec.json.encode(event)))

    def set(self, timers: Sequence[SetTimer]) -> None:
        for timer in timers:
            self.counts["Cloud Tasks operations"] += 2  # created and delivered
            self._deliver("on_timer", timer.event, timer.at)

    def now(self) -> int:
        return self._time

    def cancel(self, ref: JobRef) -> None:
        raise AssertionError(ref)

    def put(self, name: str, body: bytes) -> str:
        raise AssertionError(name, body)

    def get(self, uri: str) -> bytes:
        raise AssertionError(uri)

    def own(self, name: str) -> bytes | None:
        raise AssertionError(name)

    def exists(self, uri: str) -> bool:
        raise AssertionError(uri)

    def ages(self, uri: str) -> Ages | None:
        raise AssertionError(uri)

    def list(self, glob: str, limit: int) -> list[Listed]:
        raise AssertionError(f"nobody looks for {limit} of {glob}")


def chain(n: int) -> list[Step]:
    """n steps, one after the other."""
    return [_step(f"s{i}", f"s{i - 1}") if i else _step("s0") for i in range(n)]


def fan(n: int) -> list[Step]:
    """1 → n → 1"""
    middle = [f"s{i}" for i in range(n)]
    return [_step("first"), *(_step(name, "first") for name in middle), _step("last", *middle)]


def _step(name: str, *needs: str) -> Step:
    return Step(name, Dataproc(pyspark="job.py"), needs)


SHAPES = {"chain of 4": chain(4), "1 → 10 → 1": fan(10), "1 → 1,000 → 1": fan(1_000)}


def measure(steps: Sequence[Step]) -> dict[str, float]:
    """What a run of these steps took, per step."""
    counts = Cloud(compile_plan(Pipeline("p", tuple(steps)))).run()
    each = {name: counted / len(steps) for name, counted in counts.items()}
    busy = each["requests"] * WORK_SECONDS + (each["submits"] + each["status reads"]) * CALL_SECONDS
    return each | {"vCPU seconds": busy, "GiB seconds": busy * MEMORY_GIB}


def dollars(counts: Mapping[str, float]) -> dict[str, float]:
    """The price of each kind of operation."""
    return {name: counts[name] * price.dollars / price.per for name, price in PRICES.items()}


def polls(seconds: float) -> int:
    """How often a connector of Cloud Workflows looks: after 1 s, then after 1.25 times more, up to 60 s."""
    looks, wait, time = 0, 1.0, 0.0
    while time < seconds:
        looks, time, wait = looks + 1, time + wait, min(wait * 1.25, 60)
    return looks


def report() -> str:
    """As tables of Markdown."""
    counts = {shape: measure(steps) for shape, steps in SHAPES.items()}
    names = sorted({name for each in counts.values() for name in each})
    lines = _table("per step", SHAPES, {n: [f"{each[n]:,.2f}" for each in counts.values()] for n in names})
    prices = {shape: dollars(each) for shape, each in counts.items()}
    rows = {n: [f"{1_000 * each[n]:.4f}" for each in prices.values()] for n in PRICES}
    totals = [1_000 * sum(each.values()) for each in prices.values()]
    lines += _table("$ per 1,000 steps", SHAPES, rows | {"**together**": [f"**{t:.3f}**" for t in totals]})
    ours = max(totals) / 1_000
    steps = 1 + polls(JOB_SECONDS)
    workflows = steps * WORKFLOWS_STEP.dollars / WORKFLOWS_STEP.per
    idle = {what: [f"{n:,}", f"{n * price.dollars / price.per:.2f}"] for what, n, price in IDLE}
    nothing = sum(n * price.dollars / price.per for _, n, price in IDLE)
    lines += _table("idle, a month", ["how many", "$"], idle | {"**together**": ["", f"**{nothing:.2f}**"]})
    months = (0, 10_000, 1_000_000)
    peers = {
        "Onward": [nothing + n * ours for n in months],
        f"Cloud Workflows, {steps} billed steps for a job of ten minutes": [n * workflows for n in months],
        "Step Functions, 1 transition": [n * TRANSITION.dollars / TRANSITION.per for n in months],
        "Composer 3, the smallest": [COMPOSER_MONTH] * len(months),
    }
    heads = [f"{n:,} steps" for n in months]
    lines += _table(
        "$ a month", heads, {name: [f"{each:,.2f}" for each in row] for name, row in peers.items()}
    )
    return "\n".join(lines[:-1])


def _table(title: str, heads: Iterable[str], rows: Mapping[str, Sequence[str]]) -> list[str]:
    heads = list(heads)
    head = [f"| {title} | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
    return [*head, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()), ""]


if __name__ == "__main__":
    print(report())
