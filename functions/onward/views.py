"""What people and scripts see of a run: plain JSON-able values, times as RFC 3339 with microseconds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from onward.core.backfill import Backfill
from onward.core.errors import NotFound
from onward.core.gates import runs_gate
from onward.core.naming import item_name, job_name, next_try, parse_job_name, try_number
from onward.core.plan import Plan, StepNode
from onward.core.problems import listed, shown
from onward.core.state import (
    BackfillKey,
    Backoff,
    Cancelling,
    Failed,
    Node,
    NodeKey,
    PipelineKey,
    PipelineState,
    Queued,
    Run,
    RunKey,
    Running,
    RunState,
    Skipped,
    Succeeded,
    UpstreamFailed,
)
from onward.items import nodes_of, progress
from onward.plans import Plans
from onward.ports import Objects, Store

MOST_COUNTED = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(at: int | None) -> str | None:
    """Microseconds since 1970 as `2026-11-22T10:00:00.000000Z`."""
    if at is None:
        return None
    return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Views:
    """Reads runs from a store."""

    def __init__(self, store: Store, objects: Objects) -> None:
        self._store = store
        self._plans = Plans(store)
        self.objects = objects

    def run(self, run: str) -> dict[str, Any]:
        """One run with its steps, in the fixed spelling that scripts rely on. Raises `NotFound`."""
        doc, plan = self._found(run)
        nodes = self._nodes(run, plan)
        return {
            "run": run,
            "pipeline": doc.pipeline,
            "state": doc.state.value,
            "params": doc.params,
            "started": rfc3339(doc.started),
            "ended": rfc3339(doc.ended),
            "steps": [self._step(run, name, planned, nodes[name]) for name, planned in plan.step_nodes()],
        }

    def details(self, run: str) -> dict[str, Any]:
        """The run, what started it and why it failed; for each step what it waits for, and its history."""
        doc, plan = self._found(run)
        nodes = self._nodes(run, plan)
        seen = self.run(run)
        for step in seen["steps"]:
            node = nodes[step["name"]]
            step["waits_for"] = waits_for(step["name"], plan, nodes)
            step["bells"], step["checks"] = node.bells, node.checks
            step["kind"] = plan.step_node(step["name"]).step.kind
            step["history"] = [
                {"at": rfc3339(entry.at), "event": entry.event, "state": entry.state, "why": entry.why}
                for entry in node.history
            ]
        about = {"trigger": doc.trigger, "error": doc.error, "plan": doc.plan, "try": try_number(run)}
        waits = self._waits(doc.pipeline) if doc.state is RunState.QUEUED else None
        return {**seen, "waits_for": waits, **about}

    def _waits(self, pipeline: str) -> str:
        """Why a run of this pipeline is not let in."""
        [found] = self.pipelines([pipeline])
        if found["paused"]:
            return f"{pipeline} is paused"
        active = found["active"]
        return f"{active:,} run{' of it is' if active == 1 else 's of it are'} under way"

    def runs(self, pipeline: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
        """The latest runs, without their steps."""
        return [
            {
                "run": run,
                "pipeline": doc.pipeline,
                "state": doc.state.value,
                "params": doc.params,
                "started": rfc3339(doc.started),
                "ended": rfc3339(doc.ended),
                "error": doc.error,
            }
            for run, doc in self._store.runs(pipeline=pipeline, limit=limit)
        ]

    def backfill(self, name: str) -> Backfill:
        """A backfill's document. Raises `NotFound`."""
        found = self._store.read([BackfillKey(name)]).get(BackfillKey(name))
        if found is None or not isinstance(found.doc, Backfill):
            raise NotFound(f"there is no backfill {name}; `onward backfills` lists them")
        return found.doc

    def pipelines(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Of each: whether it is paused, how many of its runs wait for admission, how many are under way."""
        states = self._store.read([PipelineKey(name) for name in names])
        found = []
        for name in names:
            state = states.get(PipelineKey(name))
            waiting = self._store.count("waiters", runs_gate(name), MOST_COUNTED)
            under_way = self._store.runs(pipeline=name, open_only=True, limit=MOST_COUNTED)
            found.append(
                {
                    "pipeline": name,
                    "paused": bool(state and isinstance(state.doc, PipelineState) and state.doc.paused),
                    "waiting": waiting,
                    "active": max(0, len(under_way) - waiting),
                }
            )
        return found

    def newest_try(self, run: str) -> str:
        """The latest try of a run that was tried again."""
        while self._store.read([RunKey(next_try(run))]):
            run = next_try(run)
        return run

    def _found(self, run: str) -> tuple[Run, Plan]:
        found = self._store.read([RunKey(run)]).get(RunKey(run))
        plan = self._plans.of_run(run)
        if found is None or plan is None or not isinstance(found.doc, Run):
            raise NotFound(f"there is no run {run}; `onward runs` lists them")
        return found.doc, plan

    def _nodes(self, run: str, plan: Plan) -> dict[str, Node]:
        keys = {name: NodeKey(run, name) for name, _ in plan.step_nodes()}
        found = self._store.read(keys.values())
        return {
            name: doc.doc if (doc := found.get(key)) and isinstance(doc.doc, Node) else Node()
            for name, key in keys.items()
        }

    def items(self, run: str, step: str, first: int = 0, limit: int = 50) -> list[dict[str, Any]]:
        """Some items of a step's `for_each`, from the one at that place on. Raises `NotFound`."""
        _, plan = self._found(run)
        whole = self._nodes(run, plan).get(step)
        if whole is None:
            names = [name for name, _ in plan.step_nodes()]
            raise NotFound(f"run {run} has no step {shown(step)}; there are {listed(names)}")
        if whole.items is None:
            return []
        if isinstance(whole.phase, Succeeded) and whole.phase.adopted is not None:
            run = whole.phase.adopted  # its items are there
        planned = plan.step_node(item_name(step, 0))
        places = range(whole.items.count)[first : first + limit]
        nodes = nodes_of(self._store, run, step, places)
        return [self._step(run, name, planned, node) for name, node in nodes]

    def _step(self, run: str, name: str, planned: StepNode, node: Node) -> dict[str, Any]:
        items = node.items
        return {
            "name": name,
            "state": str(node.phase.__struct_config__.tag),
            "attempts": node.attempt,
            "started": rfc3339(node.started),
            "ended": rfc3339(node.ended),
            "job": job_of(run, name, planned.number, node),
            "error": error_of(node),
            "output": self._output(node),
            **({} if items is None else {"items": progress(self._store, planned.step, run, items)}),
        }

    def _output(self, node: Node) -> Any:
        if not isinstance(node.phase, Succeeded):
            return None
        if node.phase.output_uri is not None:
            return msgspec.json.decode(self.objects.get(node.phase.output_uri))
        return node.phase.output


def backfill_view(name: str, doc: Backfill) -> dict[str, Any]:
    """A backfill, as scripts rely on it."""
    return {
        "backfill": name,
        "pipeline": doc.pipeline,
        "state": _backfill_state(doc),
        "asked": msgspec.to_builtins(doc.asked),
        "parallel": doc.size,
        "total": doc.total,
        "passed": doc.next,
        "started": doc.started,
        "failed": doc.failed,
        "under_way": list(doc.open),
        "began": rfc3339(doc.at),
        "ended": rfc3339(doc.ended),
        "error": doc.error,
    }


def _backfill_state(doc: Backfill) -> str:
    if doc.stopped is not None:
        return "stopping" if doc.ended is None else "stopped"
    if doc.ended is None:
        return "running"
    return "failed" if doc.failed or doc.error else "succeeded"


def job_of(run: str, step: str, number: int, node: Node) -> str | None:
    """The job of the attempt made last, by the service's id or else by its name; None before the first.

    A job that ended at once was never recorded: then the node still has the one before it, or none.
    """
    match node.phase:
        case Running(job=job) | Cancelling(job=str(job)):
            return job
    if not node.attempt:
        return None
    name = parse_job_name(node.job or "")
    if node.job and (name is None or name.attempt == node.attempt):
        return node.job
    return job_name(step, run, number, node.attempt)


def error_of(node: Node) -> str | None:
    """Why the node failed, or failed the last time; or why it was skipped."""
    match node.phase:
        case Failed(error=error) | Backoff(error=error):
            return error
        case UpstreamFailed(cause=cause):
            return f"step {cause} did not succeed"
        case Skipped(why=why):
            return why
        case _:
            return None


def waits_for(name: str, plan: Plan, nodes: dict[str, Node]) -> str:
    """What a step is waiting for, in a few words; empty when it waits for nothing."""
    node = nodes[name]
    match node.phase:
        case Queued(gate=gate):
            return f"a slot of {gate.partition(':')[2]}"
        case Backoff(until=until, attempt=attempt):
            return f"attempt {attempt} at {rfc3339(until)}"
        case phase if phase.ended or node.attempt:
            return ""
    planned = plan.nodes[name]
    assert isinstance(planned, StepNode)
    return ", ".join(need for need in planned.step.needs if not nodes[need].phase.ended)
