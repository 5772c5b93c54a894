"""An event loop whose time passes only when it is told to, and then at once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

SHORT = 0.5
"""Seconds that `settle` lets pass if somebody waits for so little: for company at a commit, say."""
PATIENCE = 30
"""Real seconds in which something real must happen while something is under way."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """`busy` tells whether something real is under way, which takes no time."""

    def __init__(self) -> None:
        self._seconds = self._limit = 0.0
        self.busy: Callable[[], bool] = lambda: False
        self.errors: list[str] = []
        super().__init__(_Selector(self))
        self.set_exception_handler(lambda _, context: self.errors.append(str(context)))

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._seconds

    def settle(self) -> None:
        """Until nothing is left to do but to wait."""
        self._run(self._seconds + SHORT)

    def advance(self, seconds: float) -> None:
        """Let so much time pass: what is due is done in order."""
        until = self._seconds + seconds
        self._run(until)
        self._seconds = max(until, self._seconds)

    def wait(self, what: Coroutine[Any, Any, Any]) -> None:
        """Until it is done, and no longer."""
        task = self.create_task(what)
        task.add_done_callback(lambda _: self.stop())
        self._run(self._seconds + SHORT)
        assert task.done(), "it does not come to an end"
        task.result()

    def _run(self, limit: float) -> None:
        self._limit = limit
        self.run_forever()
        assert not self.errors, self.errors

    def idle(self, wait: Callable[[float], Any]) -> Any:
        """Nothing is ready."""
        if self.busy():
            ready = wait(PATIENCE)
            assert ready, "what is under way does not come to an end"
            return ready
        due: float | None = self._scheduled[0].when() if self._scheduled else None
        if due is not None and due <= self._limit:
            self._seconds = max(self._seconds, due)
        else:
            self.stop()
        return []


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        return self._loop.idle(super().select)
