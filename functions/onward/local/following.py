"""A run or a backfill as it changes, for whoever looks on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, Protocol

from onward.core.backfill import Backfill
from onward.views import Views


class Watched(Protocol):
    """What following needs of a runtime."""

    @property
    def views(self) -> Views: ...
    def subscribe(self, told: Callable[[frozenset[str]], None]) -> Callable[[], None]: ...


async def follow(runtime: Watched, run: str) -> AsyncGenerator[dict[str, Any], None]:
    """The run in detail, now and after each change, until it has ended. Raises NotFound.

    Changes that come faster than they are taken are one change.
    """
    changed = asyncio.Event()
    unsubscribe = runtime.subscribe(lambda runs: changed.set() if run in runs else None)
    try:
        while True:
            changed.clear()
            details = runtime.views.details(run)
            yield details
            if details["ended"]:
                return
            await changed.wait()
    finally:
        unsubscribe()


async def backfill_changed(runtime: Watched, backfill: str, known: Backfill | None) -> Backfill:
    """Returns the backfill once it is not as it was known. Raises NotFound."""
    changed = asyncio.Event()
    unsubscribe = runtime.subscribe(lambda ids: changed.set() if backfill in ids else None)
    try:
        while (found := runtime.views.backfill(backfill)) == known:
            await changed.wait()
            changed.clear()
    finally:
        unsubscribe()
    return found
