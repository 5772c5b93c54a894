"""What must hold between the values of a pipeline.

The pipeline may still hold the blanks of values that were refused; nothing is said about those again.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from onward.core import params
from onward.core.definition import set_checks
from onward.core.definition.control_checks import check_controls
from onward.core.definition.ending_checks import check_endings
from onward.core.definition.for_each_checks import check_for_each
from onward.core.definition.graph import Ancestors, ancestors
from onward.core.definition.nodes import Node
from onward.core.definition.references import HEADS, check_texts
from onward.core.definition.trigger_checks import checked
from onward.core.pipeline import Dataflow, Dataproc, Param, Pipeline, Step
from onward.core.pools import unfit
from onward.core.problems import Report, shown

RESERVED = HEADS | {
    "range",
    "timedelta",
    "loop",
    "true",
    "false",
    "none",
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
}


def check(pipeline: Pipeline, root: Node, env: Mapping[str, str], report: Report) -> Pipeline:
    """The pipeline with its defaults parsed and its bucket's name rendered. Problems go to `report`."""
    pipeline = replace(pipeline, params=tuple(_param(param, root, report) for param in pipeline.params))
    pipeline = replace(pipeline, triggers=checked(pipeline, root, env, report))
    pipeline = replace(pipeline, triggers=set_checks.checked(pipeline, root, env, report))
    names = {step.name for step in pipeline.steps}
    alike: dict[str, str] = {}
    for handler in pipeline.handlers:
        _step(handler, root, report)
    for step in pipeline.steps:
        _step(step, root, report)
        _streaming(step, names, root, report)
        check_for_each(pipeline, step, RESERVED, root, report)
        first = alike.setdefault(step.name.replace("_", "-"), step.name)
        if first != step.name:
            at = ("steps", step.name)
            report.say(
                root.line_at(at), at, f"the name differs from `{first}` by `-` and `_` only", "rename one"
            )
    before = ancestors(pipeline, root, report)
    _drains(pipeline, before, root, report)
    check_controls(pipeline, root, report)
    check_endings(pipeline, root, report)
    for each in unfit(pipeline):
        report.say(root.line_at(each.at), each.at, each.message, each.hint)
    check_texts(pipeline, before, root, env, report)
    return pipeline


def _param(param: Param, root: Node, report: Report) -> Param:
    at = ("params", param.name)
    if param.name in RESERVED:
        report.say(root.line_at(at), at, f"{shown(param.name)} has a meaning in templates", "rename it")
    if param.default is None or not param.type:
        return param
    line = root.line_at((*at, "default"))
    if param.required:
        report.say(line, at, "is required and has a default", "remove one of the two")
    try:
        return replace(param, default=params.parse(param.type, param.default))
    except ValueError as error:
        report.say(line, (*at, "default"), str(error))
        return param


def _step(step: Step, root: Node, report: Report) -> None:
    at = step.place
    if step.retry.backoff > step.retry.max_backoff:
        line = root.line_at((*at, "retry", "backoff"))
        report.say(line, (*at, "retry"), "`backoff` is longer than `max_backoff`", "raise `max_backoff`")
    match step.does:
        case Dataproc(batch=batch, cluster=str()) if batch:
            field = (*at, "dataproc", "cluster")
            report.say(
                root.line_at(field), field, "a serverless batch has no cluster", "remove it or use `job`"
            )
        case Dataproc(template=template, cluster=str()) if template:
            field = (*at, "dataproc", "cluster")
            report.say(root.line_at(field), field, "a template names its clusters itself", "remove it")
        case Dataproc(spark_sql=sql, job=job, batch=batch, args=args) if args and (sql or job or batch):
            field = (*at, "dataproc", "args")
            report.say(root.line_at(field), field, "only `pyspark` takes `args`", "put it into the body")
        case _:
            pass


def _streaming(step: Step, names: set[str], root: Node, report: Report) -> None:
    """A streaming job never ends by itself, so its step says what its end is."""
    if not isinstance(step.does, Dataflow):
        return
    at = ("steps", step.name, "dataflow")
    until, detached = step.does.until, step.does.detached
    if until is not None and detached:
        report.say(root.line_at((*at, "until")), at, "has `until` and `detached`", "keep exactly one")
    elif step.does.args.get("streaming") is True and until is None and not detached:
        line = root.line_at((*at, "args", "streaming"))
        message = "a streaming job never ends by itself"
        report.say(line, at, message, "add `until: STEP`, which drains it, or `detached: true`")
    if not until:  # or was refused
        return
    line = root.line_at((*at, "until"))
    if until not in names or until == step.name:
        message = "waits for itself" if until == step.name else f"there is no step {shown(until)}"
        report.say(line, (*at, "until"), message, report.similar(until, names - {step.name}) or "")
    if step.retry.attempts > 1:
        report.say(line, (*at, "until"), "a job that is drained can't be retried", "remove `retry`")


def _drains(pipeline: Pipeline, before: Ancestors | None, root: Node, report: Report) -> None:
    for step in pipeline.steps:
        until = step.does.until if isinstance(step.does, Dataflow) else None
        if until and before is not None and until in before.bits and before.has(until, step.name):
            at = ("steps", step.name, "dataflow", "until")
            message = f"{shown(until)} only starts when this step has ended"
            report.say(
                root.line_at(at), at, message, f"remove {shown(step.name)} from what {shown(until)} needs"
            )
