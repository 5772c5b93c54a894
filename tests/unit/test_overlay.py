"""A group's view of the store: what was decided so far, and the writes that make it so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onward.core.commands import Change, Delete, Join, Leave, Put
from onward.core.errors import Conflict
from onward.core.state import Document, Gate, GateKey, Key, Node, NodeKey
from onward.overlay import Known, Overlay
from onward.ports import Write
from onward.stores.memory import MemoryStore
from unit.shelf import JournalledStore

A, B = NodeKey("r", "a"), NodeKey("r", "b")
GATE = GateKey("g")


def stored(**nodes: Node) -> JournalledStore:
    store = JournalledStore([])
    for name, node in nodes.items():
        store.commit([Write(Put(NodeKey("r", name), node), 0)])
    return store


def test_a_document_is_read_once_and_many_in_one_call() -> None:
    store = stored(a=Node(attempt=1))
    overlay = Overlay(store)
    assert overlay.read([A, B]) == {A: Node(attempt=1), B: None}
    overlay.read([B, A])
    assert store.reads == [[A, B]]


def test_a_later_read_sees_what_was_decided_and_the_store_does_not() -> None:
    store = stored(a=Node(attempt=1))
    overlay = Overlay(store)
    overlay.read([A, B])
    overlay.apply([Put(A, Node(attempt=2)), Put(B, Node(attempt=3))])
    assert overlay.read([A, B]) == {A: Node(attempt=2), B: Node(attempt=3)}
    assert store.docs[A].doc == Node(attempt=1)


def test_a_write_names_the_version_that_was_read_however_often_it_was_decided() -> None:
    store = stored(a=Node(attempt=1))
    overlay = Overlay(store)
    overlay.read([A, B])
    version = store.docs[A].version
    for attempt in (2, 3, 4):
        overlay.apply([Put(A, Node(attempt=attempt))])
    overlay.apply([Put(B, Node())])
    assert overlay.writes() == [Write(Put(A, Node(attempt=4)), version), Write(Put(B, Node()), 0)]


def test_what_is_only_read_is_not_written() -> None:
    overlay = Overlay(stored(a=Node(attempt=1)))
    overlay.read([A])
    assert overlay.writes() == []


def test_joins_of_a_group_are_one_write_that_reads_nothing() -> None:
    store = stored()
    overlay = Overlay(store)
    for member in "xyx":
        overlay.apply([Join(A, (member,))])
    assert overlay.writes() == [Write(Join(A, ("x", "y")), 0)]
    assert store.reads == []


@pytest.mark.parametrize("before", [None, Node(attempt=1), Node(attempt=1, arrived=("x",))])
@pytest.mark.parametrize("read_first", [True, False])
def test_a_read_sees_the_joins_of_the_group(before: Node | None, read_first: bool) -> None:
    overlay = Overlay(stored(a=before) if before else stored())
    if read_first:
        overlay.read([A])
    overlay.apply([Join(A, ("x", "y"))])
    found = overlay.read([A])[A]
    assert isinstance(found, Node)
    assert set(found.arrived) == {"x", "y"}
    assert found.attempt == (before.attempt if before else 0)


def test_a_gather_that_is_joined_and_then_decided_is_written_whole_at_the_version_that_was_read() -> None:
    store = stored(a=Node(arrived=("x",)))
    overlay = Overlay(store)
    overlay.apply([Join(A, ("y",))])
    node = overlay.read([A])[A]
    assert isinstance(node, Node)
    overlay.apply([Put(A, node)])
    assert overlay.writes() == [Write(Put(A, Node(arrived=("x", "y"))), store.docs[A].version)]


def test_a_join_after_the_decision_is_part_of_it() -> None:
    overlay = Overlay(stored())
    overlay.read([A])
    overlay.apply([Put(A, Node(attempt=1)), Join(A, ("x",))])
    assert overlay.writes() == [Write(Put(A, Node(attempt=1, arrived=("x",))), 0)]


def test_those_that_leave_in_a_group_are_one_write_that_reads_nothing() -> None:
    store = stored()
    overlay = Overlay(store)
    for member in "xyx":
        overlay.apply([Leave(GATE, (member,))])
    assert overlay.writes() == [Write(Leave(GATE, ("x", "y")), 0)]
    assert store.reads == []


@pytest.mark.parametrize(("before", "after"), [(None, None), (Gate(("a", "x", "y")), Gate(("a",)))])
@pytest.mark.parametrize("read_first", [True, False])
def test_a_read_sees_who_left_in_the_group(before: Gate | None, after: Gate | None, read_first: bool) -> None:
    store = stored()
    if before is not None:
        store.commit([Write(Put(GATE, before), 0)])
    overlay = Overlay(store)
    if read_first:
        overlay.read([GATE])
    overlay.apply([Leave(GATE, ("x",)), Leave(GATE, ("y",))])
    assert overlay.read([GATE]) == {GATE: after}


def test_a_gate_that_is_left_and_then_decided_is_written_whole_at_the_version_that_was_read() -> None:
    store = stored()
    store.commit([Write(Put(GATE, Gate(("a", "x"))), 0)])
    overlay = Overlay(store)
    overlay.apply([Leave(GATE, ("x",))])
    gate = overlay.read([GATE])[GATE]
    assert isinstance(gate, Gate)
    overlay.apply([Put(GATE, gate.joined(("b",)))])
    assert overlay.writes() == [Write(Put(GATE, Gate(("a", "b"))), store.docs[GATE].version)]


def test_a_leave_after_the_decision_is_part_of_it() -> None:
    overlay = Overlay(stored())
    overlay.read([GATE])
    overlay.apply([Put(GATE, Gate(("a", "x"))), Leave(GATE, ("x",))])
    assert overlay.writes() == [Write(Put(GATE, Gate(("a",))), 0)]
    assert overlay.read([GATE]) == {GATE: Gate(("a",))}


def test_nobody_leaves_or_joins_what_was_deleted_before() -> None:
    store = stored(a=Node(attempt=1, arrived=("x",)))
    store.commit([Write(Put(GATE, Gate(("x", "y"))), 0)])
    overlay = Overlay(store)
    overlay.read([A, GATE])
    overlay.apply([Delete(A), Delete(GATE)])
    overlay.apply([Join(A, ("y",)), Leave(GATE, ("x",))])
    store.commit(overlay.writes())
    assert _held(store) == {A: Node(arrived=("y",))}


def test_a_gate_that_was_left_is_read_again() -> None:
    store = stored()
    store.commit([Write(Put(GATE, Gate(("x", "y"))), 0)])
    known = Known(store)
    known.read([GATE])
    writes = [Write(Leave(GATE, ("x",)), 0)]
    known.wrote(writes, store.commit(writes))
    assert known.read([GATE])[GATE].doc == Gate(("y",))


def test_what_is_deleted_is_gone_for_the_rest_of_the_group() -> None:
    store = stored(a=Node(attempt=1))
    overlay = Overlay(store)
    overlay.read([A])
    overlay.apply([Delete(A)])
    assert overlay.read([A]) == {A: None}
    store.commit(overlay.writes())
    assert A not in store.docs


def test_a_decision_on_what_somebody_changed_meanwhile_is_refused() -> None:
    store = stored(a=Node(attempt=1))
    overlay = Overlay(store)
    overlay.read([A])
    overlay.apply([Put(A, Node(attempt=2))])
    store.commit([Write(Join(A, ("x",)), 0)])
    with pytest.raises(Conflict):
        store.commit(overlay.writes())


MEMBERS = st.lists(st.sampled_from("xyz"), min_size=1, unique=True).map(tuple)
CHANGES = st.one_of(
    st.builds(Put, st.sampled_from((A, B)), st.builds(Node, attempt=st.integers(0, 5))),
    st.builds(Join, st.sampled_from((A, B)), MEMBERS),
    st.builds(Put, st.just(GATE), st.builds(Gate, MEMBERS)),
    st.builds(Leave, st.just(GATE), MEMBERS),
    st.builds(Delete, st.sampled_from((A, B, GATE))),
)


@given(
    st.lists(st.lists(CHANGES, max_size=3, unique_by=lambda change: change.key), max_size=6), st.booleans()
)
def test_a_group_in_one_commit_leaves_what_its_decisions_would_leave_one_by_one(
    decisions: list[list[Change]], exists: bool
) -> None:
    one, all_at_once = MemoryStore(), MemoryStore()
    for store in (one, all_at_once):
        if exists:
            store.commit([Write(Put(A, Node(attempt=9, arrived=("x",))), 0)])
            store.commit([Write(Put(GATE, Gate(("x", "y"))), 0)])
    overlay = Overlay(all_at_once)
    for decision in decisions:
        read = [change.key for change in decision if isinstance(change, Put | Delete)]
        overlay.read(read)
        overlay.apply(decision)
        each = Overlay(one)
        each.read(read)
        each.apply(decision)
        one.commit(each.writes())
    all_at_once.commit(overlay.writes())
    assert _held(all_at_once) == _held(one)


def _held(store: MemoryStore) -> dict[Key, Document]:
    return {key: found.doc for key, found in store.docs.items()}
