"""What publishing a message does: the topics of pipelines, and those that start and command runs.

Messages are read by the same code as in the cloud, see `onward.ingress.messages`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from onward.core import facts
from onward.core.errors import NotFound, OnwardError, UserError
from onward.core.problems import listed, shown
from onward.ingress.facts import Command, Switch
from onward.ingress.messages import read_command, read_start

START = "onward-start"
COMMAND = "onward-command"


class Message(NamedTuple):
    """What somebody publishes."""

    data: bytes
    attributes: Mapping[str, str] = {}


class Published(NamedTuple):
    """The message's id, and the runs that it started, cancelled or tries again."""

    id: str
    runs: tuple[str, ...]


class Runs(Protocol):
    """What messages ask of a runtime."""

    async def start_run(
        self, pipeline: str, params: Mapping[str, Any], key: str, *, force: bool = False
    ) -> str: ...
    async def cancel(self, run: str) -> None: ...
    async def retry(self, run: str, *, newest_plan: bool = False) -> str: ...
    async def begin_backfill(self, wanted: facts.WantsBackfill) -> str: ...
    async def stop_backfill(self, backfill: str, *, running: bool) -> None: ...
    async def set_paused(self, pipeline: str, *, paused: bool) -> None: ...
    async def deliver(self, message: facts.Message) -> Sequence[str]: ...
    def topics(self) -> Collection[str]: ...


async def publish(runs: Runs, topic: str, messages: Sequence[Message]) -> list[Published]:
    """Returns once all that the messages ask for is committed.

    Nothing is done when one of them can't be read. Raises NotFound for a topic, pipeline or run that is not
    there, BadEvent for a message that is not what it should be, and whatever the runtime raises. To a
    pipeline's topic one may publish anything: what starts no run is put aside with its reason.
    """
    asked = [_read(runs, topic, message, _place(n, messages)) for n, message in enumerate(messages, 1)]
    done = await asyncio.gather(*(_do(runs, one) for one in asked), return_exceptions=True)
    _raise_first(done)
    return [
        Published(one.id, tuple(started))
        for one, started in zip(asked, done, strict=True)
        if not isinstance(started, BaseException)
    ]


class _Asked(NamedTuple):
    id: str
    what: facts.ByHand | Command | Switch | facts.WantsBackfill | facts.StopsBackfill | facts.Message


def _read(runs: Runs, topic: str, message: Message, place: str) -> _Asked:
    id_ = str(secrets.randbits(64))
    if topic == START:
        return _Asked(id_, read_start(message.data, message.attributes, place))
    if topic == COMMAND:
        return _Asked(id_, read_command(message.data, place))
    known = runs.topics()
    if topic not in known:
        raise NotFound(
            f"there is no topic {shown(topic)}; there are {listed([START, COMMAND, *sorted(known)])}"
        )
    return _Asked(id_, facts.Message(topic, id_, message.data, dict(message.attributes)))


async def _do(runs: Runs, asked: _Asked) -> Sequence[str]:
    match asked.what:
        case facts.ByHand(pipeline=pipeline, params=params, key=key, force=force):
            return (
                await runs.start_run(pipeline, params, key if key is not None else asked.id, force=force),
            )
        case Command(command="cancel", run=run):
            await runs.cancel(run)
            return (run,)
        case Command(run=run, newest_plan=newest_plan):
            return (await runs.retry(run, newest_plan=newest_plan),)
        case facts.WantsBackfill(key=key) as wanted:
            await runs.begin_backfill(msgspec.structs.replace(wanted, key=key or asked.id))
        case facts.StopsBackfill(backfill=backfill, running=running):
            await runs.stop_backfill(backfill, running=running)
        case Switch(command=command, pipeline=pipeline):
            await runs.set_paused(pipeline, paused=command == "pause")
        case facts.Message() as message:
            return await runs.deliver(message)
    return ()


def _raise_first(done: Sequence[Sequence[str] | BaseException]) -> None:
    errors = [(number, error) for number, error in enumerate(done, 1) if isinstance(error, BaseException)]
    if not errors:
        return
    number, error = errors[0]
    if len(done) == 1 or not isinstance(error, OnwardError):
        raise error
    kind = UserError if isinstance(error, UserError) else type(error)
    others = len(done) - len(errors)
    raise kind(f"message {number} of {len(done)}: {error} ({others} of the messages were carried out)")


def _place(number: int, messages: Sequence[Message]) -> str:
    return "the message" if len(messages) == 1 else f"message {number} of {len(messages)}"
