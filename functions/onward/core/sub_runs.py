"""Runs of other pipelines that could never start: of what is not there, or takes other parameters."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from onward.core.collecting import BY_DAY
from onward.core.pipeline import AbsentTrigger, Pipeline, PipelineTrigger, SubRun
from onward.core.problems import Finding, did_you_mean, listed, shown


def misfits(pipelines: Mapping[str, Pipeline], unread: bool) -> dict[str, list[Finding]]:
    """By pipeline, what is wrong with its sub-runs, and with those whose end it waits for.

    `unread`: there are pipelines that nobody could read.
    """
    found = {
        name: [*_misfits(each, pipelines, unread), *_unfollowed(each, pipelines, unread)]
        for name, each in pipelines.items()
    }
    return {name: findings for name, findings in found.items() if findings}


def _misfits(pipeline: Pipeline, known: Mapping[str, Pipeline], unread: bool) -> Iterator[Finding]:
    for step in pipeline.with_handlers:
        if not isinstance(step.does, SubRun):
            continue
        at = (*step.place, "pipeline")
        child = known.get(step.does.pipeline)
        if child is not None:
            yield from _given(child, step.does, at)
        elif not unread:
            yield _unknown("pipeline", step.does.pipeline, known, at)

    for trigger in pipeline.triggers:
        if isinstance(trigger, AbsentTrigger) and trigger.on_absent is not None:
            yield from _on_absent(trigger, known, unread)


def _on_absent(trigger: AbsentTrigger, known: Mapping[str, Pipeline], unread: bool) -> Iterator[Finding]:
    """It gets what the day says, by name."""
    at = ("trigger", "absent_by", "on_absent")
    other = known.get(trigger.on_absent or "")
    if other is None:
        if not unread:
            yield _unknown("pipeline", trigger.on_absent or "", known, at)
        return
    for param in other.params:
        if param.required and param.name not in (trigger.params or BY_DAY):
            message = (
                f"the day does not say {shown(param.name)} ({param.type}), which {shown(other.name)} needs"
            )
            yield Finding(at, message, "add it to `params` of `absent_by`, or give it a default")


def _unfollowed(pipeline: Pipeline, known: Mapping[str, Pipeline], unread: bool) -> Iterator[Finding]:
    at = ("trigger", "pipeline")
    for trigger in pipeline.triggers:
        if not isinstance(trigger, PipelineTrigger):
            continue
        for name in trigger.pipelines:
            source = known.get(name)
            if source is not None and not trigger.params and len(trigger.pipelines) == 1:
                yield from _handed_on(source, pipeline, at)
            elif source is None and not unread:
                yield _unknown("pipeline", name, known, at)


def _handed_on(source: Pipeline, pipeline: Pipeline, at: tuple[str, ...]) -> Iterator[Finding]:
    there = {param.name for param in source.params}
    for param in pipeline.params:
        if param.required and param.name not in there:
            message = f"no run could start: {shown(source.name)} has no parameter {shown(param.name)}"
            yield Finding(at, message, f"add `params` that give {shown(param.name)}")


def _given(child: Pipeline, does: SubRun, at: tuple[str, ...]) -> Iterator[Finding]:
    names = [param.name for param in child.params]
    for name in sorted(does.params.keys() - set(names)):
        yield _unknown(f"parameter of {shown(child.name)}", name, names, (*at, "params", name))
    for param in child.params:
        if param.required and param.name not in does.params:
            message = f"the parameter {shown(param.name)} ({param.type}) of {shown(child.name)} is missing"
            yield Finding((*at, "params"), message, f"add it to `params` of {shown(at[-2])}")


def _unknown(what: str, name: str, known: Collection[str], at: tuple[str, ...]) -> Finding:
    hint = did_you_mean(name, known) or (f"there are {listed(known)}" if known else "there are none")
    return Finding(at, f"no {what} is named {shown(name)}", hint)
