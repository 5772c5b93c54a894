"""What a process that starts again must look at."""

from __future__ import annotations

from onward.core.commands import Put
from onward.core.events import StartRun, Sweep, Wake
from onward.core.horizon import HORIZON
from onward.core.pipeline import HOUR
from onward.core.plan import END
from onward.core.state import (
    Failed,
    Node,
    NodeKey,
    Note,
    Run,
    RunKey,
    Running,
    RunState,
    Submitting,
    Succeeded,
)
from onward.ports import Write
from onward.recovery import expired, unfinished
from onward.stores.memory import MemoryStore


def run(store: MemoryStore, name: str, state: RunState, started: int = 1, ended: int | None = None) -> None:
    doc = Run("p", "plan", state, started, {"n": 1}, {"on": "hand"}, ended)
    store.commit([Write(Put(RunKey(name), doc), 0)])


def test_every_node_of_an_open_run_is_woken_and_its_first_ones_and_its_net() -> None:
    store = MemoryStore()
    run(store, "r", RunState.RUNNING)
    for name, phase in (("a", Succeeded()), ("b", Running("job", 1, 2)), ("c", Submitting("t", 1, 1))):
        store.commit([Write(Put(NodeKey("r", name), Node(phase, 1)), 0)])
    assert list(unfinished(store)) == [
        Wake("r", "a"),
        Wake("r", "b", orphaned=True),
        Wake("r", "c", orphaned=True),
        StartRun("r", "p", "plan", {"n": 1}, {"on": "hand"}),
        Sweep("r", "watch"),
    ]


def test_a_run_that_is_being_cancelled_is_swept() -> None:
    store = MemoryStore()
    run(store, "r", RunState.CANCELLING)
    assert Sweep("r", "cancel") in list(unfinished(store))


def test_a_run_that_its_deadline_stops_is_swept_as_one() -> None:
    store = MemoryStore()
    doc = Run("p", "plan", RunState.CANCELLING, 1, error="stopped after its deadline of 2h")
    store.commit([Write(Put(RunKey("r"), doc), 0)])
    assert [event for event in unfinished(store) if isinstance(event, Sweep)] == [
        Sweep("r", "watch"),
        Sweep("r", "deadline"),
    ]


def test_what_the_last_runs_to_end_did_not_announce_is_told() -> None:
    store = MemoryStore()
    note = Note("run_ended", 2 * HOUR)
    for name, at in (("long ago", HOUR - 1), ("last", 2 * HOUR)):
        doc = Run("p", "plan", RunState.FAILED, 1, ended=at, untold=(note,))
        node = Node(Failed("no"), 1, untold=(Note("step_failed", 2 * HOUR, 1),))
        store.commit([Write(Put(RunKey(name), doc), 0), Write(Put(NodeKey(name, "a"), node), 0)])
    assert list(unfinished(store)) == [Wake("last", "a"), Wake("last", END)]


def test_an_ended_run_is_left_alone() -> None:
    store = MemoryStore()
    run(store, "r", RunState.FAILED, ended=2)
    store.commit([Write(Put(NodeKey("r", "a"), Node(Succeeded(), 1)), 0)])
    assert list(unfinished(store)) == []


def test_ended_runs_whose_time_has_come_are_removed_and_no_others() -> None:
    store = MemoryStore()
    run(store, "old", RunState.SUCCEEDED, 1, 10)
    run(store, "late", RunState.FAILED, 1, 11)
    run(store, "open", RunState.RUNNING, 1)
    run(store, "young", RunState.SUCCEEDED, 1_000, 2_000)
    assert list(expired(store, 10 + HORIZON)) == [Sweep("old", "watch")]
    assert list(expired(store, 9 + HORIZON)) == []
