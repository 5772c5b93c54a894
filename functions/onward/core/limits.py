"""How long a run may take, and when it is late.

One timer at a time waits for the next of these. Should it be lost, the net under the run looks, too.
"""

from __future__ import annotations

from msgspec.structs import replace

from onward.core.attempts import SLACK
from onward.core.draft import Draft
from onward.core.pipeline import Pipeline, spelled
from onward.core.state import Run, RunState


def next_limit(run: Run, pipeline: Pipeline, now: int) -> int | None:
    """When the first of the run's limits comes that is still to come (µs)."""
    if run.state is not RunState.RUNNING:
        return None
    limits = (pipeline.deadline, None if run.late else pipeline.expect_within)
    to_come = (run.started + limit for limit in limits if limit is not None)
    return min((time for time in to_come if time > now), default=None)


def look(draft: Draft, run: Run) -> Run:
    """The run, stopped if it is over its deadline, and known as late if it is."""
    deadline, expected = draft.plan.pipeline.deadline, draft.plan.pipeline.expect_within
    if run.state is not RunState.RUNNING:
        return run
    age = draft.now + SLACK - run.started
    if expected is not None and age >= expected and not run.late:
        run = replace(run, late=True)
    if deadline is not None and age >= deadline:
        error = f"stopped after its deadline of {spelled(deadline)}"
        run = replace(run, state=RunState.CANCELLING, error=error)
    return run
