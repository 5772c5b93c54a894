"""What every store promises of sets, gates, waiters and pipelines, beside the contract of all documents."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest
from contract.store_contract import HOSTILE, OpenStore, get, put, run, version
from onward.core.backfill import Asked, Backfill
from onward.core.commands import Delete, Leave, Put
from onward.core.errors import Conflict
from onward.core.events import StartRun
from onward.core.state import (
    BackfillKey,
    Closing,
    Document,
    Gate,
    GateKey,
    Key,
    Member,
    MemberKey,
    NodeKey,
    PipelineKey,
    PipelineState,
    RunKey,
    RunState,
    Set,
    SetKey,
    Waiter,
    WaiterKey,
)
from onward.ports import Store, Write

SET, MEMBER, GATE = SetKey("s"), MemberKey("s", "m"), GateKey("g")
WAITER, PIPELINE = WaiterKey("g", "w"), PipelineKey("p")
BACKFILL = BackfillKey("b")
FULL: dict[Key, Document] = {
    SET: Set(
        "p",
        "plan",
        2,
        {"date": "2026-11-22"},
        1,
        3,
        ("orders", "rates"),
        "marker",
        Closing("gs://state/manifest", "hash", StartRun("run1", "p", "plan", {"n": 1}, {"uris": ["ü"]})),
        "before",
        4,
        9,
        10,
    ),
    MEMBER: Member(1, {"name": "a/b", "size": 3, "meta": {"ü": None}}, "orders", 2),
    GATE: Gate(("run1", "run2/a", "run3"), {"run1": "run1"}, 7, 2),
    WAITER: Waiter("run1", 1, "a", 3, "skip"),
    BACKFILL: Backfill(
        *("p", "plan", Asked("2026-01-01", "2026-01-31", "date", {"a": [1]}, "gs://b/**", True), 5, 3, "d"),
        *("0f", 31, 7, {"run1": 5, "run2": 6}, 7, 2, 9, True, 10, "why"),
    ),
    PIPELINE: PipelineState(True, {"nightly": 5}, 6),
}
BARE: dict[Key, Document] = {
    SET: Set("p", "plan", 0),
    MEMBER: Member(1),
    GATE: Gate(),
    WAITER: Waiter("run1", 1),
    BACKFILL: Backfill("p", "plan", Asked(), 0, 1),
    PIPELINE: PipelineState(),
}
each_kind = pytest.mark.parametrize("key", FULL, ids=lambda key: key.__struct_config__.tag)


def leave(store: Store, *members: str, version: int = 0) -> None:
    store.commit([Write(Leave(GATE, members), version)])


class SetsContract:
    """The promises, as sentences."""

    # Documents ----------------------------------------------------------

    @each_kind
    def test_each_comes_back_as_it_was_written(self, open_store: OpenStore, key: Key) -> None:
        for written in (FULL[key], BARE[key], FULL[key]):
            put(open_store(), key, written)
            assert get(open_store(), key) == written

    @each_kind
    def test_each_is_created_once_and_changed_at_its_version(self, open_store: OpenStore, key: Key) -> None:
        one, two = open_store(), open_store()
        created = one.commit([Write(Put(key, BARE[key]), 0)])[key]
        assert two.read([key])[key] == (BARE[key], created)
        changed = one.commit([Write(Put(key, FULL[key]), created)])[key]
        for stale in (0, created):
            with pytest.raises(Conflict):
                two.commit([Write(Put(key, BARE[key]), stale)])
        assert two.read([key])[key] == (FULL[key], changed), "the loser sees what the winner wrote"
        two.commit([Write(Put(key, BARE[key]), changed)])
        with pytest.raises(Conflict):
            one.commit([Write(Delete(key), changed)])
        assert get(one, key) == BARE[key]

    @each_kind
    def test_each_may_be_deleted_and_come_again(self, open_store: OpenStore, key: Key) -> None:
        one, two = open_store(), open_store()
        put(one, key, FULL[key])
        one.commit([Write(Delete(key), version(one, key))])
        assert one.read([key]) == open_store().read([key]) == {}
        with pytest.raises(Conflict):
            two.commit([Write(Put(key, FULL[key]), 7)])
        put(two, key, BARE[key])
        assert get(open_store(), key) == BARE[key]

    def test_one_commit_may_write_one_of_each_kind_or_none(self, open_store: OpenStore) -> None:
        one, two = open_store(), open_store()
        put(one, PIPELINE, BARE[PIPELINE])
        writes = [Write(Put(key, doc), 0) for key, doc in FULL.items()]
        with pytest.raises(Conflict):
            two.commit(writes)
        assert two.read(FULL).keys() == {PIPELINE}
        two.commit(writes[:-1])
        assert {key: found.doc for key, found in one.read(FULL).items()} == {**FULL, PIPELINE: BARE[PIPELINE]}

    @pytest.mark.parametrize("name", HOSTILE)
    def test_no_name_of_them_reaches_another_document(self, store: Store, name: str) -> None:
        kinds = (SetKey, GateKey, PipelineKey)
        keys: list[Key] = [RunKey(name), NodeKey("s", name), *(kind(name) for kind in kinds)]
        keys += [MemberKey("s", name), MemberKey(name, "s"), WaiterKey("s", name), WaiterKey(name, "s")]
        wanted: dict[Key, Document] = dict(FULL)
        for number, key in enumerate(keys):
            match key:
                case RunKey():
                    wanted[key] = run(started=number)
                case SetKey():
                    wanted[key] = Set("p", "plan", number)
                case MemberKey():
                    wanted[key] = Member(number)
                case GateKey():
                    wanted[key] = Gate((name or "nobody", str(number)))
                case WaiterKey():
                    wanted[key] = Waiter(name, number)
                case PipelineKey():
                    wanted[key] = PipelineState(ticks={name: number})
        for key, doc in wanted.items():
            put(store, key, doc)
        assert {key: found.doc for key, found in store.read([*wanted, *keys]).items()} == wanted
        assert dict(store.members(name, "any", 9)) == {"s": wanted[MemberKey(name, "s")]}
        assert dict(store.waiters(name, 9)) == {"s": wanted[WaiterKey(name, "s")]}
        assert {name, "m"} == dict(store.members("s", "any", 9)).keys()
        assert store.count("waiters", name, 9) == store.count("members", name, 9) == 1

    # Gates --------------------------------------------------------------

    def test_who_leaves_is_out_and_the_others_keep_their_places(self, open_store: OpenStore) -> None:
        put(open_store(), GATE, Gate(("a", "b", "c", "d/x")))
        leave(open_store(), "b", "d/x", "b")
        assert get(open_store(), GATE) == Gate(("a", "c"))
        leave(open_store(), "c", "a")
        assert get(open_store(), GATE) == Gate()

    def test_a_leave_needs_no_version(self, open_store: OpenStore) -> None:
        one, two = open_store(), open_store()
        put(one, GATE, Gate(("a", "b", "c")))
        two.read([GATE])
        put(one, GATE, Gate(("a", "b", "c", "d")))
        leave(two, "a", version=12345)
        leave(one, "b")
        assert get(open_store(), GATE) == Gate(("c", "d")), "what was written meanwhile is not undone"

    @pytest.mark.parametrize("admitted", [(), ("a",)])
    def test_a_leave_of_who_is_not_there_moves_no_version(
        self, open_store: OpenStore, admitted: tuple[str, ...]
    ) -> None:
        store = open_store()
        put(store, GATE, Gate((*admitted, "x")))
        leave(store, "x")
        before = open_store().read([GATE])
        leave(store, "x")
        leave(store, "y")
        assert store.read([GATE]) == open_store().read([GATE]) == before
        put(store, GATE, Gate(admitted))
        before = store.read([GATE])
        leave(store, "x")
        assert open_store().read([GATE]) == before

    def test_what_was_decided_before_somebody_left_loses(self, open_store: OpenStore) -> None:
        one, two = open_store(), open_store()
        put(one, GATE, Gate(("a", "b")))
        stale = version(two, GATE)
        leave(one, "a")
        for change in (Put(GATE, Gate(("a", "b", "c"))), Delete(GATE)):
            with pytest.raises(Conflict):
                two.commit([Write(change, stale)])
        assert get(two, GATE) == Gate(("b",)), "the loser sees who left"
        two.commit([Write(Put(GATE, Gate(("b", "c"))), version(two, GATE))])
        assert get(open_store(), GATE) == Gate(("b", "c"))

    def test_nobody_can_leave_a_gate_that_is_not_there_and_it_may_come(self, open_store: OpenStore) -> None:
        """Whether an empty gate is there afterwards is the store's own affair."""
        one, two = open_store(), open_store()
        leave(one, "a")
        for store in (one, two):
            assert get(store, GATE) in (None, Gate())
        put(two, GATE, Gate(("a",)))
        assert get(open_store(), GATE) == Gate(("a",))

    def test_a_leave_is_made_with_all_of_its_commit_or_not_at_all(self, open_store: OpenStore) -> None:
        one, two = open_store(), open_store()
        put(one, GATE, Gate(("a", "b")))
        put(one, SET, BARE[SET])
        for _ in range(2):
            with pytest.raises(Conflict):
                two.commit([Write(Leave(GATE, ("a",)), 0), Write(Put(SET, FULL[SET]), 0)])
            for store in (one, two, open_store()):
                assert get(store, GATE) == Gate(("a", "b"))
        two.commit([Write(Leave(GATE, ("a",)), 0), Write(Put(SET, FULL[SET]), version(one, SET))])
        assert get(open_store(), GATE) == Gate(("b",))
        assert get(open_store(), SET) == FULL[SET]

    # Waiters ------------------------------------------------------------

    def test_waiters_come_in_the_order_of_their_names(self, store: Store) -> None:
        names = [
            "0-9-a",
            "0-9-b",
            "0-90",
            "00",
            "0_9",
            "0a",
            "0~a",
            "1",
            "10",
            "9",
            "a",
            "a-b",
            "a_b",
            "z",
            "~",
        ]
        assert names == sorted(names)
        for number, name in enumerate(reversed(names)):
            put(store, WaiterKey("g", name), Waiter(name, number))
        put(store, WaiterKey("g1", "0"), Waiter("other", 1))
        assert [name for name, _ in store.waiters("g", 99)] == names
        assert store.waiters("g", 2) == [("0-9-a", Waiter("0-9-a", 14)), ("0-9-b", Waiter("0-9-b", 13))]
        assert store.waiters("", 9) == store.waiters("h", 9) == []

    def test_a_waiter_that_went_waits_no_more(self, open_store: OpenStore) -> None:
        one, two = open_store(), open_store()
        for name in "abc":
            put(one, WaiterKey("g", name), Waiter("run1", 1))
        one.commit([Write(Delete(WaiterKey("g", "a")), version(one, WaiterKey("g", "a")))])
        assert [name for name, _ in two.waiters("g", 9)] == ["b", "c"]
        assert two.count("waiters", "g", 9) == 2

    # Members ------------------------------------------------------------

    def fill(self, store: Store) -> None:
        arrivals = {"a": (30, None), "b": (10, None), "c": (20, 1), "d": (40, 2), "e": (5, None)}
        for name, (at, taken) in arrivals.items():
            put(store, MemberKey("s", name), Member(at, taken=taken))
        put(store, MemberKey("s1", "f"), Member(1))

    @pytest.mark.parametrize(("where", "wanted"), [("waiting", "eba"), ("newest", "dacbe")])
    def test_members_come_in_the_order_of_their_arrival(
        self, store: Store, where: Literal["waiting", "newest"], wanted: str
    ) -> None:
        self.fill(store)
        assert "".join(name for name, _ in store.members("s", where, 9)) == wanted
        assert "".join(name for name, _ in store.members("s", where, 2)) == wanted[:2]
        assert store.members("t", where, 9) == []

    def test_any_members_are_all_of_the_set_and_of_no_other(self, store: Store) -> None:
        self.fill(store)
        found = dict(store.members("s", "any", 9))
        assert found.keys() == set("abcde")
        assert found["c"] == Member(20, taken=1)
        assert len(store.members("s", "any", 3)) == 3

    def test_a_member_that_a_round_takes_waits_no_more(self, open_store: OpenStore) -> None:
        one, two = open_store(), open_store()
        self.fill(one)
        put(two, MemberKey("s", "b"), Member(10, taken=3))
        assert [name for name, _ in one.members("s", "waiting", 9)] == ["e", "a"]
        assert one.count("members", "s", 9) == 2
        put(one, MemberKey("s", "b"), Member(10))
        assert two.count("members", "s", 9) == 3

    def test_a_member_that_arrived_at_the_beginning_of_time_waits_too(self, store: Store) -> None:
        put(store, MEMBER, Member(0))
        assert store.members("s", "waiting", 9) == store.members("s", "newest", 9) == [("m", Member(0))]
        assert store.count("members", "s", 9) == 1

    # Counts -------------------------------------------------------------

    def test_counts_go_no_further_than_they_are_asked_to(self, store: Store) -> None:
        for number in range(5):
            put(store, MemberKey("s", str(number)), Member(number))
            put(store, WaiterKey("s", str(number)), Waiter("run1", number))
            put(store, RunKey(str(number)), run(started=number))
        put(store, MemberKey("s", "taken"), Member(9, taken=1))
        for limit, wanted in ((1, 1), (4, 4), (5, 5), (6, 5)):
            assert store.count("members", "s", limit) == wanted
            assert store.count("waiters", "s", limit) == wanted
            assert store.started("p", 0, limit) == wanted

    def test_there_is_nothing_to_count_where_nothing_is(self, store: Store) -> None:
        put(store, SET, BARE[SET])
        put(store, GATE, FULL[GATE])
        assert (
            store.count("members", "s", 9) == store.count("waiters", "g", 9) == store.started("p", 0, 9) == 0
        )

    # Sets and runs ------------------------------------------------------

    def test_open_sets_are_those_with_a_due_the_earliest_first(self, open_store: OpenStore) -> None:
        one, two = open_store(), open_store()
        for name, due in (("a", 30), ("b", None), ("c", 10), ("d", 20), ("e", 0)):
            put(one, SetKey(name), Set("p", "plan", 0, due=due))
        assert [name for name, _ in two.open_sets(9)] == ["e", "c", "d", "a"]
        assert two.open_sets(1) == [("e", Set("p", "plan", 0, due=0))]
        put(two, SetKey("e"), Set("p", "plan", 0, ended=1))
        put(two, SetKey("b"), Set("p", "plan", 0, due=5))
        assert [name for name, _ in one.open_sets(9)] == ["b", "c", "d", "a"]

    def test_started_are_the_runs_of_the_pipeline_from_that_time_on_however_they_are(
        self, store: Store
    ) -> None:
        for number, state in enumerate(RunState):
            put(store, RunKey(f"p{number}"), run("p", state, 10 * number))
        put(store, RunKey("q0"), run("q", started=30))
        wanted = len(RunState)
        assert store.started("p", 0, 99) == wanted
        assert store.started("p", 1, 99) == store.started("p", 10, 99) == wanted - 1
        assert store.started("p", 10 * wanted, 99) == 0
        assert store.started("q", 30, 99) == 1
        assert store.started("q", 31, 99) == store.started("p' OR 1=1 --", 0, 99) == 0

    def test_a_run_that_waits_for_admission_has_not_started(self, store: Store) -> None:
        waits = msgspec.structs.replace(run("p", RunState.QUEUED, 30), queued=30)
        put(store, RunKey("p1"), waits)
        assert store.started("p", 0, 9) == 0
        put(store, RunKey("p1"), msgspec.structs.replace(waits, state=RunState.RUNNING, started=31))
        assert store.started("p", 31, 9) == 1
        assert store.started("p", 32, 9) == 0

    def test_a_waiter_goes_whatever_it_is(self, open_store: OpenStore) -> None:
        one, two = open_store(), open_store()
        gone = Write(Delete(WAITER, blind=True), 0)
        one.commit([gone])
        put(one, WAITER, FULL[WAITER])
        assert get(two, WAITER) == FULL[WAITER]
        put(one, WAITER, BARE[WAITER])
        two.commit([gone])
        assert get(one, WAITER) is None
        assert one.waiters("g", 9) == []

    # Backfills ----------------------------------------------------------

    def test_backfills_are_listed_the_latest_first_and_those_that_go_on_by_themselves(
        self, open_store: OpenStore
    ) -> None:
        one, two = open_store(), open_store()
        for name, at, ended in (("a", 30, None), ("b", 10, 40), ("c", 20, None), ("d", 0, None)):
            put(one, BackfillKey(name), backfill(at, ended))
        assert [name for name, _ in two.backfills(9)] == ["a", "c", "b", "d"]
        assert two.backfills(2) == [("a", backfill(30)), ("c", backfill(20))]
        assert [name for name, _ in two.backfills(9, open_only=True)] == ["a", "c", "d"]
        put(two, BackfillKey("c"), backfill(20, 50))
        assert [name for name, _ in one.backfills(9, open_only=True)] == ["a", "d"]


def backfill(at: int, ended: int | None = None) -> Backfill:
    return Backfill("p", "plan", Asked("2026-01-01", "2026-01-31"), at, 4, ended=ended)
