"""Pipelines that would start each other without end: one writes what the next is started by, or runs it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Set

import msgspec

from onward.core import matching, templates
from onward.core.overlap import ANYTHING, Automaton, automaton
from onward.core.pipeline import (
    AbsentTrigger,
    BatchTrigger,
    ObjectsTrigger,
    ObjectTrigger,
    Pipeline,
    PipelineTrigger,
    SubRun,
    globs,
)
from onward.core.problems import Finding, Path, circle, shown

SETS = (ObjectsTrigger, BatchTrigger, AbsentTrigger, PipelineTrigger)
WITHIN = "?*"
"""As a glob: at least one character, and no slash."""
WITHIN_TYPES = ("int", "float", "bool", "date", "datetime")
WITHIN_FACTS = (
    *("trigger.generation", "trigger.size"),
    *("run.id", "run.pipeline", "run.started", "run.try"),
    *("step.name", "step.attempt"),
)


class Start(msgspec.Struct, frozen=True):
    """One pattern of a trigger: the objects that start the pipeline."""

    pipeline: str
    glob: str
    prefix: str
    automaton: Automaton


class Output(msgspec.Struct, frozen=True):
    """One output, sub-run or end that starts pipelines: by the name of each, what to do about it."""

    said: str
    """The pipeline whose file says so."""
    at: Path
    what: str
    starts: Mapping[str, str]


def loops(pipelines: Iterable[Pipeline], env: Mapping[str, str]) -> dict[str, list[Finding]]:
    """By pipeline, each of its outputs and sub-runs that could lead to another run of it."""
    pipelines = list(pipelines)
    starts = [start for each in pipelines for start in _starts(each)]
    subs = {each.name: _sub_runs(each) for each in pipelines}
    by_step = {name for own in subs.values() for output in own for name in output.starts}
    freely = by_step | {each.name for each in pipelines if any(isinstance(t, SETS) for t in each.triggers)}
    outputs = {
        each.name: subs[each.name] + _outputs(each, _known(each, each.name in freely), starts, env)
        for each in pipelines
        if each.triggers or each.name in by_step
    }
    for each in pipelines:
        for name, end in _ends(each):
            outputs.setdefault(name, []).append(end)
    starters: dict[str, set[str]] = {}
    for name, own in outputs.items():
        for output in own:
            for started in output.starts:
                starters.setdefault(started, set()).add(name)
    found: dict[str, list[Finding]] = {}
    for name, own in outputs.items():
        for said, finding in _leading_back(name, own, starters):
            found.setdefault(said, []).append(finding)
    return found


def _starts(pipeline: Pipeline) -> Iterator[Start]:
    for trigger in pipeline.triggers:
        for pattern in () if isinstance(trigger, AbsentTrigger) else globs(trigger):
            bucket = f"gs://{getattr(trigger, 'bucket', '')}/"
            glob = bucket + pattern
            yield Start(pipeline.name, glob, bucket + matching.literal_prefix(pattern), automaton(glob))


def _sub_runs(pipeline: Pipeline) -> list[Output]:
    """The steps that are runs of other pipelines."""
    return [
        Output(
            pipeline.name,
            (*step.place, "pipeline"),
            f"a run of {shown(step.does.pipeline)}",
            {step.does.pipeline: "remove this step, or the one that leads back"},
        )
        for step in pipeline.with_handlers
        if isinstance(step.does, SubRun)
    ]


def _ends(pipeline: Pipeline) -> Iterator[tuple[str, Output]]:
    """The pipelines for the end of whose runs this one waits."""
    for trigger in pipeline.triggers:
        if isinstance(trigger, PipelineTrigger):
            at = ("trigger", "pipeline")
            for name in dict.fromkeys(trigger.pipelines):
                cure = "remove this trigger, or what leads back"
                yield name, Output(pipeline.name, at, f"the end of {shown(name)}", {pipeline.name: cure})


def _outputs(
    pipeline: Pipeline, known: Mapping[str, str], starts: list[Start], env: Mapping[str, str]
) -> list[Output]:
    """The outputs that start a pipeline."""
    found = []
    for step in pipeline.steps:
        for position, template in enumerate(step.outputs):
            glob = templates.outline(template, env, known, ANYTHING)
            if started := _started(glob + ANYTHING if glob.endswith("/") else glob, starts):
                at = ("steps", step.name, "outputs", position)
                found.append(Output(pipeline.name, at, shown(template), started))
    return found


def _started(glob: str, starts: list[Start]) -> dict[str, str]:
    """The pipelines that an object of this glob could start, with the cure."""
    prefix = matching.literal_prefix(glob).partition(ANYTHING)[0]
    written: Automaton | None = None
    started: dict[str, str] = {}
    for start in starts:
        # Most differ at once, and then an automaton would not pay.
        if start.pipeline in started or not (
            start.prefix.startswith(prefix) or prefix.startswith(start.prefix)
        ):
            continue
        written = written or automaton(glob)
        if written.meets(start.automaton):
            started[start.pipeline] = f"write to another bucket or prefix than {shown(start.glob)}"
    return started


def _known(pipeline: Pipeline, freely: bool) -> dict[str, str]:
    """What can be said of a name before there is a run.

    Every run of a loop but the first is started by an object: what its name captures is within a part, and a
    parameter that no name captures has its default. Where a step, a set or another run starts it, too
    (`freely`), both may be any text.
    """
    known = dict.fromkeys(WITHIN_FACTS, WITHIN)
    captures: list[set[str]] = []
    trigger = next((each for each in pipeline.triggers if isinstance(each, ObjectTrigger)), None)
    if trigger is not None:
        captures = [set(matching.compile(pattern).names) for pattern in trigger.match]
        known |= {f"trigger.{name}": WITHIN for name in set.intersection(*captures)}
        known |= {
            "trigger.bucket": trigger.bucket,
            "trigger.uri": ANYTHING,
            "trigger.name": ANYTHING,
        }
    for param in pipeline.params:
        if param.type in WITHIN_TYPES:
            text: str | None = WITHIN
        elif param.type != "string" or freely:
            text = None
        elif any(param.name in each for each in captures):
            text = WITHIN if all(param.name in each for each in captures) else None
        else:
            text = param.default
        if text is not None:
            known[param.name] = known[f"params.{param.name}"] = text
    return known


def _leading_back(
    name: str, outputs: list[Output], starters: Mapping[str, Set[str]]
) -> Iterator[tuple[str, Finding]]:
    """The outputs that start a pipeline on a way back to `name`, each with the shortest way."""
    hops = _hops(name, starters)
    for output in outputs:
        started = name if name in output.starts else next((hop for hop in hops if hop in output.starts), None)
        if started is None:
            continue
        way = [name]
        step = started
        while step != name:
            way.append(step)
            step = hops[step]
        message = f"{output.what} could start runs without end: {circle(way)}"
        yield output.said, Finding(output.at, message, output.starts[started])


def _hops(name: str, starters: Mapping[str, Set[str]]) -> dict[str, str]:
    """The pipelines that lead to `name`, the nearest first: what each starts on its way there."""
    hops: dict[str, str] = {}
    waiting = deque([name])
    while waiting:
        started = waiting.popleft()
        for starter in sorted(starters.get(started, ())):
            if starter not in hops:
                hops[starter] = started
                waiting.append(starter)
    return hops
