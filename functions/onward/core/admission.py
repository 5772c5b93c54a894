"""Admission: who may go on. One mechanism for pools, the runs of a pipeline, its pause and its hourly rate.

A gate holds only the admitted; each waiter is a document of its own, whose name is its place in the order.

    comes    the node or the run is queued, with its waiter, in one commit; then the gate is looked at
    grant    the gate is read, then the first waiters are found; as many as there is room for are put into the
             gate and their waiters deleted, in one commit at the gate's version; each is told
    begins   told, a node or a run believes it only if the gate says so
    leaves   in the commit of its end, however it ends; then the gate is looked at

So a slot is never lost: whoever holds one leaves it by ending, and one who ended before he was told gives it
back when he is. And no waiter is forgotten: for all that is queued there is a waiter or a holder, the look
follows every commit after which there might be room for somebody, and a repeat of that event looks again.
What a gate decides is in `gates`.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from onward.core import attempts
from onward.core.commands import Delete, Leave, Put
from onward.core.draft import Draft
from onward.core.events import Admitted, CancelNode, Grant, OfRun, StartRun, TurnedAway, Wake
from onward.core.gates import limit_of, runs_gate
from onward.core.handlers import stops_with
from onward.core.naming import item_place
from onward.core.pipeline import DAY, HOUR, Pipeline
from onward.core.plan import Plan, StepNode
from onward.core.state import (
    Cancelled,
    Gate,
    GateKey,
    Key,
    Node,
    PipelineKey,
    PipelineState,
    Queued,
    Run,
    RunState,
    Submitting,
    Waiter,
    WaiterKey,
)

LATER = 10**16
"""Above every time in microseconds for the next two centuries."""


def pool_gate(plan: Plan, name: str) -> str | None:
    """The gate that a step goes through before its first attempt, if it has a pool."""
    node = plan.node(name)
    if not isinstance(node, StepNode) or node.step.pool is None or node.step.for_each is not None:
        return None
    if node.step.pool == "~step":
        return f"pool:{plan.pipeline.name}.{node.step.name}"
    return f"pool:{node.step.pool}"


def _place(
    pipeline: Pipeline, trigger: Mapping[str, object], priority: int | None, at: int, *names: str
) -> str:
    """The name of a waiter: they are let in, in the order of these."""
    urgent = pipeline.priority if priority is None else priority
    if "backfill" in trigger:
        urgent -= 300  # below all that came by itself
    return "-".join((f"{500 - urgent:04d}", f"{at:016d}", *names))


def _run_place(pipeline: Pipeline, run_id: str, run: Run) -> str:
    at = run.queued or run.started
    newest_first = pipeline.on_conflict == "cancel_running"
    return _place(pipeline, run.trigger, None, LATER - at if newest_first else at, run_id)


def scope(plan: Plan, event: OfRun) -> tuple[Key, ...]:
    """The documents of admission that deciding this event may read."""
    match event:
        case StartRun():
            pipeline = plan.pipeline.name
            return PipelineKey(pipeline), GateKey(runs_gate(pipeline))
        case Admitted(gate=gate) | TurnedAway(gate=gate):
            return (GateKey(gate),)
        case Wake(node=name):
            pool = pool_gate(plan, name)
            return () if pool is None else (GateKey(pool),)
        case _:
            return ()


# Steps ------------------------------------------------------------------


def enter(draft: Draft, name: str, node: Node, why: str = "") -> None:
    """Begin the first attempt of a step or an item, once its pool has a slot for it."""
    gate = pool_gate(draft.plan, name)
    if gate is None:
        attempts.begin(draft, name, node, 1, why)
        return
    draft.move(name, node, Queued(gate, draft.now, draft.now + HOUR), why)
    step = draft.step(name).step
    key = WaiterKey(gate, _node_place(draft, name))
    draft.changes[key] = Put(key, Waiter(draft.run_id, draft.now, name, step.pool_size))
    _ring(draft, gate, _holder(draft, name))


def _node_place(draft: Draft, name: str) -> str:
    run, step = draft.run, draft.step(name).step
    assert run is not None
    return _place(
        draft.plan.pipeline, run.trigger, step.priority, run.started, draft.run_id, item_place(name)
    )


def _holder(draft: Draft, name: str) -> str:
    return f"{draft.run_id}/{name}"


def _ring(draft: Draft, gate: str, by: str, *, net: bool = False) -> None:
    draft.events.append(Grant(gate, by, net))


def _is_in(draft: Draft, gate: str, holder: str) -> bool:
    found = draft.docs.get(GateKey(gate))
    return isinstance(found, Gate) and holder in found.admitted


def look(draft: Draft, name: str, node: Node, event: Wake | Admitted) -> None:
    """A queued step begins if it was let in. Else the gate is looked at: who woke it may know of room."""
    phase, holder = node.phase, _holder(draft, name)
    assert isinstance(phase, Queued)
    if stops_with(draft.run, draft.step(name)):
        cancel(draft, name, node, event)
    elif _is_in(draft, phase.gate, holder):
        attempts.begin(draft, name, node, 1, "a slot was there")
    elif isinstance(event, Wake):
        overdue = draft.now >= phase.due
        if overdue:
            wait = min(max(draft.now - phase.since, HOUR), DAY)
            draft.move(name, node, replace(phase, due=draft.now + wait), "still waiting")
        _ring(draft, phase.gate, holder, net=overdue)


def cancel(draft: Draft, name: str, node: Node, event: Wake | Admitted | CancelNode) -> None:  # noqa: ARG001
    """It waits no longer."""
    if draft.step(name).always:
        return
    phase = node.phase
    assert isinstance(phase, Queued)
    draft.end(name, node, Cancelled(), "before it had a slot")
    waiter = WaiterKey(phase.gate, _node_place(draft, name))
    draft.changes[waiter] = Delete(waiter, blind=True)
    _leave(draft, phase.gate, _holder(draft, name))


def leave(draft: Draft, name: str) -> None:
    """The step has ended: its slot, if it had come to that, is free in the same commit."""
    gate = pool_gate(draft.plan, name)
    if gate is not None and draft.node(name).attempt:
        _leave(draft, gate, _holder(draft, name))


def _leave(draft: Draft, gate: str, holder: str) -> None:
    key = GateKey(gate)
    draft.changes[key] = Leave(key, (holder,))
    _ring(draft, gate, f"{holder} left")


def begun(draft: Draft, name: str, node: Node, event: Admitted) -> None:
    """It was told before. Who was told may have died before it submitted."""
    if isinstance(node.phase, Submitting):
        attempts.take_over(draft, name, node, Wake(event.run, name))


def give_back(draft: Draft, name: str, node: Node, event: Admitted) -> None:  # noqa: ARG001
    """The step has ended already."""
    _leave(draft, event.gate, _holder(draft, name))


def left(draft: Draft, name: str) -> None:
    """The step ended before: whoever ended it may have died before the gate was looked at."""
    gate = pool_gate(draft.plan, name)
    if gate is not None and draft.node(name).attempt:
        _ring(draft, gate, f"{_holder(draft, name)} left")


# Runs -------------------------------------------------------------------


def must_wait(draft: Draft, event: StartRun) -> bool:
    """Whether the run has to ask before it begins."""
    pipeline, gate = draft.plan.pipeline, runs_gate(event.pipeline)
    state, line = draft.docs.get(PipelineKey(event.pipeline)), draft.docs.get(GateKey(gate))
    return (
        draft.context.crowded
        or limit_of(draft.context, gate, pipeline.max_active_runs) is not None
        or (isinstance(state, PipelineState) and state.paused)
        or (isinstance(line, Gate) and line.look > 0)
    )


def queue(draft: Draft, run: Run) -> Run:
    """The run as it waits."""
    pipeline = draft.plan.pipeline
    run = replace(run, state=RunState.QUEUED, queued=draft.now)
    key = WaiterKey(runs_gate(run.pipeline), _run_place(pipeline, draft.run_id, run))
    waiter = Waiter(draft.run_id, draft.now, None, pipeline.max_active_runs, pipeline.on_conflict)
    draft.changes[key] = Put(key, waiter)
    ask(draft, run)
    return run


def ask(draft: Draft, run: Run, *, net: bool = False) -> None:
    """Have the gate looked at for this run."""
    _ring(draft, runs_gate(run.pipeline), draft.run_id, net=net)


def let_in(draft: Draft, run: Run) -> Run | None:
    """The run as it begins; None if no gate let it in."""
    if not _is_in(draft, runs_gate(run.pipeline), draft.run_id):
        return None
    began = max(draft.now, (run.queued or 0) + 1)
    return replace(run, state=RunState.RUNNING, started=began)


def may_turn_away(draft: Draft, event: TurnedAway) -> bool:
    """Whether the run still waits at that gate."""
    run = draft.run
    queued = run is not None and run.state is RunState.QUEUED
    return queued and not _is_in(draft, event.gate, draft.run_id)


def leave_run(draft: Draft, run: Run) -> None:
    """The run ends, in this very commit."""
    if run.queued is None:
        return
    gate = runs_gate(run.pipeline)
    if run.state is RunState.QUEUED:
        waiter = WaiterKey(gate, _run_place(draft.plan.pipeline, draft.run_id, run))
        draft.changes[waiter] = Delete(waiter, blind=True)
    _leave(draft, gate, draft.run_id)


def left_run(draft: Draft, run: Run) -> None:
    """The run ended before: whoever ended it may have died before the gate was looked at."""
    if run.queued is not None:
        _ring(draft, runs_gate(run.pipeline), f"{draft.run_id} left")
