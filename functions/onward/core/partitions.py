"""What a backfill is about: its partitions, each with the run that its own fact would have started.

    days      one per day of a range, bound to a date parameter, as by hand under the key `date=2026-11-22`
    times     one per time of the pipeline's schedules in a range of days
    objects   one per object that is there and that the pipeline's object triggers match

The ids are those of the natural triggers: what had its run has it, and a fact that is told later finds the
backfill's run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

import msgspec

from onward.core import schedules
from onward.core.backfill import Asked
from onward.core.errors import UserError
from onward.core.events import StartRun
from onward.core.facts import ByHand, Tick
from onward.core.matching import ObjectArrival
from onward.core.params import Moment, parse
from onward.core.pipeline import (
    SECOND,
    BatchTrigger,
    ObjectsTrigger,
    ObjectTrigger,
    Pipeline,
    ScheduleTrigger,
)
from onward.core.plan import Plan
from onward.core.problems import listed, shown
from onward.core.starting import Fact, Refused, by_hand, starts
from onward.core.templates import names, texts

MOST = 20_000
"""Partitions of one backfill."""
OF_A_DAY = ("trigger.on", "trigger.key", "trigger.backfill")
"""What the run of a day knows of its trigger."""
_DAY = timedelta(days=1)


class Partition(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run that a backfill may start."""

    name: str
    """What people call it: a day, a time, an object."""
    start: StartRun | None = None
    """What its own fact would start; None where nothing can."""
    why: str = ""
    """Why nothing can start."""
    updated: int = 0
    """When the object was written (µs): outputs that are older are stale."""


class Found(msgspec.Struct, frozen=True):
    """An object that is there, and when it was written (µs)."""

    object: ObjectArrival
    updated: int


class _Only:
    """One pipeline, as if nothing else was deployed."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.pipelines: Mapping[str, Pipeline] = {plan.pipeline.name: plan.pipeline}

    def plan(self, name: str) -> Plan:  # noqa: ARG002 - there is one
        return self._plan


def checked(asked: Asked, plan: Plan) -> Asked:
    """What is asked for, in full: the parameter is named, dates are ISO text. Raises `UserError`."""
    pipeline = plan.pipeline
    if asked.objects:
        _check_objects(asked, pipeline)
        return asked
    if not asked.first or not asked.last:
        raise UserError("a backfill needs the first and the last day (--from, --to), or --objects")
    try:
        first, last = parse("date", asked.first), parse("date", asked.last)
    except ValueError as error:
        raise UserError(f"a day of the range {error}") from None
    if first > last:
        raise UserError(f"the range begins after its end: {first} is later than {last}")
    if last == date.max.isoformat():
        raise UserError(f"{last} is the end of all days; the range must end before it")
    asked = msgspec.structs.replace(asked, first=first, last=last)
    if asked.each is not None or not _schedules(pipeline):
        _refuse_objects(pipeline)
        return msgspec.structs.replace(asked, each=_date_param(asked, pipeline))
    if asked.params:
        raise UserError(
            f"the schedule of {pipeline.name} gives its runs their parameters; "
            "with --each NAME each day is a run with yours"
        )
    return asked


def _check_objects(asked: Asked, pipeline: Pipeline) -> None:
    if asked.first or asked.last or asked.each is not None or asked.params:
        raise UserError("--objects goes alone: what is captured from an object's name are its parameters")
    if not asked.objects.startswith("gs://") or "/" not in asked.objects.removeprefix("gs://"):
        raise UserError(f"{shown(asked.objects)} names no objects: write gs://bucket/**")
    if any(isinstance(trigger, ObjectTrigger) for trigger in pipeline.triggers):
        return
    if any(isinstance(trigger, ObjectsTrigger | BatchTrigger) for trigger in pipeline.triggers):
        raise UserError(
            f"{pipeline.name} starts once for several objects, and a backfill starts a run for each one; "
            "start what is missing by hand"
        )
    raise UserError(f"{pipeline.name} has no object trigger: no object starts it")


def _refuse_objects(pipeline: Pipeline) -> None:
    """What a day's run would not know."""
    written = texts(msgspec.to_builtins(pipeline.steps))
    for name in sorted(name for text in written for name in names(text)):
        if name.startswith("trigger.") and name not in OF_A_DAY:
            raise UserError(
                f"{pipeline.name} reads {name}, which a day does not give; backfill it from what started it: "
                "--objects 'gs://bucket/**', or no --each for its schedule"
            )


def _date_param(asked: Asked, pipeline: Pipeline) -> str:
    dates = [param.name for param in pipeline.params if param.type == "date"]
    if asked.each is None and len(dates) == 1:
        return dates[0]
    if asked.each in dates:
        return asked.each
    if asked.each is not None:
        there = f"there are {listed(dates)}" if dates else "there are none"
        raise UserError(f"{pipeline.name} has no date parameter {shown(asked.each)}; {there}")
    if dates:
        raise UserError(
            f"{pipeline.name} has several date parameters; say with --each which: {listed(dates)}"
        )
    raise UserError(f"{pipeline.name} has neither a schedule nor a date parameter: its runs have no day")


def _schedules(pipeline: Pipeline) -> list[tuple[int, ScheduleTrigger]]:
    return [
        (number, trigger)
        for number, trigger in enumerate(pipeline.triggers)
        if isinstance(trigger, ScheduleTrigger)
    ]


def partitions(plan: Plan, asked: Asked, found: Sequence[Found], deployment: str) -> list[Partition]:
    """The partitions of what is `checked`, in order. `found`: the objects of its glob. Raises `UserError`."""
    many = list(_enough(_all(plan, asked, found, deployment)))
    if len(many) > MOST:
        raise UserError(f"a backfill has at most {MOST:,} partitions: take a part of them at a time")
    return many


def _enough(many: Iterator[Partition]) -> Iterator[Partition]:
    for number, partition in enumerate(many):
        yield partition
        if number == MOST:
            return


def _all(plan: Plan, asked: Asked, found: Sequence[Found], deployment: str) -> Iterator[Partition]:
    if asked.objects:
        for each in found:
            name = f"gs://{each.object.bucket}/{each.object.name}"
            partition = _natural(plan, each.object, name, deployment)
            if partition is not None:
                yield msgspec.structs.replace(partition, updated=each.updated)
    elif asked.each is not None:
        for day in _days(asked):
            yield _by_hand(plan, {**asked.params, asked.each: day.isoformat()}, day, deployment)
    else:
        yield from _ticks(plan, asked, deployment)


def _natural(plan: Plan, fact: Fact, name: str, deployment: str) -> Partition | None:
    """None: the fact starts nothing, and never would."""
    for outcome in starts(fact, _Only(plan), deployment):
        match outcome:
            case StartRun():
                return Partition(name, outcome)
            case Refused(reason=reason):
                return Partition(name, why=reason)
            case _:
                pass
    return None


def _by_hand(plan: Plan, params: Mapping[str, object], day: date, deployment: str) -> Partition:
    key = " ".join(f"{name}={value}" for name, value in sorted(params.items()))
    try:
        start = by_hand(ByHand(plan.pipeline.name, dict(params), key), _Only(plan), deployment)
    except UserError as error:
        return Partition(day.isoformat(), why=str(error))
    return Partition(day.isoformat(), start)


def _days(asked: Asked) -> Iterator[date]:
    first, last = date.fromisoformat(asked.first), date.fromisoformat(asked.last)
    for number in range((last - first).days + 1):
        yield first + number * _DAY


def _ticks(plan: Plan, asked: Asked, deployment: str) -> Iterator[Partition]:
    pipeline = plan.pipeline
    ticks = sorted(
        (time, number, trigger.time_zone)
        for number, trigger in _schedules(pipeline)
        for time in _enough_times(_times(trigger, asked))
    )
    for time, number, time_zone in ticks:
        tick = Tick(pipeline.name, schedules.name(pipeline, number), time)
        partition = _natural(plan, tick, schedules.spoken(time, time_zone), deployment)
        if partition is not None:
            yield partition


def _times(trigger: ScheduleTrigger, asked: Asked) -> Iterator[int]:
    """From the first day's midnight to that after the last, as clocks of the schedule's zone show it."""
    time: int | None = _midnight(asked.first, trigger.time_zone) - 1
    end = _midnight((date.fromisoformat(asked.last) + _DAY).isoformat(), trigger.time_zone)
    while time is not None:
        time = schedules.following(trigger.cron, trigger.time_zone, time)
        if time is None or time >= end:
            return
        yield time


def _enough_times(times: Iterable[int]) -> Iterator[int]:
    for _, time in zip(range(MOST + 1), times, strict=False):
        yield time


def _midnight(day: str, time_zone: str) -> int:
    start = Moment.fromisoformat(day).replace(tzinfo=schedules.zone(time_zone))
    return round(start.timestamp()) * SECOND
