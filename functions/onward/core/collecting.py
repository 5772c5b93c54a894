"""Which sets a fact is a member of: for the triggers that start one run for several facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from onward.core import manifests, matching
from onward.core.errors import UserError
from onward.core.events import RunEnded
from onward.core.facts import Tick
from onward.core.manifests import MARK, SetTrigger
from onward.core.matching import ObjectArrival
from onward.core.naming import member_id, set_id
from onward.core.params import bind, parse
from onward.core.pipeline import AbsentTrigger, BatchTrigger, ObjectsTrigger, Pipeline, PipelineTrigger
from onward.core.plan import Plan
from onward.core.problems import shown
from onward.core.schedules import moment, spoken
from onward.core.templates import render

LONGEST_KEY = 1_024
"""Characters of a capture that tells sets apart."""
BY_DAY: Mapping[str, Any] = {"date": "{{ time.date() }}"}
"""What a day says of the objects that it waits for, where the file says nothing."""


class Join(msgspec.Struct, frozen=True):
    """One member of one set."""

    set: str
    member: str
    key: dict[str, str] = {}
    """The captures in which the set's members agree."""
    part: str = ""
    """Which of the set's parts it is."""
    facts: dict[str, Any] = {}
    """What the run that the set starts will know of it."""


class Joins(tuple[Join, ...]):
    """The sets that a fact is a member of."""

    __slots__ = ()


def of_object(pipeline: Pipeline, trigger: SetTrigger, arrival: ObjectArrival, deployment: str) -> Joins:
    """What an object is to one of the pipeline's triggers. Raises `UserError`."""
    found = _part(trigger, arrival)
    if found is None:
        return Joins()
    part, captured = found
    _check(pipeline, captured)
    key = {name: captured[name] for name in _by(trigger)}
    facts = {
        "uri": f"gs://{arrival.bucket}/{arrival.name}",
        "name": arrival.name,
        "generation": arrival.generation,
        "size": arrival.size,
        "captures": captured,
    }
    member = member_id(arrival.bucket, arrival.name, arrival.generation)
    return Joins([Join(_set(pipeline, trigger, key, deployment), member, key, part, facts)])


def _part(trigger: SetTrigger, arrival: ObjectArrival) -> tuple[str, dict[str, str]] | None:
    """Which part the object is, and what is captured from its name."""
    match trigger:
        case BatchTrigger():
            captured = matching.captured(trigger, arrival)
        case AbsentTrigger(bucket=bucket, match=patterns) if bucket == arrival.bucket:
            captured = matching.first(patterns, arrival.name)
        case ObjectsTrigger(bucket=bucket) if bucket == arrival.bucket:
            marks = [glob for glob in (trigger.marker, trigger.manifest) if glob is not None]
            captured = matching.first(marks, arrival.name)
            if captured is not None:
                return MARK, captured
            return manifests.part_of(trigger, arrival.name)
        case _:
            return None
    return None if captured is None else ("", captured)


def _by(trigger: SetTrigger) -> tuple[str, ...]:
    match trigger:
        case ObjectsTrigger(by=by) | BatchTrigger(by=by):
            return by
        case AbsentTrigger(params=params):
            return tuple(params or BY_DAY)
        case PipelineTrigger(join=join):
            return join


def of_time(
    trigger: AbsentTrigger,
    plan: Plan,
    tick: Tick,
    plan_of: Callable[[str], Plan],
    deployment: str,
) -> Joins:
    """What the time of day by which an object is expected is to this trigger. Raises `UserError`."""
    key = day_key(trigger, plan, tick.time)
    given: dict[str, Any] = {}
    if trigger.on_absent is not None:
        other = plan_of(trigger.on_absent)
        names = {param.name for param in other.pipeline.params}
        bound = bind(other.pipeline.params, {name: text for name, text in key.items() if name in names})
        given = {"on_absent": {"pipeline": trigger.on_absent, "plan": other.name, "params": bound}}
    facts = {"time": spoken(tick.time, trigger.time_zone), **given}
    name = _set(plan.pipeline, trigger, key, deployment)
    return Joins([Join(name, member_id("time", tick.schedule, str(tick.time)), key, MARK, facts)])


def day_key(trigger: AbsentTrigger, plan: Plan, time: int) -> dict[str, str]:
    """The captures that the objects of that day have. Raises `UserError`."""
    context = {"time": moment(time, trigger.time_zone), "env": plan.env}
    rendered = render(dict(trigger.params or BY_DAY), context)
    return {name: str(value) for name, value in rendered.items()}


def of_run(  # noqa: PLR0913, PLR0917 - what has ended, and what it is for
    pipeline: Pipeline,
    trigger: PipelineTrigger,
    ended: RunEnded,
    given: Mapping[str, Any],
    facts: Mapping[str, Any],
    deployment: str,
) -> Joins:
    """What the end of one of several pipelines' runs is to this trigger. `given` is what it gives the
    parameters. Raises `UserError`.
    """
    key = {}
    for name in trigger.join:
        if name not in given:
            raise UserError(f"the run says nothing of {shown(name)}, by which runs are joined")
        key[name] = given[name] if isinstance(given[name], str) else msgspec.json.encode(given[name]).decode()
    told = {**facts, "name": ended.pipeline, "captures": dict(given)}
    member = member_id("run", ended.run)
    return Joins([Join(_set(pipeline, trigger, key, deployment), member, key, ended.pipeline, told)])


def _set(pipeline: Pipeline, trigger: SetTrigger, key: Mapping[str, str], deployment: str) -> str:
    for name, text in key.items():
        if len(text) > LONGEST_KEY:
            raise UserError(
                f"{shown(name)} has {len(text):,} characters; at most {LONGEST_KEY:,} are allowed"
            )
    kind = str(trigger.__struct_config__.tag)
    return set_id(pipeline.name, kind, key, *((deployment,) if deployment else ()))


def _check(pipeline: Pipeline, captured: Mapping[str, str]) -> None:
    """What its parameters could never be, an object's name may not say."""
    for param in pipeline.params:
        if param.name in captured:
            try:
                parse(param.type, captured[param.name])
            except ValueError as error:
                raise UserError(f"the parameter `{param.name}` {error}") from None
