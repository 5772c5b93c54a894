"""What every store promises. A subclass says how to open one, and may be asked for a second client."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from onward.core.commands import Change, Delete, Join, Put
from onward.core.errors import Conflict
from onward.core.state import (
    Backoff,
    Cancelled,
    Cancelling,
    Document,
    Entry,
    Failed,
    Key,
    Mapped,
    Node,
    NodeKey,
    Phase,
    PlanKey,
    Run,
    RunKey,
    Running,
    RunState,
    Skipped,
    StoredPlan,
    Submitting,
    Succeeded,
    UpstreamFailed,
    Waiting,
)
from onward.ports import Store, Write

OpenStore = Callable[[], Store]

A, B, C = NodeKey("run1", "a"), NodeKey("run1", "b"), NodeKey("run1", "c")
RUN = RunKey("run1")
HOSTILE = ("", "a/b", "..", "a'b\"c", "line\nbreak", "ü\u2028", "%_*", "x" * 1_000, "a!b", "~gather1")
PHASES: tuple[Phase, ...] = (
    Waiting(),
    Submitting("token", 2, 1),
    Running("job", 1, 3, 2),
    Backoff(4, 2, "it said\nno", 1),
    Cancelling(5, 6, True, 1, "job", "token"),
    Succeeded({"rows": [1, 2.5, None, True, "ü"]}),
    Mapped(5, 9, 1),
    Succeeded(None, "gs://state/outputs/x.json", "run0"),
    Failed("it said no"),
    UpstreamFailed("x"),
    Skipped("its `if` is false"),
    Cancelled(),
)


def node(attempt: int = 0, phase: Phase | None = None) -> Node:
    return Node(phase or Waiting(), attempt=attempt)


def run(
    pipeline: str = "p", state: RunState = RunState.RUNNING, started: int = 1, ended: int | None = None
) -> Run:
    return Run(pipeline, "plan", state, started, ended=ended)


def put(store: Store, key: Key, doc: Document) -> None:
    """Write over whatever is there now."""
    found = store.read([key]).get(key)
    store.commit([Write(Put(key, doc), found.version if found else 0)])


def get(store: Store, key: Key) -> Document | None:
    found = store.read([key]).get(key)
    return found.doc if found else None


def version(store: Store, key: Key) -> int:
    return store.read([key])[key].version


class StoreContract:
    """The promises, as sentences."""

    @pytest.fixture
    def store(self, open_store: OpenStore) -> Store:
        return open_store()

    # Documents ----------------------------------------------------------

    def test_what_was_never_written_is_not_there(self, store: Store) -> None:
        assert store.read([A, RUN, PlanKey("p")]) == {}
        assert store.read([]) == {}

    @pytest.mark.parametrize("phase", PHASES)
    def test_a_node_comes_back_as_it_was_written(self, open_store: OpenStore, phase: Phase) -> None:
        written = Node(phase, 3, 1, 7, ("a", "b!a"), 1, 2, "job", (Entry(1, "wake", "running", "why"),), 16)
        put(open_store(), A, written)
        assert get(open_store(), A) == written

    def test_a_run_comes_back_as_it_was_written(self, open_store: OpenStore) -> None:
        written = Run(
            "p", "plan", RunState.FAILED, 1, {"date": "2026-11-22", "n": [1, None]}, {"on": "hand"}, 9, "no"
        )
        put(open_store(), RUN, written)
        assert get(open_store(), RUN) == written

    def test_a_plan_comes_back_byte_by_byte(self, open_store: OpenStore) -> None:
        written = StoredPlan(bytes(range(256)))
        put(open_store(), PlanKey("p"), written)
        assert get(open_store(), PlanKey("p")) == written

    @pytest.mark.parametrize("name", HOSTILE)
    def test_no_name_reaches_another_document(self, store: Store, name: str) -> None:
        put(store, A, node(1))
        put(store, NodeKey("run1", name), node(2))
        put(store, NodeKey(name, "a"), node(3))
        assert get(store, A) == node(1)
        assert get(store, NodeKey("run1", name)) == node(2)
        assert get(store, NodeKey(name, "a")) == node(3)
        assert dict(store.first(name, "any", 10)) == {"a": node(3)}

    def test_many_are_read_at_once_and_those_that_exist_are_given(self, store: Store) -> None:
        put(store, A, node(1))
        put(store, RUN, run())
        found = store.read([A, B, RUN, A])
        assert {key: each.doc for key, each in found.items()} == {A: node(1), RUN: run()}

    # Commit -------------------------------------------------------------

    def test_a_commit_is_all_of_its_writes(self, open_store: OpenStore) -> None:
        writes = [Write(Put(RUN, run()), 0), Write(Put(A, node(1)), 0), Write(Join(B, ("a",)), 0)]
        open_store().commit(writes)
        other = open_store()
        assert get(other, RUN) == run()
        assert get(other, A) == node(1)
        assert get(other, B) == Node(arrived=("a",))

    def test_a_commit_is_none_of_its_writes_if_one_of_them_is_stale(self, open_store: OpenStore) -> None:
        store = open_store()
        put(store, B, node(1))
        put(store, C, node(1))
        put(store, B, node(2))
        stale = version(store, B)
        put(store, B, node(3))
        before = store.read([A, B, C, RUN])
        writes = [
            Write(Put(A, node(9)), 0),
            Write(Join(C, ("x",)), 0),
            Write(Put(RUN, run()), 0),
            Write(Put(B, node(9)), stale),
        ]
        with pytest.raises(Conflict):
            store.commit(writes)
        for each in (store, open_store()):
            assert each.read([A, B, C, RUN]) == before

    def test_a_commit_of_nothing_does_nothing(self, store: Store) -> None:
        put(store, A, node(1))
        before = store.read([A])
        store.commit([])
        assert store.read([A]) == before

    def test_creating_over_what_exists_loses(self, store: Store) -> None:
        put(store, A, node(1))
        with pytest.raises(Conflict):
            store.commit([Write(Put(A, node(2)), 0)])
        assert get(store, A) == node(1)

    def test_changing_what_does_not_exist_loses(self, store: Store) -> None:
        with pytest.raises(Conflict):
            store.commit([Write(Put(A, node(2)), 7)])
        assert get(store, A) is None

    def test_every_write_moves_the_version(self, store: Store) -> None:
        seen = set()
        for attempt in range(5):
            put(store, A, node(attempt))
            seen.add(version(store, A))
        put(store, A, node(4))
        seen.add(version(store, A))
        assert len(seen) == 6
        assert 0 not in seen, "0 says that there is no document"

    def test_a_commit_tells_the_new_version_of_each_document_that_was_put(self, store: Store) -> None:
        put(store, B, node(1))
        put(store, C, node(1))
        seen = version(store, B)
        writes = [
            Write(Put(A, node(1)), 0),
            Write(Put(B, node(2)), seen),
            Write(Put(RUN, run()), 0),
            Write(Join(NodeKey("run1", "d"), ("a",)), 0),
            Write(Delete(C), version(store, C)),
        ]
        told = store.commit(writes)
        assert {A, B, RUN} <= told.keys()
        assert told == {key: version(store, key) for key in told}, "of another it may tell, but nothing wrong"
        assert told[B] != seen
        assert store.commit([]) == {}

    @pytest.mark.parametrize(("key", "first", "second"), [(A, node(1), node(2)), (RUN, run(), run(ended=2))])
    def test_the_version_that_a_commit_tells_guards_the_next_write(
        self, open_store: OpenStore, key: Key, first: Document, second: Document
    ) -> None:
        one, two = open_store(), open_store()
        created = one.commit([Write(Put(key, first), 0)])[key]
        changed = one.commit([Write(Put(key, second), created)])[key]
        for stale in (0, created):
            with pytest.raises(Conflict):
                two.commit([Write(Put(key, first), stale)])
        assert get(two, key) == second
        two.commit([Write(Put(key, first), changed)])
        with pytest.raises(Conflict):
            one.commit([Write(Put(key, second), changed)])
        assert get(one, key) == first

    def test_of_two_writers_of_one_version_one_wins(self, open_store: OpenStore) -> None:
        one, two = open_store(), open_store()
        put(one, A, node(1))
        first, second = version(one, A), version(two, A)
        one.commit([Write(Put(A, node(2)), first)])
        with pytest.raises(Conflict):
            two.commit([Write(Put(A, node(3)), second)])
        assert get(two, A) == node(2), "the loser sees what the winner wrote"
        two.commit([Write(Put(A, node(3)), version(two, A))])
        assert get(open_store(), A) == node(3)

    def test_of_two_that_create_one_document_one_wins(self, open_store: OpenStore) -> None:
        one, two = open_store(), open_store()
        assert one.read([A]) == two.read([A]) == {}
        one.commit([Write(Put(A, node(1)), 0)])
        with pytest.raises(Conflict):
            two.commit([Write(Put(A, node(2)), 0), Write(Put(B, node(2)), 0)])
        assert get(two, A) == node(1)
        assert get(two, B) is None

    # Joins --------------------------------------------------------------

    def test_a_join_creates_what_is_not_there(self, store: Store) -> None:
        store.commit([Write(Join(A, ("x", "y")), 0)])
        assert get(store, A) == Node(arrived=("x", "y"))

    def test_a_join_is_a_union_whatever_the_order_and_how_often(self, open_store: OpenStore) -> None:
        one, two = open_store(), open_store()
        for client, members in ((one, ("x",)), (two, ("y",)), (one, ("y", "z")), (two, ("x",))):
            client.commit([Write(Join(A, members), 0)])
        found = get(open_store(), A)
        assert isinstance(found, Node)
        assert sorted(found.arrived) == ["x", "y", "z"]

    def test_a_join_needs_no_version(self, open_store: OpenStore) -> None:
        one, two = open_store(), open_store()
        one.commit([Write(Join(A, ("x",)), 0)])
        two.read([A])
        one.commit([Write(Join(A, ("y",)), 0)])
        two.commit([Write(Join(A, ("z",)), 12345)])
        found = get(open_store(), A)
        assert isinstance(found, Node)
        assert sorted(found.arrived) == ["x", "y", "z"]

    def test_a_join_of_members_that_are_there_moves_no_version(self, store: Store) -> None:
        store.commit([Write(Join(A, ("x", "y")), 0)])
        before = store.read([A])
        store.commit([Write(Join(A, ("y", "x")), 0)])
        assert store.read([A]) == before

    def test_a_join_that_adds_moves_the_version(self, open_store: OpenStore) -> None:
        """What was decided on the smaller set must not be written over the larger one."""
        one, two = open_store(), open_store()
        one.commit([Write(Join(A, ("x",)), 0)])
        stale = version(two, A)
        one.commit([Write(Join(A, ("y",)), 0)])
        with pytest.raises(Conflict):
            two.commit([Write(Put(A, node(1)), stale)])

    def test_a_join_changes_nothing_but_the_set(self, store: Store) -> None:
        before = Node(Running("job", 1, 2), 3, 1, 4, ("x",), 1, None, "job", (Entry(1, "wake", "running"),))
        put(store, A, before)
        store.commit([Write(Join(A, ("y",)), 0)])
        assert get(store, A) == before.joined(("y",))

    def test_creating_what_somebody_joined_meanwhile_loses(self, open_store: OpenStore) -> None:
        one, two = open_store(), open_store()
        assert one.read([A]) == {}
        two.commit([Write(Join(A, ("x",)), 0)])
        with pytest.raises(Conflict):
            one.commit([Write(Put(A, Node(arrived=("y",))), 0)])

    # Delete -------------------------------------------------------------

    @pytest.mark.parametrize(("key", "doc"), [(A, node(1)), (RUN, run())])
    def test_a_deleted_document_is_not_there_and_may_come_again(
        self, open_store: OpenStore, key: Key, doc: Document
    ) -> None:
        store = open_store()
        put(store, key, doc)
        store.commit([Write(Delete(key), version(store, key))])
        assert store.read([key]) == open_store().read([key]) == {}
        assert store.first("run1", "any", 9) == []
        put(store, key, doc)
        assert get(open_store(), key) == doc

    def test_a_stale_delete_loses(self, open_store: OpenStore) -> None:
        one, two = open_store(), open_store()
        put(one, A, node(1))
        stale = version(two, A)
        put(one, A, node(2))
        for seen in (stale, 0):
            with pytest.raises(Conflict):
                two.commit([Write(Delete(A), seen)])
        assert get(two, A) == node(2)

    @pytest.mark.parametrize("change", [Delete(A), Put(A, node(2))])
    def test_what_somebody_deleted_meanwhile_can_not_be_written(
        self, open_store: OpenStore, change: Change
    ) -> None:
        one, two = open_store(), open_store()
        put(one, A, node(1))
        seen = version(two, A)
        one.commit([Write(Delete(A), version(one, A))])
        with pytest.raises(Conflict):
            two.commit([Write(change, seen)])
        assert get(two, A) is None

    def test_deleting_what_was_not_there_and_is_not_there_is_done(self, store: Store) -> None:
        store.commit([Write(Delete(A), 0)])
        assert get(store, A) is None

    # Queries ------------------------------------------------------------

    def test_the_most_overdue_come_first_and_what_is_never_due_not_at_all(self, store: Store) -> None:
        put(store, A, node(phase=Running("job", 1, 30)))
        put(store, B, node(phase=Submitting("t", 10, 1)))
        put(store, C, node(phase=Backoff(20, 2, "no", 1)))
        put(store, NodeKey("run1", "d"), node(phase=Cancelling(1, 5, False, 1)))
        put(store, NodeKey("run1", "e"), node(phase=Succeeded()))
        put(store, NodeKey("run1", "f"), node())
        put(store, NodeKey("run2", "g"), node(phase=Running("job", 1, 1)))
        assert [name for name, _ in store.first("run1", "due", 9)] == ["d", "b", "c", "a"]
        assert [name for name, _ in store.first("run1", "due", 2)] == ["d", "b"]

    def test_active_are_those_that_have_a_job_or_will_and_were_not_told_to_stop(self, store: Store) -> None:
        for number, phase in enumerate(PHASES):
            put(store, NodeKey("run1", f"n{number}"), node(phase=phase))
        found = {type(each.phase) for _, each in store.first("run1", "active", 99)}
        assert found == {Submitting, Running, Backoff}
        assert len(store.first("run1", "active", 2)) == 2

    def test_any_are_all_of_the_run_and_of_no_other(self, store: Store) -> None:
        for number in range(40):
            put(store, NodeKey("run1", f"n{number}"), node(number))
            put(store, NodeKey("run10", f"m{number}"), node(number))
        assert dict(store.first("run1", "any", 99)) == {f"n{number}": node(number) for number in range(40)}
        assert len(store.first("run1", "any", 32)) == 32
        assert store.first("run", "any", 9) == []

    def test_a_query_sees_what_was_committed_last(self, open_store: OpenStore) -> None:
        one, two = open_store(), open_store()
        put(one, A, node(phase=Running("job", 1, 30)))
        assert [name for name, _ in two.first("run1", "due", 9)] == ["a"]
        put(one, A, node(phase=Succeeded()))
        assert two.first("run1", "due", 9) == []
        assert two.first("run1", "active", 9) == []

    def test_a_joined_gather_is_found(self, store: Store) -> None:
        store.commit([Write(Join(A, ("x",)), 0)])
        assert dict(store.first("run1", "any", 9)) == {"a": Node(arrived=("x",))}

    def test_runs_are_listed_the_latest_start_first(self, store: Store) -> None:
        for name, started in (("x", 20), ("y", 30), ("z", 10)):
            put(store, RunKey(name), run(started=started))
        assert [name for name, _ in store.runs()] == ["y", "x", "z"]
        assert [name for name, _ in store.runs(limit=2)] == ["y", "x"]
        assert [name for name, _ in store.runs(before=30)] == ["x", "z"]
        assert store.runs(before=10) == []

    def test_runs_of_a_pipeline_and_open_runs_can_be_asked_for(self, store: Store) -> None:
        put(store, RunKey("w"), run("p", started=1))
        put(store, RunKey("x"), run("p", RunState.CANCELLING, started=2))
        put(store, RunKey("y"), run("p", RunState.SUCCEEDED, started=3, ended=4))
        put(store, RunKey("z"), run("other", started=4))
        assert [name for name, _ in store.runs(pipeline="p")] == ["y", "x", "w"]
        assert [name for name, _ in store.runs(open_only=True)] == ["z", "x", "w"]
        assert [name for name, _ in store.runs(pipeline="p", open_only=True, limit=1)] == ["x"]
        assert store.runs(pipeline="p' OR 1=1 --") == []
