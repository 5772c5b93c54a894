"""What people and programs publish: messages that start a run, and messages that command one.

a topic    of a pipeline: anything; the pipelines' triggers say what they make of it
start      {"pipeline": ..., "params": {...}, "key": ..., "force": false}, of which the same key is the
           same run; or attributes `pipeline` and `key`, and the params as data
command    {"command": "cancel" | "retry", "run": ..., "newest_plan": false}
           {"command": "backfill", "pipeline": ..., "from": ..., "to": ...}, see `facts.WantsBackfill`
           {"command": "stop-backfill", "backfill": ..., "running": false}
           {"command": "pause" | "resume", "pipeline": ...}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from onward.core import facts
from onward.core.errors import BadEvent
from onward.core.facts import ByHand, StopsBackfill, WantsBackfill
from onward.core.problems import listed, shown
from onward.ingress.decoding import decode, microseconds, run_id
from onward.ingress.envelope import ID, TOPIC, TOPIC_HEADER, CloudEvent, Message, Request, opened
from onward.ingress.facts import Command, Facts, Result, Switch, parser

_START = '{"pipeline": "weather", "params": {}}'
_COMMAND = '{"command": "cancel", "run": "..."}'
_SWITCH = '{"command": "pause", "pipeline": "..."}'
_BACKFILL = '{"command": "backfill", "pipeline": "...", "from": "2026-11-01", "to": "2026-11-22"}'
_STOP = '{"command": "stop-backfill", "backfill": "..."}'
_COMMANDS = ("cancel", "retry", "pause", "resume", "backfill", "stop-backfill")


class _Named(msgspec.Struct, frozen=True):
    command: str


@parser
def parse(request: Request) -> Result:
    """`Message` of a pipeline's topic; or `ByHand`, whose key is the message's id if it was given none."""
    message = _message(request)
    topic = request.headers.get(TOPIC_HEADER)
    if topic is not None:
        return Facts((facts.Message(topic, message.id, message.data, dict(message.attributes)),))
    if TOPIC in message.attributes:  # a dead letter of a pipeline's topic, published again to ours
        attributes = dict(message.attributes)
        topic, id_ = attributes.pop(TOPIC), attributes.pop(ID, message.id)
        return Facts((facts.Message(topic, id_, message.data, attributes),))
    start = read_start(message.data, message.attributes, "the message")
    return Facts((msgspec.structs.replace(start, key=start.key or message.id),))


@parser
def parse_command(request: Request) -> Result:
    """What it commands; the key of a backfill is the message's id if the publisher gave none."""
    message = _message(request)
    match read_command(message.data, "the message"):
        case Command() as command:
            run_id(command.run)
            return Facts((command,))
        case Switch() as switch:
            told = message.published
            at = request.at if told is None else microseconds(told, "the time of publishing")
            return Facts((msgspec.structs.replace(switch, at=at),))
        case WantsBackfill() as wanted:
            return Facts((msgspec.structs.replace(wanted, key=wanted.key or message.id),))
        case StopsBackfill() as stops:
            return Facts((stops,))


def read_start(data: bytes, attributes: Mapping[str, str], place: str) -> ByHand:
    """Raises `BadEvent`, which calls the message `place`."""
    pipeline, key = attributes.get("pipeline"), attributes.get("key")
    what = f"the data of {place}"
    if pipeline is None:
        start = decode(data, ByHand, what, _START)
        return start if key is None else msgspec.structs.replace(start, key=key)
    return ByHand(pipeline, decode(data or b"{}", dict[str, Any], what, "the parameters as an object"), key)


def read_command(data: bytes, place: str) -> Command | Switch | WantsBackfill | StopsBackfill:
    """Raises `BadEvent`, which calls the message `place`."""
    what = f"the data of {place}"
    named = decode(data, _Named, what, _COMMAND).command
    match named:
        case "cancel" | "retry":
            return decode(data, Command, what, _COMMAND)
        case "pause" | "resume":
            return decode(data, Switch, what, _SWITCH)
        case "backfill":
            return decode(data, WantsBackfill, what, _BACKFILL)
        case "stop-backfill":
            return decode(data, StopsBackfill, what, _STOP)
    raise BadEvent(f"there is no command {shown(named)}; there are {listed(_COMMANDS)}")


def _message(request: Request) -> Message:
    match opened(request):
        case Message() as message:
            return message
        case CloudEvent(type=kind):
            raise BadEvent(f"a Pub/Sub message was expected, not an event of type {shown(kind)}")
