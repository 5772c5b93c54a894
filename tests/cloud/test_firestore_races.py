"""Many writers at once, on the real emulator: nothing is lost, and nothing is won twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Barrier
from typing import TypeVar

import pytest
from onward.core.commands import Change, Join, Leave, Put
from onward.core.errors import Conflict
from onward.core.plan import WIDTH
from onward.core.state import Gate, GateKey, Node, NodeKey, Submitting
from onward.ports import Write
from onward.stores.firestore import FirestoreStore
from onward.stores.firestore_wire import connect

T = TypeVar("T")
KEY = NodeKey("a" * 20, "~gather1")
GATE = GateKey("pool")
WRITERS = 50


@pytest.fixture
def store(firestore_project: str) -> FirestoreStore:
    client = connect()
    return FirestoreStore(firestore_project, connect=lambda: client)


def at_once(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """All of them in threads of their own, let go together."""
    ready = Barrier(len(jobs))

    def begin(job: Callable[[], T]) -> T:
        ready.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as threads:
        return list(threads.map(begin, jobs))


def won(store: FirestoreStore, node: Node, version: int) -> bool:
    try:
        store.commit([Write(Put(KEY, node), version)])
    except Conflict:
        return False
    return True


def read(store: FirestoreStore) -> tuple[Node, int]:
    found = store.read([KEY])
    if not found:
        return Node(), 0
    doc, version = found[KEY]
    assert isinstance(doc, Node)
    return doc, version


def insist(store: FirestoreStore, change: Change) -> None:
    """As the engine does it: a busy emulator may abort a commit, which is then made again."""
    for _ in range(WIDTH):
        with suppress(Conflict):
            store.commit([Write(change, 0)])
            return
    raise AssertionError(f"{change} never came through")


def test_of_32_children_that_join_at_once_none_is_lost(store: FirestoreStore) -> None:
    children = [f"child{n}" for n in range(WIDTH)]
    at_once([partial(insist, store, Join(KEY, (child,))) for child in children])
    arrived = read(store)[0].arrived
    assert sorted(arrived) == sorted(children)


def test_of_32_holders_that_leave_at_once_none_keeps_its_place(store: FirestoreStore) -> None:
    holders = tuple(f"run{n}" for n in range(WIDTH))
    store.commit([Write(Put(GATE, Gate((*holders, "stays"))), 0)])
    at_once([partial(insist, store, Leave(GATE, (holder,))) for holder in holders])
    assert store.read([GATE])[GATE].doc == Gate(("stays",))


def test_of_a_grant_and_a_leave_at_once_neither_undoes_the_other(store: FirestoreStore) -> None:
    store.commit([Write(Put(GATE, Gate(("run0",))), 0)])

    def grant(run: str) -> None:
        while True:
            gate, version = store.read([GATE])[GATE]
            assert isinstance(gate, Gate)
            with suppress(Conflict):
                store.commit([Write(Put(GATE, gate.joined((run,))), version)])
                return

    for n in range(WIDTH):
        at_once([partial(grant, f"run{n + 1}"), partial(insist, store, Leave(GATE, (f"run{n}",)))])
        assert store.read([GATE])[GATE].doc == Gate((f"run{n + 1}",))


def test_of_50_that_create_one_document_exactly_one_wins(store: FirestoreStore) -> None:
    outcomes = at_once([lambda n=n: won(store, Node(attempt=n), 0) for n in range(WRITERS)])  # type: ignore[misc]
    assert outcomes.count(True) == 1
    assert read(store)[0].attempt == outcomes.index(True)


def test_of_50_that_write_the_same_words_over_one_version_exactly_one_wins(store: FirestoreStore) -> None:
    store.commit([Write(Put(KEY, Node()), 0)])
    version = read(store)[1]
    outcomes = at_once([lambda: won(store, Node(), version)] * WRITERS)
    assert outcomes.count(True) == 1


def test_50_writers_of_one_document_are_all_done_after_as_many_rounds_with_one_winner_each(
    store: FirestoreStore,
) -> None:
    store.commit([Write(Put(KEY, Node()), 0)])

    def add_one() -> None:
        while True:
            doc, version = read(store)
            if won(store, Node(attempt=doc.attempt + 1), version):
                return

    at_once([add_one] * WRITERS)
    assert read(store)[0].attempt == WRITERS


def test_a_claim_is_won_by_one_of_two_and_the_other_sees_whose_it_is(store: FirestoreStore) -> None:
    def claim(token: str) -> bool:
        return won(store, Node(Submitting(token, 2, 1), attempt=1), 0)

    tokens = ("mine", "theirs")
    outcomes = at_once([lambda token=token: claim(token) for token in tokens])  # type: ignore[misc]
    assert sorted(outcomes) == [False, True]
    assert read(store)[0].phase == Submitting(tokens[outcomes.index(True)], 2, 1)
