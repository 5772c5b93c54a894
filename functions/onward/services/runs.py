"""Sub-runs: a run of another pipeline is a job like any other, and its end is its bell."""

from __future__ import annotations

from collections.abc import Callable

from onward.core.errors import UserError
from onward.core.events import CancelRun, Event, JobState, StartRun
from onward.core.naming import run_id
from onward.core.params import bind
from onward.core.pipeline import SubRun
from onward.core.plan import Plan
from onward.core.starting import next_hop
from onward.core.state import Cancelling, Node, NodeKey, Run, RunKey, RunState
from onward.ports import Accepted, Declined, JobRef, JobRequest, Status, Store, Submission

_STATES = {
    RunState.SUCCEEDED: JobState.SUCCEEDED,
    RunState.FAILED: JobState.FAILED,
    RunState.CANCELLED: JobState.CANCELLED,
    RunState.SKIPPED: JobState.FAILED,
}


class SubRuns:
    """See `ports.Service`. `plan` gives the deployed plan of a pipeline; `tell` has an event delivered.

    `lasting`: what was told is delivered even if this process dies.
    """

    def __init__(
        self, store: Store, plan: Callable[[str], Plan], tell: Callable[[Event], None], *, lasting: bool
    ) -> None:
        self._store = store
        self._plan = plan
        self._tell = tell
        self._lasting = lasting

    def submit(self, request: JobRequest) -> Submission:
        """See `ports.Service`. A repeat names the same run."""
        does = request.step.does
        assert isinstance(does, SubRun)
        parent = self._run(request.run)
        try:
            hops = next_hop(parent.trigger if parent is not None else {})
            plan = self._plan(does.pipeline)
            params = bind(plan.pipeline.params, does.params)
        except UserError as error:
            return Declined(str(error))
        child = _child(does, request.run, request.node, request.attempt)
        trigger = {
            "on": "run",
            "run": request.run,
            "step": request.node,
            "attempt": request.attempt,
            "hops": hops,
        }
        self._tell(StartRun(child, does.pipeline, plan.name, params, trigger))
        return Accepted(child, rings=not request.again)

    def status(self, ref: JobRef) -> Status:
        """See `ports.Service`."""
        child = _of(ref)
        step = NodeKey(ref.run, ref.node)
        found = self._store.read([RunKey(child), step])
        run = found[RunKey(child)].doc if RunKey(child) in found else None
        if not isinstance(run, Run):
            node = found[step].doc if step in found else None
            # Its start is on its way. Once its step is being stopped, it will not start any more.
            stops = not isinstance(node, Node) or isinstance(node.phase, Cancelling)
            return Status(JobState.RUNNING if self._lasting and not stops else JobState.NOT_FOUND, child)
        state = _STATES.get(run.state, JobState.RUNNING)
        error = "" if state in {JobState.RUNNING, JobState.SUCCEEDED} else f"run {child} {run.state}: "
        return Status(state, child, {"run": child}, error and error + (run.error or "it was cancelled"))

    def cancel(self, ref: JobRef) -> None:
        """See `ports.Service`."""
        self._tell(CancelRun(_of(ref)))

    def _run(self, run: str) -> Run | None:
        found = self._store.read([RunKey(run)]).get(RunKey(run))
        return found.doc if found is not None and isinstance(found.doc, Run) else None


def _of(ref: JobRef) -> str:
    does = ref.step.does
    assert isinstance(does, SubRun)
    return _child(does, ref.run, ref.node, ref.attempt)


def _child(does: SubRun, run: str, node: str, attempt: int) -> str:
    return run_id(does.pipeline, "run", run, node, str(attempt))
