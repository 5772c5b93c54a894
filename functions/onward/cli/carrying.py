"""Publish a message and follow the runs it is about to their ends, whichever runtime carries them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from onward.cli.client import Gone
from onward.cli.doors import Door, door
from onward.cli.interruption import Interrupted, Left
from onward.cli.places import Places
from onward.core.errors import OnwardError
from onward.local.topics import Message, Published


class Carrier:
    """Carries one message, and the runs it is about.

    Should the runtime at work end first, the run goes on in the next one, perhaps in this command. A start
    that is published twice because of that is one run, by its key.
    """

    def __init__(self, places: Places, say: Callable[[str], None]) -> None:
        self._places = places
        self._print = say
        self._held: list[str] = []
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
        if isinstance(error, Interrupted):
            raise Left(self._farewell(), error) from None

    def carry(self, topic: str, message: Message) -> Iterator[dict[str, Any]]:
        """Each run after each change, to its end.

        A signal may come here or where a change is shown: the end of the `with` block makes it a Left.
        """
        while True:
            self._way.close()
            way = self._way.enter_context(door(self._places, self._say))
            self.here = way.here
            try:
                if self.published is None:
                    self.published = self._publish(way, topic, message)
                for run in self.published.runs:
                    yield from way.follow(run)
                return
            except Gone:
                pass

    def _say(self, sentence: str) -> None:
        """Hold back what a runtime says at its start: the answer to the message may say the same."""
        if self.published is None:
            self._held.append(sentence)
        else:
            self._print(sentence)

    def _publish(self, way: Door, topic: str, message: Message) -> Published:
        told: list[str] = []
        try:
            return way.publish(topic, message)
        except OnwardError as error:
            told = str(error).split("\n")
            raise
        finally:
            for sentence in self._held:
                if sentence not in told:
                    self._print(sentence)
            self._held.clear()

    def _farewell(self) -> str:
        if self.published is None:
            return "stopped before anything was started"
        if not self.published.runs:
            return "stopped; the message had started nothing"
        runs = f"run {' and run '.join(self.published.runs)}"
        cancels = (self._places.command("cancel", run) for run in self.published.runs)
        cancel = "\n".join(("  # stop it", *(f"  {line}" for line in cancels)))
        if not self.here:
            return f"Left {runs} to the runtime that carries it.\n{cancel}"
        return (
            f"Left {runs} where it is; it goes on while a runtime is at work.\n"
            f"  # go on with it\n  {self._places.command('up')}\n{cancel}"
        )
