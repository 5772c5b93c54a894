"""From a fact to what it starts, by what is deployed.

    an object arrived ─┐                  ┌─▶ StartRun   a run, under an id of the fact's own data alone
    a message came     ├─▶ each trigger ──┼─▶ Arrived    a member of a set that fills, see `collecting`
    a schedule's time  │                  └─▶ Refused    the trigger fits, but no run can start, and why
    a run ended       ─┘

Each pipeline is by itself: one's trouble is none of another's. Of several triggers and patterns of one
pipeline that fit the same fact, the first starts its run: a fact is one run, however often it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import msgspec

from onward.core import collecting, matching
from onward.core.backfill import without
from onward.core.errors import UserError
from onward.core.events import Arrived, RunEnded, StartRun
from onward.core.facts import ByHand, Message, Tick
from onward.core.giving import from_message, from_run, from_time, passes
from onward.core.matching import ObjectArrival
from onward.core.naming import next_try, run_id
from onward.core.params import bind
from onward.core.pipeline import (
    AbsentTrigger,
    BatchTrigger,
    MessageTrigger,
    ObjectsTrigger,
    ObjectTrigger,
    Pipeline,
    PipelineTrigger,
    ScheduleTrigger,
)
from onward.core.plan import Plan
from onward.core.problems import shown
from onward.core.schedules import is_named, spoken
from onward.core.state import Run, RunState

MOST_HOPS = 16
"""Runs that start one another in a row: more is taken for a loop."""


class Refused(msgspec.Struct, frozen=True):
    """A trigger of this pipeline fits, but no run can start."""

    pipeline: str
    reason: str


Fact = ObjectArrival | Message | Tick | RunEnded
Outcome = StartRun | Arrived | Refused


class Deployed(Protocol):
    """What is deployed."""

    @property
    def pipelines(self) -> Mapping[str, Pipeline]:
        """By name."""

    def plan(self, name: str) -> Plan:
        """The plan of a pipeline, stored. Raises `UserError`."""


class _Start(msgspec.Struct, frozen=True):
    """A run to start: what names it, what templates see of its trigger, and how to come by its parameters."""

    identity: tuple[str, ...]
    facts: dict[str, Any]
    given: Callable[[Plan], Mapping[str, Any]]


def starts(fact: Fact, deployed: Deployed, deployment: str = "") -> Iterator[Outcome]:
    """What follows from the fact. Nothing at all: no pipeline waits for it.

    Run ids are told apart by the name of the `deployment`: two of them in one project would otherwise adopt
    each other's jobs.
    """
    for pipeline in deployed.pipelines.values():
        started = False
        for number in range(len(pipeline.triggers)):
            try:
                found = _fits(pipeline, number, fact, deployed, deployment)
                if isinstance(found, collecting.Joins):
                    yield from _joined(found, pipeline, number, deployed)
                elif found is not None and not started:
                    started = True
                    yield _start(deployed.plan(pipeline.name), found, deployment)
            except UserError as error:
                yield Refused(pipeline.name, f"{spelled(fact)} does not start {pipeline.name}: {error}")


def by_hand(asked: ByHand, deployed: Deployed, deployment: str = "") -> StartRun:
    """The run that somebody asks for. Raises `UserError`."""
    key = asked.key or ""
    facts = {"on": "hand", "key": key} | ({"force": True} if asked.force else {})
    found = _Start(("hand", key), facts, lambda _: asked.params)
    return _start(deployed.plan(asked.pipeline), found, deployment)


def another_try(run: str, doc: Run, newest: Plan | None = None) -> StartRun:
    """The next try of a run that has ended, by its own plan or by the newest. Raises `UserError`."""
    if not doc.state.ended:
        raise UserError(f"run {run} is {doc.state.value}: it can be tried again when it has ended")
    if doc.state is RunState.SUCCEEDED:
        raise UserError(f"run {run} succeeded: there is nothing to try again")
    if newest is None:
        return StartRun(next_try(run), doc.pipeline, doc.plan, doc.params, without(doc.trigger))
    declared = {param.name for param in newest.pipeline.params}
    kept = {name: value for name, value in doc.params.items() if name in declared and value is not None}
    params = bind(newest.pipeline.params, kept)
    return StartRun(next_try(run), doc.pipeline, newest.name, params, without(doc.trigger))


def _start(plan: Plan, found: _Start, deployment: str) -> StartRun:
    pipeline = plan.pipeline
    bound = bind(pipeline.params, found.given(plan))
    salt = (deployment,) if deployment else ()
    run = run_id(pipeline.name, *salt, *found.identity)
    return StartRun(run, pipeline.name, plan.name, bound, found.facts)


def _joined(
    found: collecting.Joins, pipeline: Pipeline, number: int, deployed: Deployed
) -> Iterator[Arrived]:
    plan = deployed.plan(pipeline.name).name if found else ""
    for join in found:
        yield Arrived(join.set, join.member, pipeline.name, plan, number, join.key, join.part, join.facts)


def _fits(  # noqa: PLR0911 - one return per kind of trigger
    pipeline: Pipeline, number: int, fact: Fact, deployed: Deployed, deployment: str
) -> _Start | collecting.Joins | None:
    """What the fact is to the pipeline's trigger of this number. Raises `UserError`."""
    match pipeline.triggers[number], fact:
        case ObjectTrigger() as trigger, ObjectArrival():
            captured = matching.captured(trigger, fact)
            return None if captured is None else _of_object(fact, captured)
        case (ObjectsTrigger() | BatchTrigger() | AbsentTrigger()) as trigger, ObjectArrival():
            return collecting.of_object(pipeline, trigger, fact, deployment)
        case MessageTrigger() as trigger, Message() if passes(trigger, fact):
            return _of_message(fact, trigger)
        case ScheduleTrigger() as trigger, Tick() if is_named(pipeline, number, fact):
            return _of_time(fact, trigger)
        case AbsentTrigger() as trigger, Tick() if is_named(pipeline, number, fact):
            return collecting.of_time(trigger, deployed.plan(pipeline.name), fact, deployed.plan, deployment)
        case PipelineTrigger() as trigger, RunEnded() if _awaits(trigger, fact):
            facts = _facts_of_run(fact)
            source = deployed.pipelines.get(fact.pipeline)
            if len(trigger.pipelines) > 1:
                given = from_run(trigger, fact, deployed.plan(pipeline.name), source)
                return collecting.of_run(pipeline, trigger, fact, given, facts, deployment)
            return _Start(("pipeline", fact.run), facts, lambda plan: from_run(trigger, fact, plan, source))
        case _:
            return None


def _of_object(arrival: ObjectArrival, captured: Mapping[str, str]) -> _Start:
    facts = {**captured, "on": "object", **object_facts(arrival)}
    identity = ("object", arrival.bucket, arrival.name, arrival.generation)
    return _Start(identity, facts, lambda _: captured)


def object_facts(arrival: ObjectArrival) -> dict[str, Any]:
    """What templates may know of an object: `uri`, `bucket`, `name`, `generation`, `size` in bytes."""
    return {
        "uri": f"gs://{arrival.bucket}/{arrival.name}",
        "bucket": arrival.bucket,
        "name": arrival.name,
        "generation": arrival.generation,
        "size": arrival.size,
    }


def _of_message(message: Message, trigger: MessageTrigger) -> _Start:
    # A publisher's key is never taken for some other message's id.
    key = message.attributes.get("key")
    same = ("id", message.id) if key is None else ("key", key)
    facts = {"on": "message", "topic": message.topic, "id": message.id, "key": same[1]}
    return _Start(("message", message.topic, *same), facts, lambda plan: from_message(trigger, message, plan))


def _of_time(tick: Tick, trigger: ScheduleTrigger) -> _Start:
    facts = {"on": "schedule", "schedule": tick.schedule, "time": spoken(tick.time, trigger.time_zone)}
    identity = ("schedule", tick.schedule, str(tick.time))
    return _Start(identity, facts, lambda plan: from_time(trigger, tick, plan))


def _awaits(trigger: PipelineTrigger, ended: RunEnded) -> bool:
    return ended.pipeline in trigger.pipelines and ended.state in trigger.states


def _facts_of_run(ended: RunEnded) -> dict[str, Any]:
    """Raises `UserError` when too many runs have started one another."""
    return {
        "on": "pipeline",
        "run": ended.run,
        "pipeline": ended.pipeline,
        "state": ended.state,
        "hops": next_hop(ended.trigger),
    }


def next_hop(trigger: Mapping[str, Any]) -> int:
    """How many runs have started one another before a run that one with this trigger starts.

    Raises `UserError` when these are too many.
    """
    hops = trigger.get("hops", 0)
    hops = hops + 1 if isinstance(hops, int) else 1
    if hops > MOST_HOPS:
        raise UserError(f"{MOST_HOPS} runs have started one another in a row; this is taken for a loop")
    return hops


def spelled(fact: Fact) -> str:
    """The fact, as messages call it."""
    match fact:
        case ObjectArrival():
            return shown(f"gs://{fact.bucket}/{fact.name}")
        case Message():
            return f"message {shown(fact.id)} of {shown(fact.topic)}"
        case Tick():
            return f"{shown(fact.schedule)} of {spoken(fact.time)}"
        case RunEnded():
            return f"the end of run {fact.run}"
