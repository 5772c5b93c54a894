"""A runtime inside this command, for as long as the command has something to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from onward.cli.interruption import SIGNALS, Interrupted
from onward.cli.places import Places
from onward.core.errors import BadParameter
from onward.local.endpoint import Endpoint
from onward.local.following import follow
from onward.local.runtime import Runtime
from onward.local.topics import Message, Published, publish

if TYPE_CHECKING:
    from onward.local.emulated import Emulated

T = TypeVar("T")


class Embedded:
    """Runs a runtime and its endpoint whenever one of its methods waits. Raises `StateInUse`.

    With `faults` (JSON) it is not the embedded runtime but the cloud path, on emulators.

    Every method raises Interrupted when SIGINT or SIGTERM arrives.
    """

    here = True
    """When this command ends, so does the runtime."""

    def __init__(
        self,
        places: Places,
        say: Callable[[str], None],
        *,
        watch: bool = False,
        port: int = 0,
        faults: str | None = None,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._say = say
        self._signal = 0
        self._task: asyncio.Task[Any] | None = None
        try:
            self.runtime = _maker(faults)(places.workflows, places.state, self._loop, say)
        except BaseException:
            self._loop.close()
            raise
        self.endpoint = Endpoint(self.runtime, port)
        self._watch = watch

    def __enter__(self) -> Embedded:
        for number in SIGNALS:
            self._loop.add_signal_handler(number, self._interrupt, number)
        try:
            self.wait(self.endpoint.open())
            self.runtime.start(watch=self._watch)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None and not self._signal:
                self._stay_for_others()
        finally:
            self._close()

    def _stay_for_others(self) -> None:
        """Runs that others asked for here would lose calls in progress with this command."""
        others = [run for run in self.endpoint.asked if not self.runtime.views.run(run)["ended"]]
        if not others:
            return
        self._say(
            f"carrying {', '.join(sorted(others))} too, and staying for that; Ctrl-C leaves it to others"
        )
        with suppress(Interrupted):
            self.wait(self._others_ended())

    async def _others_ended(self) -> None:
        while self.endpoint.asked:
            await self.runtime.ended(self.endpoint.asked.pop())

    def publish(self, topic: str, message: Message) -> Published:
        """Returns once it is committed. Raises what `topics.publish` does."""
        return self.wait(publish(self.runtime, topic, [message]))[0]

    def follow(self, run: str) -> Iterator[dict[str, Any]]:
        """The run after each change, to its end."""
        frames: AsyncGenerator[dict[str, Any], None] = follow(self.runtime, run)
        try:
            while (details := self.wait(_next(frames))) is not None:
                yield details
        finally:
            self._loop.run_until_complete(frames.aclose())

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Let the runtime work until this is done."""
        self._task = task = self._loop.create_task(work)
        if self._signal:
            task.cancel()
        try:
            return self._loop.run_until_complete(task)
        except asyncio.CancelledError:
            if self._signal:
                raise Interrupted(self._signal) from None
            raise
        finally:
            self._task = None

    def _interrupt(self, number: int) -> None:
        self._signal = number
        if self._task is not None:
            self._task.cancel()

    def _close(self) -> None:
        for number in SIGNALS:
            self._loop.remove_signal_handler(number)
        self._loop.run_until_complete(self.endpoint.close())
        self._loop.run_until_complete(self.runtime.close())
        self._loop.close()


def _maker(faults: str | None) -> Callable[..., Runtime | Emulated]:
    if faults is None:
        return Runtime
    import msgspec

    from onward.local.emulated import Emulated
    from onward.local.standins.publisher import Faults

    try:
        return partial(Emulated, faults=msgspec.json.decode(faults, type=Faults))
    except msgspec.MsgspecError as error:
        raise BadParameter(f'faults must be JSON such as {{"seed": 7, "lost": 0.2}}: {error}') from None


async def _next(frames: AsyncGenerator[T, None]) -> T | None:
    return await anext(frames, None)
