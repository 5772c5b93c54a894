"""Which steps of a run have failed: for its handlers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from onward.core.plan import END, End, Plan, StepNode
from onward.core.readiness import failed_children
from onward.core.state import Failed, Key, Node, NodeKey, Run, UpstreamFailed
from onward.ports import Reads

MOST = 32
"""Steps that are named."""
MOST_READ = 1_000
"""Documents that are looked at, however large the run is."""


def facts(store: Reads, plan: Plan, run: str, doc: Run) -> dict[str, Any]:
    """What the templates of a handler may say of the run beside the rest: `run.failed` and `run.error`."""
    failed = failed_steps(store, plan, run)
    errors = [f"step {name} did not succeed: {error}" for name, error in failed[:1]]
    return {"failed": [name for name, _ in failed], "error": doc.error or "".join(errors)}


def failed_steps(store: Reads, plan: Plan, run: str) -> list[tuple[str, str]]:
    """The steps that failed, with their errors, in the order of the file; looked for from the end back."""
    end = plan.nodes[END]
    assert isinstance(end, End)
    found: dict[str, str] = {}
    seen: set[str] = set()
    waiting = {end.last}
    while waiting and len(found) < MOST and len(seen) < MOST_READ:
        keys: dict[str, Key] = {name: NodeKey(run, name) for name in sorted(waiting)}
        seen |= waiting
        docs = store.read(keys.values())
        waiting = set()
        for name, key in keys.items():
            doc = docs[key].doc if key in docs else None
            if isinstance(doc, Node):
                if isinstance(doc.phase, Failed):
                    found[name] = doc.phase.error
                waiting |= {before for before in _before(plan, name, doc) if before not in seen}
    order = {name: node.number for name, node in plan.step_nodes()}
    return sorted(found.items(), key=lambda each: order.get(each[0], 0))[:MOST]


def _before(plan: Plan, name: str, node: Node) -> Iterator[str]:
    if not isinstance(node.phase, UpstreamFailed):
        return
    match plan.nodes.get(name):
        case StepNode(after=str(after)):
            yield after
        case _:
            yield from failed_children(node.arrived)
