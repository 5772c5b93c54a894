"""The system's clock, and timers that live in the loop: after a restart they are set again from the state."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from onward.core.commands import SetTimer
from onward.core.events import Event
from onward.ports import Clock


class SystemClock:
    """See `ports.Clock`."""

    def now(self) -> int:
        """Microseconds since 1970, UTC."""
        return time.time_ns() // 1000


class LoopTimers:
    """See `ports.Timers`. Costs nothing until a timer is due."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, ring: Callable[[Event], None]) -> None:
        self._loop = loop
        self._clock = clock
        self._ring = ring
        self._handles: dict[str, asyncio.TimerHandle] = {}

    def set(self, timers: Sequence[SetTimer]) -> None:
        """See `ports.Timers`."""
        now = self._clock.now()
        for timer in timers:
            if timer.name not in self._handles:
                delay = max(0, timer.at - now) / 1_000_000
                self._handles[timer.name] = self._loop.call_later(delay, self._rung, timer.name, timer.event)

    def _rung(self, name: str, event: Event) -> None:
        del self._handles[name]
        self._ring(event)

    def close(self) -> None:
        """Forget them all."""
        for handle in self._handles.values():
            handle.cancel()
        self._handles.clear()
