"""A step with 10,000 items: what one event touches, how large documents get, how long it takes on a laptop.

    .venv/bin/python -m bench.items [--items 10000] [--lanes 32]

First without any service, each event by itself as in the cloud, on a store in memory; then for real, on the
embedded runtime with a function that does nothing.
"""

import argparse
import sys
from asyncio import run
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec
from onward.core.commands import Put, SetTimer
from onward.core.events import Bell, Event, JobState, StartRun
from onward.core.naming import item_of
from onward.core.pipeline import SECOND, Allowance, ForEach, Pipeline, Python, Step
from onward.core.plan import compile_plan
from onward.core.state import Key, Node, NodeKey, PlanKey, Run, RunKey
from onward.engine import Engine
from onward.ports import Accepted, Ages, JobRef, JobRequest, Listed, Status, Versioned, Write
from onward.stores import firestore_rows as rows
from onward.stores.memory import MemoryStore

from bench.engine import measured

RUN = "a" * 20
LANES = 32


class Figures(NamedTuple):
    """What came of a run."""

    state: str
    items: int
    events: int
    joins: int
    """Times that the step with the items ended."""
    read: int
    """Documents that deciding one event read at most, however often it looked; plans are kept."""
    written: int
    """Documents that one commit wrote at most."""
    largest: int
    """Bytes of the largest document, as JSON."""
    largest_row: int
    """Bytes of the largest document as Firestore keeps it, without the names of its fields."""
    reads: float
    """Documents read for each item, on average."""
    writes: float


class Counted(MemoryStore):
    """A store that looks at what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.now: set[Key] = set()
        self.most: Counter[str] = Counter()
        self.sums: Counter[str] = Counter()
        self.ends = 0

    def read(self, keys: Iterable[Key]) -> dict[Key, Versioned]:
        wanted = list(keys)
        counted = {key for key in wanted if not isinstance(key, PlanKey)}
        self.now |= counted
        self.sums["read"] += len(counted)
        return super().read(wanted)

    def commit(self, writes: Sequence[Write]) -> dict[Key, int]:
        versions = super().commit(writes)
        self._at_most("written", len(writes))
        self.sums["written"] += len(writes)
        for change, version in writes:
            doc = self.docs[change.key].doc
            if isinstance(change.key, NodeKey) and isinstance(doc, Node):
                self._look(change.key, doc, version)
                self.ends += isinstance(change, Put) and change.key.node == "m" and doc.phase.ended
        return versions

    def _look(self, key: NodeKey, doc: Node, version: int) -> None:
        row = rows.row_write(Write(Put(key, doc), version))
        assert isinstance(row, rows.Row)
        self._at_most("largest", len(msgspec.json.encode(doc)))
        self._at_most("largest row", sum(map(_size, row.fields.values())))

    def _at_most(self, what: str, value: int) -> None:
        self.most[what] = max(self.most[what], value)

    def next(self) -> None:
        """Another event."""
        self._at_most("read", len(self.now))
        self.now = set()


def _size(value: object) -> int:
    match value:
        case str():
            return len(value.encode()) + 1
        case bytes():
            return len(value)
        case list():
            return sum(map(_size, value))
        case _:
            return 8


class World:
    """What the engine asks of the world, where every job ends at once."""

    def __init__(self) -> None:
        self.queue: deque[Event] = deque()
        self.kept: dict[str, bytes] = {}
        self.time = 1_700_000_000 * SECOND

    def submit(self, request: JobRequest) -> Accepted:
        self.queue.append(Bell(request.run, request.node, request.attempt))
        return Accepted(request.name)

    def status(self, ref: JobRef) -> Status:
        if ref.node.endswith("7]"):
            return Status(JobState.FAILED, ref.name, error="it said no, and said so at some length " * 9)
        return Status(JobState.SUCCEEDED, ref.name, {"node": ref.node})

    def cancel(self, ref: JobRef) -> None:
        raise AssertionError(ref)

    def publish(self, events: Sequence[Event]) -> None:
        self.queue += events

    def set(self, timers: Sequence[SetTimer]) -> None:
        """Nothing is lost."""

    def put(self, name: str, body: bytes) -> str:
        self.kept[name] = body
        return f"gs://work/{name}"

    def get(self, uri: str) -> bytes:
        return self.kept[uri.removeprefix("gs://work/")]

    def own(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def exists(self, uri: str) -> bool:
        raise AssertionError(uri)

    def ages(self, uri: str) -> Ages | None:
        raise AssertionError(uri)

    def list(self, glob: str, limit: int) -> Sequence[Listed]:
        raise AssertionError(glob, limit)

    def now(self) -> int:
        self.time += 1
        return self.time


def figures(items: int, lanes: int = LANES) -> Figures:
    """A run of a step with so many items, a tenth of which fail, and of one after it."""
    steps = (
        Step(
            "m",
            Python("steps.py", "step", {"item": "{{ item }}"}),
            for_each=ForEach(list(range(items))),
            max_parallel=lanes,
            allow_failures=Allowance(percent=20.0),
        ),
        Step("z", Python("steps.py", "step", {"count": "{{ steps.m.output | length }}"}), ("m",)),
    )
    plan, world, store, tokens = compile_plan(Pipeline("many", steps)), World(), Counted(), count()
    services = {"python": world}
    engine = Engine(store, services, world, world, world, world, lambda: f"token{next(tokens)}")
    engine.plans.add(plan)
    world.queue.append(StartRun(RUN, "many", plan.name))
    events = 0
    store.most.clear()
    store.sums.clear()
    while world.queue:
        # A step after it reads all of its items once, for the list of their outputs.
        if store.ends == 0:
            store.next()
        engine.handle(world.queue.popleft())
        events += 1
    state = store.docs[RunKey(RUN)].doc
    assert isinstance(state, Run)
    most, sums = store.most, store.sums
    return Figures(
        state.state.value,
        sum(isinstance(key, NodeKey) and item_of(key.node) is not None for key in store.docs),
        events,
        store.ends,
        most["read"],
        most["written"],
        most["largest"],
        most["largest row"],
        sums["read"] / items,
        sums["written"] / items,
    )


def _pipeline(items: int, lanes: int) -> str:
    """As many items, in hundreds."""
    return f"""
pipeline: measured
steps:
  m:
    for_each:
      items: "{{{{ range({items // 100}) | list }}}}"
      as: hundred
      for_each: "{{{{ range(100) | list }}}}"
    max_parallel: {lanes}
    python: {{call: "steps.py:step"}}
"""


def seconds(folder: Path, items: int, lanes: int = LANES) -> float:
    """How long so many calls take on the embedded runtime."""
    took, nodes = run(measured(folder, _pipeline(items, lanes)))
    assert len(nodes) >= items + 1
    return took


def lines(found: Figures) -> Iterator[str]:
    """What to print."""
    told: Mapping[str, str] = {
        "the run": f"{found.state}, {found.items:,} items, {found.joins} join",
        "events": f"{found.events:,}",
        "documents read for one event": f"at most {found.read}",
        "documents written in one commit": f"at most {found.written}",
        "largest document": f"{found.largest:,} bytes; as Firestore keeps it {found.largest_row:,}",
        "for each item": f"{found.reads:.1f} documents read, {found.writes:.1f} written",
    }
    yield from (f"{what:32} {said}" for what, said in told.items())


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.items", description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--lanes", type=int, default=LANES)
    given = parser.parse_args(arguments)
    print(*lines(figures(given.items, given.lanes)), sep="\n")
    with TemporaryDirectory(prefix="onward-bench-", dir=".") as folder:
        took = seconds(Path(folder), given.items, given.lanes)
    print(f"{'embedded, for real':32} {took:.1f} s, {given.items / took:,.0f} items per second")


if __name__ == "__main__":
    main(sys.argv[1:])
