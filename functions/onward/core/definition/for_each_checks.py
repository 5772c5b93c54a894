"""What must hold of a step that runs once per item of a list."""

from __future__ import annotations

from collections.abc import Collection

from onward.core import templates
from onward.core.definition.nodes import Node
from onward.core.pipeline import Dataflow, ForEach, Pipeline, Step
from onward.core.problems import Path, Report, shown


def check_for_each(
    pipeline: Pipeline, step: Step, reserved: Collection[str], root: Node, report: Report
) -> None:
    """Its lists, the names of its items, and what it can't be together with."""
    at: Path = ("steps", step.name)
    if step.for_each is None:
        for key in ("max_parallel", "allow_failures"):
            if root.at((*at, key)) is not None:
                message = "is about the items of a list, and there is none"
                report.say(root.line_at((*at, key)), (*at, key), message, "add `for_each`")
        return
    if isinstance(step.does, Dataflow) and (step.does.until or step.does.detached):
        where = (*at, "dataflow", "until" if step.does.until else "detached")
        report.say(root.line_at(where), where, "can't be together with `for_each`", "remove one of the two")
    if step.when == "always":
        # What a cancel may not stop must not fill its sweep.
        message = "its items would go on in a run that is cancelled"
        report.say(root.line_at((*at, "when")), (*at, "when"), message, "write `all_done`")
    _list(step.for_each, (*at, "for_each"), root, report)
    taken = {param.name: "a parameter's name" for param in pipeline.params}
    taken |= dict.fromkeys(reserved, "a word with a meaning in templates")
    where = (*at, "for_each")
    for name in step.for_each.names():
        if name in taken:
            hint = "rename the parameter" if name == "index" else "say `as: NAME`"
            message = f"an item can't be called {shown(name)}: it is {taken[name]}"
            report.say(root.line_at(where), where, message, hint)
        taken[name] = "what the list around it calls its own"


def _list(each: ForEach, at: Path, root: Node, report: Report) -> None:
    """What it is must be able to give a list."""
    record = isinstance(getattr(root.at(at), "value", None), dict)
    where = (*at, "items") if record else at
    if isinstance(each.items, str):
        if each.objects is None and not templates.is_template(each.items):
            hint = "write a list, or `{{ }}` around what gives one; for objects: `objects: gs://…`"
            report.say(root.line_at(where), where, f"{shown(each.items)} is text, not a list", hint)
    elif each.objects is None and not isinstance(each.items, list) and root.at(where) is not None:
        report.say(root.line_at(where), where, "must be a list, or a template of one")
    if each.inner is not None:
        _list(each.inner, (*at, "for_each"), root, report)
