"""Publish a message and follow the run it is about to its end, whichever runtime carries it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from onward.cli.client import Gone
from onward.cli.doors import door
from onward.cli.interruption import Interrupted, Left
from onward.cli.places import Places
from onward.local.topics import Message, Published


class Carrier:
    """Carries one message, and the run it is about.

    Should the runtime at work end first, the run goes on in the next one, perhaps in this command. A start
    that is published twice because of that is one run, by its key.
    """

    def __init__(self, places: Places, say: Callable[[str], None]) -> None:
        self._places = places
        self._say = say
        self._way = ExitStack()
        self.published: Published | None = None
        """Known with the first change."""
        self.here = True
        """Whether this command is the runtime."""

    def __enter__(self) -> Carrier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._way.__exit__(kind, error, trace)

    def carry(self, topic: str, message: Message) -> Iterator[dict[str, Any]]:
        """The run after each change, to its end. Raises Left on SIGINT and SIGTERM."""
        try:
            while True:
                self._way.close()
                way = self._way.enter_context(door(self._places, self._say))
                self.here = way.here
                try:
                    if self.published is None:
                        self.published = way.publish(topic, message)
                    yield from way.follow(self.published.run)
                    return
                except Gone:
                    pass
        except Interrupted as interrupted:
            raise Left(self._farewell(), interrupted) from None

    def _farewell(self) -> str:
        if self.published is None:
            return "stopped before anything was started"
        run = self.published.run
        cancel = f"  # stop it\n  {self._places.command('cancel', run)}"
        if not self.here:
            return f"Left run {run} to the runtime that carries it.\n{cancel}"
        return (
            f"Left run {run} where it is; it goes on while a runtime is at work.\n"
            f"  # go on with it\n  {self._places.command('up')}\n{cancel}"
        )
