"""Cloud Workflows writes a log entry when an execution ends. The execution's labels are not in it."""

from __future__ import annotations

from onward.core.problems import shown
from onward.ingress.entries import Entry
from onward.ingress.facts import Doorbell, Facts, Ignored, Poison, Result

EXECUTIONS = "workflows.googleapis.com/executions_system"
_TERMINAL = ("SUCCEEDED", "FAILED", "CANCELLED")


def bell(entry: Entry) -> Result:
    """A `Doorbell` for an execution that ended."""
    state = (entry.payload or {}).get("state")
    if state not in _TERMINAL:
        return Ignored(f"the execution is in state {shown(str(state))}, which is not final")
    labels = entry.resource.labels
    execution = entry.labels.get("workflows.googleapis.com/execution_id", "")
    names = (
        labels.get("project_id", ""),
        labels.get("location", ""),
        execution,
        labels.get("workflow_id", ""),
    )
    if not all(names):
        return Poison("an execution's entry must name its project, location, workflow and execution")
    if any("/" in name for name in names):
        return Poison("an execution's entry names something with a slash")
    project, location, execution, workflow = names
    return Facts((Doorbell("workflows", "execution", project, location, execution, parent=workflow),))
