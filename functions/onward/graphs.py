"""A pipeline's steps as text or as a Mermaid diagram, level by level."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from onward.core.pipeline import (
    AbsentTrigger,
    BatchTrigger,
    ForEach,
    MessageTrigger,
    ObjectsTrigger,
    ObjectTrigger,
    Pipeline,
    PipelineTrigger,
    ScheduleTrigger,
    Step,
    Trigger,
    globs,
)


def levels(pipeline: Pipeline) -> list[list[Step]]:
    """The steps by their longest way from the start: each needs at least one of the level before."""
    needed_by: dict[str, list[Step]] = defaultdict(list)
    missing = {step.name: len(set(step.needs)) for step in pipeline.steps}
    for step in pipeline.steps:
        for need in set(step.needs):
            needed_by[need].append(step)
    found = []
    level = [step for step in pipeline.steps if not missing[step.name]]
    while level:
        found.append(level)
        following = []
        for step in level:
            for after in needed_by[step.name]:
                missing[after.name] -= 1
                if not missing[after.name]:
                    following.append(after)
        level = following
    return found


def text(pipeline: Pipeline) -> str:
    """A line for each step: its level, its kind, and what it comes after."""
    name_width = max(len(step.name) for step in pipeline.steps)
    kind_width = max(len(step.kind) for step in pipeline.steps)
    found = levels(pipeline)
    number_width = len(str(len(found)))
    lines = [pipeline.name + (f": {pipeline.description}" if pipeline.description else "")]
    lines += [f"started by {start}" for start in starts(pipeline)] + [""]
    for number, level in enumerate(found, 1):
        for place, step in enumerate(level):
            branch = "─" if len(level) == 1 else "┬" if place == 0 else "└" if step is level[-1] else "├"
            label = str(number) if place == 0 else ""
            after = f"after {', '.join(step.needs)}" if step.needs else ""
            each = f"each of {_list(step.for_each)}" if step.for_each is not None else ""
            told = "; ".join(filter(None, (after, each)))
            columns = f"{step.name:{name_width}}  {step.kind:{kind_width}}  {told}"
            lines.append(f"{label:>{number_width}} {branch} {columns}".rstrip())
    return "\n".join(lines) + "\n"


def _list(each: ForEach) -> str:
    """Where the items come from."""
    found = each.objects or (each.items if isinstance(each.items, str) else f"{len(each.items):,} items")
    return found if each.inner is None else f"{found}, and in each of {_list(each.inner)}"


def mermaid(pipeline: Pipeline) -> str:
    """A flowchart, as GitHub and many editors draw it."""
    ids = {step.name: f"s{number}" for number, step in enumerate(pipeline.steps)}
    lines = ["flowchart LR"]
    for number, start in enumerate(starts(pipeline)):
        lines.append(f'    t{number}(["{_quoted(start)}"])')
        lines += [f"    t{number} --> {ids[step.name]}" for step in pipeline.steps if not step.needs]
    lines += [f'    {ids[step.name]}["{_quoted(step.name)}<br>{step.kind}"]' for step in pipeline.steps]
    lines += [f"    {ids[need]} --> {ids[step.name]}" for step in pipeline.steps for need in step.needs]
    return "\n".join(lines) + "\n"


def starts(pipeline: Pipeline) -> list[str]:
    """What starts a run by itself: nothing, for a pipeline that is started by hand."""
    return [line for trigger in pipeline.triggers for line in _start(trigger)]


def _start(trigger: Trigger) -> Iterator[str]:
    match trigger:
        case ObjectTrigger() | ObjectsTrigger() | BatchTrigger() | AbsentTrigger():
            yield from (f"gs://{trigger.bucket}/{pattern}" for pattern in globs(trigger))
        case MessageTrigger():
            yield f"topic {trigger.topic}"
        case ScheduleTrigger():
            yield f"{trigger.cron} {trigger.time_zone}"
        case PipelineTrigger():
            yield f"end of {' and '.join(trigger.pipelines)}"


def _quoted(value: str) -> str:
    """As Mermaid wants it between quotes."""
    entities = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "\n": " "}
    return "".join(entities.get(character, character) for character in value)
