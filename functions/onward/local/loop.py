"""Feeds the engine: events that wait together are turned together, and nothing runs while none waits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from onward.core.commands import Command
from onward.core.errors import Temporary
from onward.core.events import Event, Submitted, Verdict
from onward.engine import Engine, Turn

GROUP = 256
"""Events at most that share a commit."""
SETTLE_DELAY = 0.005
"""Seconds that a settle waits for company: short steps end within it, and their commit takes it along."""
CARRY_OUT_DELAY = 10.0
"""Seconds until a command that could not be carried out is tried again."""
_FIRST_RETRY, _LAST_RETRY = 1.0, 30.0


class EventLoop:
    """The in-process bus. An event is `done` once all that it decided is committed."""

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop, say: Callable[[str], None]) -> None:
        self._engine = engine
        self._loop = loop
        self._say = say
        self._inbox: deque[tuple[Event, Callable[[], None] | None]] = deque()
        self._settles: list[Submitted] = []
        self._scheduled: asyncio.Handle | None = None
        self._settling = False
        self._troubled = False
        self._closed = False
        self._retry = _FIRST_RETRY
        self.after_turn: list[Callable[[], None]] = []
        """Called after each commit, before anything waits again."""

    def post(self, events: Iterable[Event], done: Callable[[], None] | None = None) -> None:
        """Take these in; `done` is called for each once it is dealt with."""
        self._inbox.extend((event, done) for event in events)
        if self._inbox:
            self.wake()

    def post_now(self, events: Iterable[Event]) -> None:
        """Like `post`, with the turn at once: between two steps nothing else should come."""
        self._inbox.extend((event, None) for event in events)
        if not self._troubled and not self._closed:
            if self._scheduled is not None:
                self._scheduled.cancel()
            self._turn()

    def wake(self) -> None:
        """Have a turn soon, if only for what comes after it."""
        if self._scheduled is None and not self._closed:
            self._scheduled = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = None
        group = [self._inbox.popleft() for _ in range(min(GROUP, len(self._inbox)))]
        settles, self._settles = self._settles, []
        try:
            self._handle(_worth_deciding(settles, [event for event, _ in group]))
            while group:
                _, done = group.pop(0)
                if done is not None:
                    done()
            for after in self.after_turn:
                after()
        except Temporary as error:
            self._wait_out(error)
            self._inbox.extendleft(reversed(group))
            self._settles += settles
            return
        self._troubled, self._retry = False, _FIRST_RETRY
        if self._inbox:
            self.wake()
        elif self._settles and not self._settling:
            self._settling = True
            self._loop.call_later(SETTLE_DELAY, self._settle)

    def _settle(self) -> None:
        self._settling = False
        if self._settles:
            self.wake()

    def _wait_out(self, error: Temporary) -> None:
        """A full disk, say: nothing is lost, and nothing else is tried meanwhile."""
        self._say(f"{error}; trying again in {self._retry:g} s")
        self._troubled = True
        self._scheduled = self._loop.call_later(self._retry, self._turn)
        self._retry = min(2 * self._retry, _LAST_RETRY)

    def _handle(self, events: Sequence[Event]) -> None:
        if not events:
            return
        try:
            turn = self._engine.turn(events)
        except Temporary:
            raise
        except Exception as error:  # an event that can't be decided must not stop the others
            if len(events) == 1:
                self._say(f"{events[0]} could not be dealt with: {type(error).__name__}: {error}")
                return
            for event in events:
                self._handle([event])
            return
        self._take(turn)

    def _take(self, turn: Turn) -> None:
        """Keep what carrying out reported for the next turn, and try again later what could not be done."""
        for report in turn.reports:
            if isinstance(report, Submitted):
                self._settles.append(report)
            else:
                self._inbox.append((report, None))
        if turn.left:
            self._say(f"{turn.unfinished}; trying again in {CARRY_OUT_DELAY:g} s")
            self._loop.call_later(CARRY_OUT_DELAY, self._carry_out, turn.left)

    def _carry_out(self, commands: Sequence[Command]) -> None:
        if self._closed:
            return
        self._take(self._engine.carry_out(commands))
        if self._inbox:
            self.wake()

    def close(self) -> None:
        """Do no more. What waits is found again in the state."""
        self._closed = True
        if self._scheduled is not None:
            self._scheduled.cancel()
        self._inbox.clear()


def _worth_deciding(settles: list[Submitted], events: list[Event]) -> list[Event]:
    """A settle that comes together with the verdict on its job has nothing to add."""
    if settles and events:
        judged = {(event.run, event.node, event.attempt) for event in events if isinstance(event, Verdict)}
        settles = [settle for settle in settles if (settle.run, settle.node, settle.attempt) not in judged]
    return [*settles, *events]
