"""Pipelines that would start each other without end: one writes what the next is started by, or runs it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Set

import msgspec

from onward.core import matching, templates
from onward.core.overlap import ANYTHING, Automaton, automaton
from onward.core.pipeline import BatchTrigger, ObjectsTrigger, ObjectTrigger, Pipeline, SubRun, Trigger
from onward.core.problems import Finding, Path, circle, shown

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
    """One output, or a sub-run, that starts pipelines: by the name of each, what to do about it."""

    at: Path
    what: str
    starts: Mapping[str, str]


def loops(pipelines: Iterable[Pipeline], env: Mapping[str, str]) -> dict[str, list[Finding]]:
    """By pipeline, each of its outputs and sub-runs that could lead to another run of it."""
    pipelines = list(pipelines)
    starts = [start for each in pipelines for start in _starts(each)]
    subs = {each.name: _sub_runs(each) for each in pipelines}
    by_step = {name for own in subs.values() for output in own for name in output.starts}
    outputs = {
        each.name: subs[each.name] + _outputs(each, _known(each, each.name in by_step), starts, env)
        for each in pipelines
        if each.triggers or each.name in by_step
    }
    starters: dict[str, set[str]] = {}
    for name, own in outputs.items():
        for output in own:
            for started in output.starts:
                starters.setdefault(started, set()).add(name)
    found = {name: _leading_back(name, own, starters) for name, own in outputs.items()}
    return {name: findings for name, findings in found.items() if findings}


def _starts(pipeline: Pipeline) -> Iterator[Start]:
    for trigger in pipeline.triggers:
        bucket, patterns = _watched(trigger)
        for pattern in patterns:
            glob = f"gs://{bucket}/{pattern}"
            prefix = f"gs://{bucket}/{matching.literal_prefix(pattern)}"
            yield Start(pipeline.name, glob, prefix, automaton(glob))


def _watched(trigger: Trigger) -> tuple[str, tuple[str, ...]]:
    """Of which objects an arrival can lead to a run."""
    match trigger:
        case ObjectTrigger(bucket=bucket, match=patterns) | BatchTrigger(bucket=bucket, match=patterns):
            return bucket, patterns
        case ObjectsTrigger(bucket=bucket, parts=parts, marker=marker, manifest=manifest):
            marks = (glob for glob in (marker, manifest) if glob is not None)
            return bucket, (*(part.match for part in parts), *marks)
        case _:
            return "", ()


def _sub_runs(pipeline: Pipeline) -> list[Output]:
    """The steps that are runs of other pipelines."""
    return [
        Output(
            (*step.place, "pipeline"),
            f"a run of {shown(step.does.pipeline)}",
            {step.does.pipeline: "remove this step, or the one that leads back"},
        )
        for step in pipeline.with_handlers
        if isinstance(step.does, SubRun)
    ]


def _outputs(
    pipeline: Pipeline, known: Mapping[str, str], starts: list[Start], env: Mapping[str, str]
) -> list[Output]:
    """The outputs that start a pipeline."""
    found = []
    for step in pipeline.steps:
        for position, template in enumerate(step.outputs):
            glob = templates.outline(template, env, known, ANYTHING)
            if started := _started(glob + ANYTHING if glob.endswith("/") else glob, starts):
                found.append(Output(("steps", step.name, "outputs", position), shown(template), started))
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


def _known(pipeline: Pipeline, by_step: bool) -> dict[str, str]:
    """What can be said of a name before there is a run.

    Every run of a loop but the first is started by an object: what its name captures is within a part, and a
    parameter that no name captures has its default. Where a step starts it, too (`by_step`), both may be any
    text.
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
        elif param.type != "string" or by_step:
            text = None
        elif any(param.name in each for each in captures):
            text = WITHIN if all(param.name in each for each in captures) else None
        else:
            text = param.default
        if text is not None:
            known[param.name] = known[f"params.{param.name}"] = text
    return known


def _leading_back(name: str, outputs: list[Output], starters: Mapping[str, Set[str]]) -> list[Finding]:
    """The outputs that start a pipeline on a way back to `name`, each with the shortest way."""
    hops = _hops(name, starters)
    findings = []
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
        findings.append(Finding(output.at, message, output.starts[started]))
    return findings


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
