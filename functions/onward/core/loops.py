"""Pipelines that would start each other without end, because one writes what the next is started by."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Set

import msgspec

from onward.core import matching, templates
from onward.core.overlap import ANYTHING, Automaton, automaton
from onward.core.pipeline import ObjectTrigger, Pipeline
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
    """One output that starts pipelines: by the name of each, the glob it matches there."""

    at: Path
    template: str
    starts: Mapping[str, str]


def loops(pipelines: Iterable[Pipeline], env: Mapping[str, str]) -> dict[str, list[Finding]]:
    """By pipeline, each of its outputs that could lead to another run of it."""
    triggered = [(each, each.trigger) for each in pipelines if each.trigger is not None]
    starts = [start for pipeline, trigger in triggered for start in _starts(pipeline.name, trigger)]
    outputs = {
        pipeline.name: _outputs(pipeline, _known(pipeline, trigger), starts, env)
        for pipeline, trigger in triggered
    }
    starters: dict[str, set[str]] = {}
    for name, own in outputs.items():
        for output in own:
            for started in output.starts:
                starters.setdefault(started, set()).add(name)
    found = {name: _leading_back(name, own, starters) for name, own in outputs.items()}
    return {name: findings for name, findings in found.items() if findings}


def _starts(pipeline: str, trigger: ObjectTrigger) -> Iterator[Start]:
    bucket = f"gs://{trigger.bucket}/"
    for pattern in trigger.match:
        glob = bucket + pattern
        yield Start(pipeline, glob, bucket + matching.literal_prefix(pattern), automaton(glob))


def _outputs(
    pipeline: Pipeline, known: Mapping[str, str], starts: list[Start], env: Mapping[str, str]
) -> list[Output]:
    """The outputs that start a pipeline."""
    found = []
    for step in pipeline.steps:
        for position, template in enumerate(step.outputs):
            glob = templates.outline(template, env, known, ANYTHING)
            if started := _started(glob + ANYTHING if glob.endswith("/") else glob, starts):
                found.append(Output(("steps", step.name, "outputs", position), template, started))
    return found


def _started(glob: str, starts: list[Start]) -> dict[str, str]:
    """The pipelines that an object of this glob could start."""
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
            started[start.pipeline] = start.glob
    return started


def _known(pipeline: Pipeline, trigger: ObjectTrigger) -> dict[str, str]:
    """What can be said of a name before there is a run.

    Every run of a loop but the first is started by an object: what its name captures is within a part, and a
    parameter that no name captures has its default.
    """
    captures = [set(matching.compile(pattern).names) for pattern in trigger.match]
    always, ever = set.intersection(*captures), set.union(*captures)
    known = {f"trigger.{name}": WITHIN for name in always}
    known |= {"trigger.bucket": trigger.bucket, "trigger.uri": ANYTHING, "trigger.name": ANYTHING}
    known |= dict.fromkeys(WITHIN_FACTS, WITHIN)
    for param in pipeline.params:
        if param.type in WITHIN_TYPES or (param.type == "string" and param.name in always):
            known[param.name] = known[f"params.{param.name}"] = WITHIN
        elif param.type == "string" and param.name not in ever and param.default is not None:
            known[param.name] = known[f"params.{param.name}"] = param.default
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
        message = f"{shown(output.template)} could start runs without end: {circle(way)}"
        hint = f"write to another bucket or prefix than {shown(output.starts[started])}"
        findings.append(Finding(output.at, message, hint))
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
