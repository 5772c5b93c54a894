"""What must hold between the keys that control a step."""

from __future__ import annotations

from onward.core import templates
from onward.core.definition.nodes import Node
from onward.core.pipeline import Dataflow, ObjectTrigger, Pipeline, Step
from onward.core.problems import Report, shown

MAX_ALWAYS = 15
"""With the clusters of a pipeline less than a sweep's width: what always runs must not fill it."""


def check_controls(pipeline: Pipeline, root: Node, report: Report) -> None:
    """All steps of the pipeline."""
    for step in pipeline.steps:
        _when(step, root, report)
        _if(step, root, report)
        _unless_exists(step, pipeline, root, report)
        _places(step, root, report)
    _always(pipeline, root, report)


def _when(step: Step, root: Node, report: Report) -> None:
    if step.when != "success" and not step.needs:
        at = ("steps", step.name, "when")
        message = f"{shown(step.when)} is about what a step needs, and this one needs nothing"
        report.say(root.line_at(at), at, message, "add `needs`, or remove `when`")


def _if(step: Step, root: Node, report: Report) -> None:
    condition = step.condition
    if condition and not templates.is_template(condition) and condition not in ("true", "false"):
        at = ("steps", step.name, "if")
        hint = f"write a template, such as `{{{{ {shown(condition, bare=True)} }}}}`"
        report.say(root.line_at(at), at, "is always neither true nor false", hint)


def _unless_exists(step: Step, pipeline: Pipeline, root: Node, report: Report) -> None:
    at = ("steps", step.name, "unless_exists")
    if step.unless_exists is not None and root.at(("steps", step.name, "outputs")) is None:
        report.say(root.line_at(at), at, "the step says nothing of what it makes", "add `outputs`")
    if step.unless_exists is not None and step.for_each is not None:
        hint = "remove one of the two"
        report.say(root.line_at(at), at, "is not for a step with `for_each`", hint)
    arrives = any(isinstance(trigger, ObjectTrigger) for trigger in pipeline.triggers)
    if step.unless_exists == "newer" and not step.inputs and not arrives:
        message = "newer than what? No object starts the run"
        report.say(root.line_at(at), at, message, "add `inputs`")
    if step.inputs and step.unless_exists != "newer":
        at = ("steps", step.name, "inputs")
        report.say(root.line_at(at), at, "nothing asks how old they are", "add `unless_exists: newer`")


def _places(step: Step, root: Node, report: Report) -> None:
    for key, uris in (("outputs", step.outputs), ("inputs", step.inputs)):
        for place, uri in enumerate(uris):
            if uri and not uri.startswith(("gs://", "{{", "{%")):
                at = ("steps", step.name, key, place)
                report.say(
                    root.line_at(at), at[:3], f"{shown(uri)} is no object's URI", "write gs://bucket/name"
                )


def _always(pipeline: Pipeline, root: Node, report: Report) -> None:
    found = [step for step in pipeline.steps if step.when == "always" or _drained(step)]
    if len(found) > MAX_ALWAYS:
        step = found[MAX_ALWAYS]
        key = ("when",) if step.when == "always" else ("dataflow", "until")
        at = ("steps", step.name, *key)
        message = f"is one too many: at most {MAX_ALWAYS} steps have `until` or `when: always`"
        report.say(root.line_at(at), at, message, "for all others `all_done` is enough")


def _drained(step: Step) -> bool:
    return isinstance(step.does, Dataflow) and bool(step.does.until)
