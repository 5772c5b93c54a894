"""Whatever is written in whatever order, the embedded store and the reference store hold the same."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from contract.store_contract import PHASES
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from onward.core.backfill import Asked, Backfill
from onward.core.commands import Change, Delete, Join, Leave, Put
from onward.core.errors import Conflict
from onward.core.state import (
    BackfillKey,
    Document,
    Gate,
    GateKey,
    Key,
    Member,
    MemberKey,
    Node,
    NodeKey,
    PipelineKey,
    PipelineState,
    Run,
    RunKey,
    RunState,
    Set,
    SetKey,
    Waiter,
    WaiterKey,
)
from onward.ports import Store, Write
from onward.stores.memory import MemoryStore
from onward.stores.sqlite import SqliteStore

RUNS = ("r", "s")
KEYS: tuple[Key, ...] = (
    *(NodeKey("r", "a"), NodeKey("r", "b"), NodeKey("s", "a"), RunKey("r"), RunKey("s")),
    *(SetKey("r"), SetKey("s"), MemberKey("r", "a"), MemberKey("r", "b"), MemberKey("s", "a")),
    *(GateKey("r"), GateKey("s"), WaiterKey("r", "a"), WaiterKey("r", "b"), WaiterKey("s", "a")),
    PipelineKey("r"),
    *(BackfillKey("r"), BackfillKey("s")),
)
MEMBERS = st.lists(st.sampled_from("wxyz"), min_size=1, unique=True).map(tuple)
TIMES = st.integers(0, 9)
AS_READ: Callable[[int], int] = lambda version: version  # noqa: E731
ORDERED: tuple[Literal["waiting", "newest"], ...] = ("waiting", "newest")
COUNTED: tuple[Literal["members", "waiters"], ...] = ("members", "waiters")
VERSIONS = st.sampled_from((AS_READ, AS_READ, AS_READ, lambda _: 0, lambda version: version + 1_000))

documents: dict[type, st.SearchStrategy[Any]] = {
    NodeKey: st.builds(Node, st.sampled_from(PHASES), st.integers(0, 3)),
    RunKey: st.builds(Run, st.just("p"), st.just("plan"), st.sampled_from(RunState), st.integers(0, 9)),
    SetKey: st.builds(Set, st.just("p"), st.just("plan"), st.integers(0, 1), due=TIMES | st.none()),
    MemberKey: st.builds(Member, TIMES, taken=st.none() | st.integers(1, 2)),
    GateKey: st.builds(Gate, st.just(()) | MEMBERS),
    WaiterKey: st.builds(Waiter, st.sampled_from(RUNS), TIMES),
    PipelineKey: st.builds(PipelineState, st.booleans()),
    BackfillKey: st.builds(
        Backfill, st.just("p"), st.just("plan"), st.just(Asked()), TIMES, st.just(1), ended=TIMES | st.none()
    ),
}


@st.composite
def changes(draw: st.DrawFn) -> Change:
    key = draw(st.sampled_from(KEYS))
    if isinstance(key, NodeKey) and draw(st.booleans()):
        return Join(key, draw(MEMBERS))
    if isinstance(key, GateKey) and draw(st.booleans()):
        return Leave(key, draw(MEMBERS))
    if draw(st.integers(0, 4)) == 0:
        return Delete(key)
    return Put(key, draw(documents[type(key)]))


class Stores(RuleBasedStateMachine):
    """One reference, and two clients of one SQLite file."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "state.db"
        self.memory = MemoryStore()
        self.clients = [self.open(), self.open()]
        # Reads what the file holds now, whatever a client remembers.
        self.reader = SqliteStore(self.path, readonly=True)

    def open(self) -> SqliteStore:
        store = SqliteStore(self.path)
        store.connection.execute("PRAGMA synchronous = OFF")
        return store

    def teardown(self) -> None:
        for client in (*self.clients, self.reader):
            client.close()
        self.folder.cleanup()

    @initialize(keys=st.lists(st.sampled_from(KEYS), unique=True), data=st.data())
    def begin(self, keys: list[Key], data: st.DataObject) -> None:
        """Most documents are there from the start."""
        self.commit(0, [(Put(key, data.draw(documents[type(key)])), AS_READ) for key in keys])

    @rule(
        client=st.integers(0, 1),
        writes=st.lists(st.tuples(changes(), VERSIONS), max_size=4, unique_by=lambda write: write[0].key),
    )
    def commit(self, client: int, writes: list[tuple[Change, Callable[[int], int]]]) -> None:
        """What one refuses, the other refuses; what a client had read before may be stale by then."""
        wanted = _commit(self.memory, self.memory, writes)
        given = _commit(self.clients[client], self.reader, writes)
        assert given == wanted

    @rule(client=st.integers(0, 1), keys=st.lists(st.sampled_from(KEYS)))
    def read(self, client: int, keys: list[Key]) -> None:
        """Only fills the client's memory: another one may have written since."""
        self.clients[client].read(keys)

    @rule(client=st.integers(0, 1))
    def open_again(self, client: int) -> None:
        self.clients[client].close()
        self.clients[client] = self.open()

    @rule(client=st.integers(0, 1), run=st.sampled_from(RUNS), limit=st.integers(1, 9))
    def query(self, client: int, run: str, limit: int) -> None:
        store = self.clients[client]
        assert dict(store.first(run, "any", 99)) == dict(self.memory.first(run, "any", 99))
        assert dict(store.first(run, "active", 99)) == dict(self.memory.first(run, "active", 99))
        due = [node.due for _, node in store.first(run, "due", limit)]
        assert due == [node.due for _, node in self.memory.first(run, "due", limit)]
        assert store.runs(limit=limit) == self.memory.runs(limit=limit)

    @rule(client=st.integers(0, 1), of=st.sampled_from(RUNS), limit=st.integers(1, 9), since=TIMES)
    def query_sets_and_gates(self, client: int, of: str, limit: int, since: int) -> None:
        store, memory = self.clients[client], self.memory
        assert dict(store.members(of, "any", 99)) == dict(memory.members(of, "any", 99))
        assert dict(store.members(of, "waiting", 99)) == dict(memory.members(of, "waiting", 99))
        for where in ORDERED:
            ats = [member.at for _, member in store.members(of, where, limit)]
            assert ats == [member.at for _, member in memory.members(of, where, limit)]
        assert store.waiters(of, limit) == memory.waiters(of, limit)
        for what in COUNTED:
            assert store.count(what, of, limit) == memory.count(what, of, limit)
        due = [found.due for _, found in store.open_sets(limit)]
        assert due == [found.due for _, found in memory.open_sets(limit)]
        assert dict(store.open_sets(99)) == dict(memory.open_sets(99))
        for some in (True, False):
            assert store.backfills(limit, open_only=some) == memory.backfills(limit, open_only=some)
        assert store.started("p", since, limit) == memory.started("p", since, limit)

    @invariant()
    def the_same_is_held(self) -> None:
        assert _held(self.reader) == _held(self.memory)


def _held(store: Store) -> dict[Key, Document]:
    return {key: found.doc for key, found in store.read(KEYS).items()}


def _commit(store: Store, now: Store, writes: list[tuple[Change, Callable[[int], int]]]) -> bool:
    found = now.read([change.key for change, _ in writes])
    versions = {key: each.version for key, each in found.items()}
    try:
        store.commit([Write(change, seen(versions.get(change.key, 0))) for change, seen in writes])
    except Conflict:
        return False
    return True


TestStores = Stores.TestCase
TestStores.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
