"""Plays a scenario at a door, and says what became of its runs."""

from __future__ import annotations

from itertools import groupby
from typing import Any, Protocol

import msgspec
from onward.core.events import JobState
from onward.core.naming import try_number
from onward.core.state import Node, Run, Succeeded
from onward.ports import Objects, Store
from scenarios.harness.jobs import Jobs
from scenarios.harness.scenario import (
    SECOND,
    Action,
    Drop,
    Expected,
    Hand,
    Object,
    Publish,
    Scenario,
    Time,
    Which,
    moment,
    span,
)

ANNOUNCED = ("kind", "pipeline", "state", "params", "step", "attempt", "error")


class Door(Protocol):
    """One of the two ways in. Whatever is done at it begins nothing before `settle`."""

    def now(self) -> int:
        """Microseconds since 1970."""

    def drop(self, drop: Drop) -> None: ...
    def delete(self, gone: Object) -> None: ...
    def publish(self, message: Publish) -> None: ...
    def advance(self, until: int) -> None:
        """Let time pass until then: what is due is done in order."""

    def settle(self) -> None:
        """Let everything happen that follows by now."""

    def restart(self, after: int) -> None: ...
    def finish(self) -> None:
        """Let everything happen that was only a matter of delivery."""

    @property
    def store(self) -> Store: ...
    @property
    def objects(self) -> Objects: ...
    @property
    def refused(self) -> list[str]:
        """Why something was refused, or put aside."""

    @property
    def announced(self) -> list[dict[str, Any]]:
        """Of each announcement the CloudEvent's `id`, its `kind`, and what its data say."""

    @property
    def clusters(self) -> dict[str, int]:
        """How many of the runs' own were `created`, and are `left`."""

    @property
    def troubles(self) -> list[str]:
        """What must not happen in any scenario."""


class Trace(msgspec.Struct, frozen=True):
    """A run as both doors must have it."""

    pipeline: str
    number: int
    state: str
    params: str
    """JSON."""
    error: str
    on: str
    steps: dict[str, str]
    """The states of each node."""
    submits: dict[str, list[int]]
    """The attempts of each step that a service took."""
    outputs: dict[str, Any]
    trigger: dict[str, Any] = {}
    """Its facts: generations, and the order in which the cloud tells, are each door's own."""

    @property
    def common(self) -> str:
        """What both doors must have alike."""
        return str(msgspec.structs.replace(self, trigger={}))


def play(scenario: Scenario, door: Door, jobs: Jobs, *, killed: bool) -> None:
    """Do all of it. `killed`: whoever is to act on an action dies first, and is there again."""
    for number, action in enumerate(scenario.do):
        door.advance(door.now() + SECOND)
        for each in action.together or [action]:
            _do(each, door, jobs, number)
            if killed:
                door.restart(0)
        door.settle()
    door.finish()


def _do(action: Action, door: Door, jobs: Jobs, number: int) -> None:  # noqa: PLR0912 - one case per action
    match action:
        case Action(drop=Drop() as drop):
            door.drop(drop)
        case Action(delete=Object() as gone):
            door.delete(gone)
        case Action(publish=Publish() as message):
            door.publish(message)
        case Action(run=Hand() as hand):
            key = hand.key or f"by hand {number}"
            start = {"pipeline": hand.pipeline, "params": hand.params, "key": key, "force": hand.force}
            door.publish(Publish("onward-start", start))
        case Action(cancel=Which() as which):
            _command(door, {"command": "cancel", "run": newest(door, which)})
        case Action(retry=Which() as which):
            told = {"command": "retry", "run": newest(door, which), "newest_plan": which.newest_plan}
            _command(door, told)
        case Action(pause=str() as pipeline):
            _command(door, {"command": "pause", "pipeline": pipeline})
        case Action(resume=str() as pipeline):
            _command(door, {"command": "resume", "pipeline": pipeline})
        case Action(advance=Time(by=by, to=to)):
            door.advance(door.now() + span(by) if by else moment(to, door.now()))
        case Action(expect=list() as expected):
            problems = unlike(expected, traces(door, jobs))
            assert not problems, "\n".join([f"after {number} actions:", *problems])
        case Action(hold=None, succeed=None, fail=None):
            assert action.restart is not None
            door.restart(span(action.restart.after))
        case Action(hold=None, succeed=None, fail=order):
            assert order is not None
            jobs.end(order, JobState.FAILED)
        case Action(hold=None, succeed=order):
            assert order is not None
            jobs.end(order, JobState.SUCCEEDED)
        case Action(hold=order):
            assert order is not None
            jobs.hold(order)


def _command(door: Door, command: dict[str, Any]) -> None:
    door.publish(Publish("onward-command", command))


def newest(door: Door, which: Which) -> str:
    """The id of the run."""
    for run, doc in door.store.runs(pipeline=which.pipeline, limit=100):
        if _within(which.params, doc.params):
            return run
    raise AssertionError(f"there is no run of {which.pipeline} with {which.params}")


def traces(door: Door, jobs: Jobs) -> list[Trace]:
    """Of all runs, in an order that both doors have."""
    found = [_trace(door, jobs, run, doc) for run, doc in door.store.runs(limit=10_000)]
    return sorted(found, key=str)


def _trace(door: Door, jobs: Jobs, run: str, doc: Run) -> Trace:
    nodes = dict(door.store.first(run, "any", 100_000))
    submits: dict[str, list[int]] = {}
    for of, node, attempt in sorted(jobs.submitted):
        if of == run:
            submits.setdefault(node, []).append(attempt)
    return Trace(
        doc.pipeline,
        try_number(run),
        doc.state,
        msgspec.json.encode(doc.params, order="deterministic").decode(),
        doc.error or "",
        str(doc.trigger.get("on")),
        {name: states(node) for name, node in sorted(nodes.items())},
        submits,
        {name: _output(door, node) for name, node in sorted(nodes.items()) if _has_output(node)},
        doc.trigger,
    )


def announced(door: Door) -> list[dict[str, Any]]:
    """What was announced, each once, as both doors must have it."""
    once = {told["id"]: {name: told[name] for name in ANNOUNCED if name in told} for told in door.announced}
    return sorted(once.values(), key=str)


def states(node: Node) -> str:
    """Each that it came to. That a job runs is left out: of one that ends at once, nobody may hear it."""
    seen = [state for state, _ in groupby(entry.state for entry in node.history) if state != "running"]
    return " ".join(seen)


def _has_output(node: Node) -> bool:
    return isinstance(node.phase, Succeeded) and not node.arrived


def _output(door: Door, node: Node) -> Any:
    assert isinstance(node.phase, Succeeded)
    if node.phase.output_uri is not None:
        return msgspec.json.decode(door.objects.get(node.phase.output_uri))
    output = node.phase.output
    return "a run" if isinstance(output, dict) and set(output) == {"run"} else output


def untold(scenario: Scenario, door: Door) -> list[str]:
    """What was not refused, announced or made as it says, or was and is not said."""
    left = list(door.refused)
    problems = []
    for part in scenario.refused:
        fits = [reason for reason in left if part in reason]
        if fits:
            left.remove(fits[0])
        else:
            problems.append(f"not refused: {part}")
    problems += [f"refused: {reason}" for reason in left]
    heard = announced(door)
    for told in scenario.announced:
        found = [each for each in heard if _within(told, each)]
        if found:
            heard.remove(found[0])
        else:
            problems.append(f"not announced: {told}")
    problems += [f"announced: {each}" for each in heard]
    if door.clusters not in ({}, scenario.clusters):
        problems.append(f"clusters: {door.clusters}")
    return problems


def unlike(expected: list[Expected], found: list[Trace]) -> list[str]:
    """What is not as it was expected: each run is expected once."""
    left = list(found)
    problems = []
    for each in expected:
        for _ in range(each.times):
            fits = [trace for trace in left if _fits(each, trace)]
            if fits:
                left.remove(fits[0])
            else:
                problems.append(f"expected, and not there: {msgspec.json.encode(each).decode()}")
    return problems + [f"there, and not expected: {trace}" for trace in left]


def _fits(expected: Expected, trace: Trace) -> bool:
    return (
        (expected.pipeline, expected.number, expected.state) == (trace.pipeline, trace.number, trace.state)
        and _within(expected.params, msgspec.json.decode(trace.params))
        and _within(expected.trigger, trace.trigger)
        and all(trace.steps.get(name, "") == states for name, states in expected.steps.items())
        and _within(expected.outputs, trace.outputs)
        and expected.error in trace.error
    )


def _within(wanted: dict[str, Any], found: dict[str, Any]) -> bool:
    return all(name in found and found[name] == value for name, value in wanted.items())
