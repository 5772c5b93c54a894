"""What must hold of how runs end: their limits, their handlers, what is announced of them."""

from __future__ import annotations

from onward.core.definition.nodes import Node
from onward.core.pipeline import AbsentTrigger, Dataflow, Dataproc, Pipeline, Step, spelled
from onward.core.problems import Path, Report, shown


def check_endings(pipeline: Pipeline, root: Node, report: Report) -> None:
    """All of the pipeline."""
    _limits(pipeline, root, report)
    for handler in pipeline.handlers:
        _handler(handler, pipeline, root, report)
    _announced(pipeline, root, report)


def _limits(pipeline: Pipeline, root: Node, report: Report) -> None:
    deadline, at = pipeline.deadline, ("deadline",)
    if not deadline:
        return
    for step in pipeline.steps:
        if step.timeout and step.timeout > deadline:
            message = f"is shorter than the `timeout` of {shown(step.name)}, {spelled(step.timeout)}"
            report.say(root.line_at(at), at, message, "raise it, or lower that")
    if pipeline.expect_within and pipeline.expect_within >= deadline:
        at = ("expect_within",)
        message = f"a run that is late has been stopped before, by its `deadline` of {spelled(deadline)}"
        report.say(root.line_at(at), at, message, "lower it")


def _handler(step: Step, pipeline: Pipeline, root: Node, report: Report) -> None:
    match step.does:
        case Dataproc(cluster=str(name)) if pipeline.cluster(name) is not None:
            at: Path = (*step.place, "dataproc", "cluster")
            message = f"the cluster {shown(name)} is deleted before a handler runs"
            report.say(root.line_at(at), at, message, "use a serverless batch, or another cluster")
        case Dataflow(until=until, detached=detached) if until is not None or detached:
            at = (*step.place, "dataflow")
            report.say(root.line_at(at), at, "a handler can't be a streaming job", "nothing comes after it")
        case _:
            pass


def _announced(pipeline: Pipeline, root: Node, report: Report) -> None:
    needed = {
        "run_late": (bool(pipeline.expect_within), "the run says not when it is", "add `expect_within`"),
        "step_late": (
            any(step.expect_within for step in pipeline.steps),
            "no step says when it is",
            "add `expect_within` to a step",
        ),
        "object_absent": (
            any(isinstance(trigger, AbsentTrigger) for trigger in pipeline.triggers),
            "no object is expected by a time",
            "add an `absent_by` trigger",
        ),
    }
    for kind in pipeline.announce:
        there, message, hint = needed.get(kind, (True, "", ""))
        if not there:
            at = ("announce",)
            report.say(root.line_at(at), at, f"{shown(kind)} is never announced: {message}", hint)
