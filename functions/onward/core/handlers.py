"""Handlers: a step for the run that fails, one for the run that succeeds.

Both wait for the last of the run's steps, and the run waits for both. What it comes to is decided by the
steps alone, as if no handler were there; only a success is none if its own handler fails.
"""

from __future__ import annotations

from onward.core.pipeline import ON_FAILURE, ON_SUCCESS
from onward.core.plan import StepNode
from onward.core.state import Cancelled, Failed, Node, Phase, Run, RunState, Skipped, Succeeded


def comes_to(run: Run, last: Node) -> RunState:
    """What the run comes to by its steps alone. `last`: the node that ends with the last of them."""
    if run.overran:
        return RunState.FAILED
    if isinstance(last.phase, Succeeded | Skipped):
        return RunState.SUCCEEDED
    return RunState.CANCELLED if run.state is RunState.CANCELLING else RunState.FAILED


def kept_from(run: Run | None, name: str, last: Node) -> tuple[Phase, str] | None:
    """The end of a handler that does not run, and why; None: it runs."""
    if run is None or (run.state is not RunState.RUNNING and not run.overran):
        return Cancelled(), "the run is being cancelled"
    state = comes_to(run, last)
    if (name == ON_SUCCESS) == (state is RunState.SUCCEEDED):
        return None
    return Skipped(f"the run has {state.value}"), f"the run has {state.value}"


def stops_with(run: Run | None, planned: StepNode) -> bool:
    """Whether this step does not begin, nor again, as things stand: its run is being stopped."""
    if planned.always:
        return False
    if run is None or run.state is RunState.RUNNING:
        return run is None
    return not (run.overran and planned.step.name == ON_FAILURE)


def verdict(run: Run, last: Node, success: Node, failure: Node) -> tuple[RunState, str | None]:
    """What the run ends as, and what its handlers add to its error. A handler that is not there waits."""
    state = comes_to(run, last)
    match state, success.phase, failure.phase:
        case RunState.SUCCEEDED, Failed(error=error), _:
            return RunState.FAILED, f"its on_success handler failed: {error}"
        case RunState.SUCCEEDED, Cancelled(), _:
            return RunState.CANCELLED, None
        case RunState.FAILED, _, Failed(error=error):
            return state, f"its on_failure handler failed, too: {error}"
        case _:
            return state, None
