"""What a gate promises: never more in than there is room for, in order; no slot lost, nobody forgotten."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from onward.core.commands import CheckHolders, Decision, Delete, FindWaiters, Leave, Put, SetTimer, adjusted
from onward.core.draft import Context
from onward.core.events import (
    Admitted,
    CancelRun,
    GateEvent,
    Grant,
    HoldersGone,
    SetPaused,
    TurnedAway,
    WaitersFound,
)
from onward.core.gates import AT_ONCE, CHECKED, MOST, decide, nobody, scope
from onward.core.pipeline import HOUR, MINUTE, SECOND
from onward.core.state import Document, Gate, GateKey, Key, PipelineKey, PipelineState, Waiter, WaiterKey
from unit.core.telling import NOON

POOL, RUNS = "pool:warehouse", "runs:p"


class Door:
    """A gate, and those who wait at it by their places."""

    def __init__(self, gate: str = POOL, *, size: int | None = 2, hourly: int | None = None) -> None:
        self.gate = gate
        self.now = NOON
        self.sizes = {gate: size, "hour:p": hourly}
        self.docs: dict[Key, Document | None] = {}
        self.waiters: dict[str, Waiter] = {}
        self.started = 0

    def wait(self, *holders: str, conflict: str = "queue", limit: int | None = None) -> None:
        """They come, in this order."""
        for holder in holders:
            run, _, node = holder.partition("/")
            place = f"{len(self.waiters):04d}-{holder}"
            self.waiters[place] = Waiter(run, self.now, node or None, limit, conflict)  # type: ignore[arg-type]

    def would(self, event: GateEvent) -> Decision:
        """What the gate decides on what it may read."""
        docs: Mapping[Key, Document | None] = {key: self.docs.get(key) for key in scope(event)}
        return decide(docs, event, Context(self.now, "token", self.sizes.get))

    def hear(self, event: GateEvent) -> Decision:
        """Decide, and take the changes in."""
        decision = self.would(event)
        for change in decision.changes:
            match change:
                case Put(key=key, doc=doc):
                    self.docs[key] = doc
                case Leave(key=key):
                    self.docs[key] = adjusted(self.docs.get(key), change)
                case Delete(key=WaiterKey(waiter=place)):
                    self.waiters.pop(place, None)
        return decision

    def found(self, grant: Grant, command: FindWaiters) -> WaitersFound:
        first = tuple(sorted(self.waiters.items())[: AT_ONCE + 1])
        return WaitersFound(self.gate, grant.by, grant.net, command.grants, first, self.started)

    def ring(self, by: str = "", *, net: bool = False) -> list[object]:
        """A grant, what it finds, and the grants that follow from that; returns all that is told."""
        told: list[object] = []
        waiting = [Grant(self.gate, by, net)]
        while waiting:
            grant = waiting.pop(0)
            looked = self.hear(grant)
            told += looked.events
            for command in looked.commands:
                if isinstance(command, FindWaiters):
                    events = self.hear(self.found(grant, command)).events
                    told += [event for event in events if not isinstance(event, Grant)]
                    waiting += [event for event in events if isinstance(event, Grant)]
        return told

    def leave(self, *holders: str) -> None:
        key = GateKey(self.gate)
        self.docs[key] = adjusted(self.docs.get(key), Leave(key, holders))

    @property
    def admitted(self) -> tuple[str, ...]:
        found = self.docs.get(GateKey(self.gate))
        return found.admitted if isinstance(found, Gate) else ()


def names(*numbers: int) -> list[str]:
    return [f"r{number:03d}/load" for number in numbers]


def told(door: Door, *holders: str) -> list[object]:
    return [
        Admitted(holder.partition("/")[0], holder.partition("/")[2] or None, door.gate) for holder in holders
    ]


def test_as_many_are_let_in_as_there_is_room_for_the_first_ones_first() -> None:
    door = Door()
    door.wait(*names(1, 2, 3, 4))
    assert door.ring() == told(door, *names(1, 2))
    assert door.admitted == (*names(1, 2),)
    assert [waiter.run for waiter in door.waiters.values()] == ["r003", "r004"]


def test_who_leaves_makes_room_for_the_next_one_alone() -> None:
    door = Door()
    door.wait(*names(1, 2, 3, 4))
    door.ring()
    door.leave(*names(1))
    assert door.ring("r001/load left") == told(door, *names(3))
    assert door.admitted == (*names(2, 3),)


def test_a_full_gate_looks_for_nobody() -> None:
    door = Door()
    door.wait(*names(1, 2, 3))
    door.ring()
    assert door.would(Grant(POOL, "r003/load")) == Decision()


def test_a_hundred_who_wait_for_a_large_gate_all_come_in_and_in_their_order() -> None:
    door = Door(size=1_000)
    door.wait(*names(*range(100)))
    assert door.ring() == told(door, *names(*range(100)))
    assert door.waiters == {}


def test_a_redelivered_grant_tells_those_again_that_it_let_in_and_lets_in_nobody_else() -> None:
    door = Door(size=3)
    door.wait(*names(1, 2))
    assert door.ring("r001/load") == told(door, *names(1, 2))
    assert door.ring("r001/load") == told(door, *names(1, 2))
    assert door.ring("somebody else") == []
    assert door.admitted == (*names(1, 2),)


def test_a_redelivered_grant_says_nothing_to_those_who_have_left() -> None:
    door = Door()
    door.wait(*names(1, 2))
    door.ring("r001/load")
    door.leave(*names(1))
    assert door.ring("r001/load") == told(door, *names(2))


def test_what_was_found_before_others_were_let_in_is_looked_for_again() -> None:
    door = Door(size=1)
    door.wait(*names(1, 2))
    old = WaitersFound(POOL, "late", False, 0, tuple(door.waiters.items()))
    door.ring()
    door.leave(*names(1))
    decision = door.hear(old)
    assert (decision.changes, decision.events) == ((), ())
    assert [type(command) for command in decision.commands] == [FindWaiters]
    assert door.ring("late") == told(door, *names(2))


def test_who_is_in_already_takes_no_second_slot_though_its_waiter_is_still_found() -> None:
    door = Door(size=3)
    door.docs[GateKey(POOL)] = Gate((*names(1),))
    door.wait(*names(1, 2))
    assert door.ring() == told(door, *names(2))
    assert door.admitted == (*names(1, 2),)


def test_a_smaller_size_takes_nobody_out_and_lets_nobody_in_until_enough_have_left() -> None:
    door = Door(size=3)
    door.wait(*names(1, 2, 3, 4))
    door.ring()
    door.sizes[POOL] = 1
    door.leave(*names(1))
    assert door.ring("r001/load left") == []
    assert door.admitted == (*names(2, 3),)
    door.leave(*names(2, 3))
    assert door.ring("r003/load left") == told(door, *names(4))


def test_a_pool_that_is_gone_limits_nobody_who_still_waits_for_it() -> None:
    door = Door(size=None)
    door.wait(*names(1, 2, 3))
    assert door.ring() == told(door, *names(1, 2, 3))


def test_the_size_that_was_planned_counts_where_none_is_deployed_and_there_is_a_largest() -> None:
    door = Door(size=None)
    door.wait(*names(1, 2, 3), limit=1)
    assert door.ring() == told(door, *names(1))
    full = Door(size=None)
    full.docs[GateKey(POOL)] = Gate(tuple(f"{number}/load" for number in range(MOST)))
    full.wait(*names(1))
    assert full.ring() == []


def test_a_slot_given_to_one_that_has_ended_is_given_back_and_the_gate_looked_at() -> None:
    for holder, event in (("r1/load", Admitted("r1", "load", POOL)), ("r1", Admitted("r1", None, RUNS))):
        decision = nobody(event)
        assert decision.changes == (Leave(GateKey(event.gate), (holder,)),)
        assert decision.events == (Grant(event.gate, f"{holder} left"),)


def test_who_has_waited_for_long_has_the_holders_of_a_full_gate_looked_at() -> None:
    door = Door()
    door.wait(*names(1, 2, 3))
    door.ring()
    assert door.would(Grant(POOL, "r003/load", net=True)).commands == (CheckHolders(POOL, (*names(1, 2),)),)


def test_a_holder_that_is_gone_leaves_and_the_one_who_waited_is_next() -> None:
    door = Door()
    door.wait(*names(1, 2, 3))
    door.ring()
    decision = door.hear(HoldersGone(POOL, (*names(1),)))
    assert decision.events == (Grant(POOL, "r001/load gone"),)
    assert door.ring("r001/load gone") == told(door, *names(3))
    assert door.admitted == (*names(2, 3),)


def test_all_holders_of_a_large_gate_are_looked_at_in_the_end() -> None:
    door = Door(size=100)
    holders = names(*range(100))
    door.docs[GateKey(POOL)] = Gate(tuple(holders))
    seen: set[str] = set()
    for _ in range(100):
        door.now += MINUTE
        (check,) = door.would(Grant(POOL, "waits", net=True)).commands
        assert isinstance(check, CheckHolders)
        assert len(check.holders) == CHECKED
        seen.update(check.holders)
    assert seen == set(holders)


# Runs ---------------------------------------------------------------------


def test_where_there_is_no_room_runs_that_would_skip_are_turned_away_and_the_others_wait() -> None:
    door = Door(RUNS, size=1)
    door.wait("a", "b")
    assert door.ring() == [Admitted("a", None, RUNS)]
    door.wait("c", conflict="skip")
    assert door.ring("c") == [TurnedAway("c", RUNS)]
    assert door.admitted == ("a",)


def test_the_newest_run_takes_over_from_the_oldest_and_from_all_that_waited_before_it() -> None:
    door = Door(RUNS, size=1)
    door.docs[GateKey(RUNS)] = Gate(("old",))
    door.wait("newest", "newer", conflict="cancel_running")  # their places put the newest first
    assert door.ring("newest") == [CancelRun("newer"), CancelRun("old")]
    assert door.admitted == ("old",)  # its job has not stopped yet


def test_a_paused_pipeline_lets_nobody_in_and_a_resume_looks_at_its_gate() -> None:
    door = Door(RUNS, size=None)
    door.hear(SetPaused("p", paused=True, at=NOON))
    door.wait("a", "b")
    assert door.ring("a") == []
    (grant,) = door.hear(SetPaused("p", paused=False, at=NOON + 1)).events
    assert isinstance(grant, Grant)
    assert door.ring(grant.by) == [Admitted("a", None, RUNS), Admitted("b", None, RUNS)]


@pytest.mark.parametrize(
    ("commands", "paused"),
    [
        ([(True, 1), (False, 2), (True, 1)], False),
        ([(False, 2), (True, 1)], False),
        ([(True, 1), (True, 1)], True),
        ([(True, 1), (False, 2), (True, 3), (False, 2)], True),
    ],
)
def test_the_command_that_was_published_last_counts_whatever_comes_late_or_twice(
    commands: list[tuple[bool, int]], paused: bool
) -> None:
    door = Door(RUNS)
    for wanted, at in commands:
        door.hear(SetPaused("p", wanted, at))
    state = door.docs[PipelineKey("p")]
    assert isinstance(state, PipelineState)
    assert state.paused is paused


def test_a_resume_that_is_delivered_again_looks_again_and_a_late_one_does_nothing() -> None:
    door = Door(RUNS)
    first = door.hear(SetPaused("p", paused=False, at=2))
    again = door.hear(SetPaused("p", paused=False, at=2))
    assert (again.changes, again.events) == ((), first.events)
    assert door.hear(SetPaused("p", paused=False, at=1)) == Decision()


def test_as_many_runs_go_as_the_hour_has_room_for_and_a_timer_looks_again() -> None:
    door = Door(RUNS, size=None, hourly=10)
    door.started = 8
    door.wait("a", "b", "c")
    (looked,) = door.hear(Grant(RUNS, "c")).commands
    assert isinstance(looked, FindWaiters)
    decision = door.hear(door.found(Grant(RUNS, "c"), looked))
    assert decision.events == (Admitted("a", None, RUNS), Admitted("b", None, RUNS))
    (timer,) = decision.prepare
    assert isinstance(timer, SetTimer)
    assert NOON + SECOND <= timer.at <= NOON + 5 * MINUTE
    assert timer.event == Grant(RUNS, f"look {timer.at}")


def test_before_the_hour_is_looked_at_again_nobody_overtakes_those_who_wait() -> None:
    door = Door(RUNS, size=None, hourly=10)
    door.started = 10
    door.wait("a", "b")
    assert door.ring("b") == []
    door.started = 0
    assert door.ring("c") == []
    door.now += HOUR
    assert door.ring("look") == [Admitted("a", None, RUNS), Admitted("b", None, RUNS)]
    gate = door.docs[GateKey(RUNS)]
    assert isinstance(gate, Gate)
    assert gate.look == 0
