"""What publishing a message does: the topics that start and command runs, as the cloud has them.

onward-start     {"pipeline": ..., "params": {...}, "key": ...}, of which the same key is the same run;
                 or attributes `pipeline` and `key`, and the params as data
onward-command   {"command": "cancel" | "retry", "run": ..., "newest_plan": false}
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import msgspec

from onward.core.errors import BadEvent, NotFound, OnwardError, UserError
from onward.core.problems import shown

START = "onward-start"
COMMAND = "onward-command"


class Message(NamedTuple):
    """What somebody publishes."""

    data: bytes
    attributes: Mapping[str, str] = {}


class Published(NamedTuple):
    """The message's id, and the run that it started, cancelled or tries again."""

    id: str
    run: str


class Runs(Protocol):
    """What messages ask of a runtime."""

    async def start_run(self, pipeline: str, params: Mapping[str, Any], key: str) -> str: ...
    async def cancel(self, run: str) -> None: ...
    async def retry(self, run: str, *, newest_plan: bool = False) -> str: ...


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Start this pipeline. Without a key each message is a run of its own."""

    pipeline: str
    params: dict[str, Any] = {}
    key: str | None = None


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Do this to a run."""

    command: Literal["cancel", "retry"]
    run: str
    newest_plan: bool = False


async def publish(runs: Runs, topic: str, messages: Sequence[Message]) -> list[Published]:
    """Returns once all that the messages ask for is committed.

    Nothing is done when one of them can't be read. Raises NotFound for a topic, pipeline or run that is not
    there, BadEvent for a message that is not what it should be, and whatever the runtime raises.
    """
    asked = [_read(topic, message, _place(number, messages)) for number, message in enumerate(messages, 1)]
    ids = [str(secrets.randbits(64)) for _ in asked]
    done = await asyncio.gather(
        *(_do(runs, one, id_) for one, id_ in zip(asked, ids, strict=True)), return_exceptions=True
    )
    _raise_first(done)
    return [Published(id_, run) for id_, run in zip(ids, done, strict=True) if isinstance(run, str)]


async def _do(runs: Runs, asked: Start | Command, message_id: str) -> str:
    match asked:
        case Start(pipeline=pipeline, params=params, key=key):
            return await runs.start_run(pipeline, params, message_id if key is None else key)
        case Command(command="cancel", run=run):
            await runs.cancel(run)
            return run
        case Command(run=run, newest_plan=newest_plan):
            return await runs.retry(run, newest_plan=newest_plan)


def _raise_first(done: Sequence[str | BaseException]) -> None:
    errors = [(number, error) for number, error in enumerate(done, 1) if isinstance(error, BaseException)]
    if not errors:
        return
    number, error = errors[0]
    if len(done) == 1 or not isinstance(error, OnwardError):
        raise error
    kind = UserError if isinstance(error, UserError) else type(error)
    others = len(done) - len(errors)
    raise kind(f"message {number} of {len(done)}: {error} ({others} of the messages were carried out)")


def _read(topic: str, message: Message, place: str) -> Start | Command:
    if topic == START:
        return _start(message, place)
    if topic == COMMAND:
        return _command(message, place)
    raise NotFound(f"there is no topic {shown(topic)}; there are {START} and {COMMAND}")


def _start(message: Message, place: str) -> Start:
    pipeline = message.attributes.get("pipeline")
    if pipeline is None:
        start = _decode(message.data, Start, place, '{"pipeline": "weather", "params": {}}')
        return msgspec.structs.replace(start, key=message.attributes.get("key", start.key))
    params = _decode(message.data or b"{}", dict[str, Any], place, "the parameters as an object")
    return Start(pipeline, params, message.attributes.get("key"))


def _command(message: Message, place: str) -> Command:
    return _decode(message.data, Command, place, '{"command": "cancel", "run": "..."}')


_T = TypeVar("_T")


def _decode(data: bytes, kind: type[_T], place: str, wanted: str) -> _T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEvent(f"the data of {place} must be JSON such as {wanted}: {error}") from None


def _place(number: int, messages: Sequence[Message]) -> str:
    return "the message" if len(messages) == 1 else f"message {number} of {len(messages)}"
