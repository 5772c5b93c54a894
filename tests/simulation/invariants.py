"""What must hold in every world, each with its sentence; `Violation` says which seed broke which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from onward.core.events import JobState
from onward.core.plan import StepNode
from onward.core.state import Key, Node, NodeKey, Run, RunKey, Succeeded
from onward.ports import JobRequest, Versioned

if TYPE_CHECKING:
    from simulation.world import World


class Violation(AssertionError):
    """A promise was broken."""


class Watcher:
    """Looks at every commit and every submit."""

    def __init__(self, world: World) -> None:
        self.world = world

    def submitted(self, request: JobRequest) -> None:
        """No step runs before what it needs, and at most one job of a step is alive."""
        for name, job in self.world.service.jobs.items():
            same_step = (job.request.run, job.request.node) == (request.run, request.node)
            if same_step and name != request.name and job.state(self.world.time) is JobState.RUNNING:
                raise Violation(f"{request.name} was submitted while {name} was alive")
        for need in request.step.needs:
            node = self._node(NodeKey(request.run, need))
            if not isinstance(node.phase, Succeeded):
                raise Violation(f"{request.name} was submitted although {need} is {node.phase}")

    def _node(self, key: NodeKey) -> Node:
        found = self.world.store.docs.get(key)
        return found.doc if found is not None and isinstance(found.doc, Node) else Node()

    def committed(self, before: Mapping[Key, Versioned], after: Mapping[Key, Versioned]) -> None:
        """A finished thing never changes, and a run does not end while a step of it has not."""
        for key, (doc, version) in before.items():
            now = after.get(key)
            if now is not None and now.version == version:
                continue
            if isinstance(doc, Node) and doc.phase.ended and now is not None:
                raise Violation(f"{key} had ended as {doc.phase} and became {now.doc}")
            if isinstance(doc, Run) and doc.state.ended and now is not None:
                raise Violation(f"{key} had ended as {doc.state} and became {now.doc}")
            if isinstance(doc, Node | Run) and now is None and not self._expired(key, after, before):
                raise Violation(f"{key} vanished")
        for key, (doc, _) in after.items():
            if isinstance(doc, Run) and doc.state.ended and before.get(key) != after[key]:
                assert isinstance(key, RunKey)
                self._all_ended(key.run, doc, after)
        for key, (doc, _) in after.items():
            if isinstance(doc, Node) and len(doc.arrived) > 32:
                raise Violation(f"{key} has grown to {len(doc.arrived)} members")

    def _expired(self, key: Key, after: Mapping[Key, Versioned], before: Mapping[Key, Versioned]) -> bool:
        assert isinstance(key, NodeKey | RunKey)
        run = before[RunKey(key.run)].doc
        return isinstance(run, Run) and run.ended is not None and self.world.time > run.ended + 34 * 86_400_000_000

    def _all_ended(self, run_id: str, run: Run, docs: Mapping[Key, Versioned]) -> None:
        plan = self.world.plans[run.plan]
        for name, node in plan.nodes.items():
            if isinstance(node, StepNode):
                found = docs.get(NodeKey(run_id, name))
                if found is None or not isinstance(found.doc, Node) or not found.doc.phase.ended:
                    raise Violation(f"run {run_id} ended as {run.state} while {name} is {found}")

    def at_the_end(self) -> None:
        """Every run has ended, and no job is alive."""
        for key, (doc, _) in self.world.store.docs.items():
            if isinstance(doc, Run) and not doc.state.ended:
                raise Violation(f"{key} never ended: {doc.state}")
        alive = self.world.service.alive()
        if alive:
            raise Violation(f"still running: {[job.request.name for job in alive]}")
