"""What Onward told itself, wakes through Pub/Sub and timers through Cloud Tasks; and its schedules.

Both are events as JSON. Nobody can end a step by sending one: what an invocation says only to itself, such
as a verdict, is not taken from outside. What a newer version wrote is delivered again until that one is here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_args

import msgspec

from onward.core.commands import SetTimer
from onward.core.errors import BadEvent, Unavailable
from onward.core.events import (
    Admitted,
    Arrive,
    Bell,
    CancelNode,
    CancelRun,
    Event,
    Grant,
    LookAtBackfill,
    Room,
    RunEnded,
    SetRang,
    StartRun,
    Sweep,
    TurnedAway,
    Wake,
)
from onward.core.facts import Tick
from onward.core.horizon import HORIZON
from onward.core.pipeline import MINUTE
from onward.core.problems import shown
from onward.ingress.decoding import decode, microseconds, run_id
from onward.ingress.envelope import MAX_BODY, CloudEvent, Message, Request, opened
from onward.ingress.facts import Facts, Ignored, Poison, Rang, Result, Told, parser

Tellable = (
    StartRun
    | CancelRun
    | Sweep
    | Wake
    | Arrive
    | CancelNode
    | Room
    | Bell
    | RunEnded
    | Admitted
    | TurnedAway
    | SetRang
    | Grant
    | LookAtBackfill
)
_FIELDS: Mapping[str, Collection[str]] = {
    str(kind.__struct_config__.tag): {"event", *kind.__struct_encode_fields__} for kind in get_args(Event)
}
SCHEDULED = "x-cloudscheduler-scheduletime"
BY_HAND = "to start a run now, publish a message to the topic of starts"
_EVENT = '{"event": "wake", "run": "...", "node": "..."}'
_TIMER = f'{{"name": "...", "at": 1, "event": {_EVENT}}}'


@parser
def parse_wake(request: Request) -> Result:
    """`Told`. Raises `Unavailable` for what a newer version wrote."""
    match opened(request):
        case Message(data=data):
            return Facts((Told(_event(decode(data, dict[str, Any], "a wake", _EVENT))),))
        case CloudEvent(type=kind):
            raise BadEvent(f"a wake was expected, not an event of type {shown(kind)}")


@parser
def parse_timer(request: Request) -> Result:
    """`Rang`, or the `Tick` of a schedule. Raises `Unavailable` for what a newer version wrote."""
    if len(request.body) > MAX_BODY:
        raise BadEvent(f"a timer of {len(request.body):,} bytes is none of ours")
    raw = decode(request.body, dict[str, Any], "a timer", _TIMER)
    match raw:
        case {"schedule": str(schedule), "pipeline": str(pipeline)}:
            return _ticked(pipeline, schedule, request)
        case {"name": str(name), "at": int(at), "event": dict(event)}:
            _refuse_newer(raw, ("name", "at", "event"))
            return Facts((Rang(SetTimer(name, at, _event(event))),))
        case _:
            raise BadEvent(f"a timer must be JSON such as {_TIMER}")


def _ticked(pipeline: str, schedule: str, request: Request) -> Result:
    """Of Cloud Scheduler. The time that it tells is the same in all its tries, and no other run's."""
    told = request.headers.get(SCHEDULED)
    if told is None:
        return Ignored(f"{shown(schedule)} was not rung by its time; {BY_HAND}")
    time = microseconds(told, "the time of a schedule") // MINUTE * MINUTE
    if time > request.at + MINUTE:
        return Ignored(f"the time of {shown(schedule)}, {shown(told)}, has not come; {BY_HAND}")
    if request.at - time > HORIZON:
        return Poison(f"the time of {shown(schedule)}, {shown(told)}, is too long ago to start a run of it")
    return Facts((Tick(pipeline, schedule, time),))


def _event(raw: dict[str, Any]) -> Tellable:
    tag = raw.get("event")
    if isinstance(tag, str):
        _refuse_newer({tag: None}, _FIELDS)
        _refuse_newer(raw, _FIELDS[tag])
    try:
        event: Tellable = msgspec.convert(raw, Tellable)
    except msgspec.ValidationError as error:
        raise BadEvent(f"an event must be JSON such as {_EVENT}: {shown(str(error), bare=True)}") from None
    if not isinstance(event, SetRang | Grant | LookAtBackfill):
        run_id(event.run)
    return event


def _refuse_newer(found: Mapping[str, Any], known: Collection[str]) -> None:
    for name in found:
        if name not in known:
            raise Unavailable(
                f"{shown(name)} is of a newer version of Onward; it is kept until that runs here"
            )
