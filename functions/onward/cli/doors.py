"""The way to a runtime: the one that holds the state folder already, else one inside this command."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_SH, flock
from types import FrameType
from typing import Any, Protocol

from onward.cli.client import Client, find
from onward.cli.embedded import Embedded
from onward.cli.interruption import SIGNALS, Interrupted
from onward.cli.places import Places
from onward.core.errors import StateInUse
from onward.local.folder import StateFolder
from onward.local.inotify import IN_MOVED_TO, Inotify
from onward.local.topics import Message, Published

_PATIENCE_S = 30.0
"""How long a runtime that holds the folder may take until it answers."""


class Door(Protocol):
    """What commands ask of a runtime, wherever it is."""

    def publish(self, topic: str, message: Message) -> Published: ...
    def follow(self, run: str) -> Iterator[dict[str, Any]]: ...
    @property
    def here(self) -> bool:
        """Whether the runtime ends with this command."""


class Elsewhere(Client):
    """A runtime in another process."""

    here = False


@contextmanager
def door(places: Places, say: Callable[[str], None]) -> Iterator[Door]:
    """Opens one. Raises Interrupted on SIGINT and SIGTERM, StateInUse when a runtime there never answers."""
    folder = StateFolder(places.state)
    changes: _Changes | None = None
    while True:
        try:
            embedded = Embedded(places, say)
        except StateInUse as in_use:
            if client := find(folder):
                with _interruptible():
                    yield Elsewhere(client.address)
                return
            if changes is None:
                changes = _Changes(folder)  # and look again: from here on no change is missed
            else:
                with _interruptible():
                    changed = changes.wait()
                changes = None
                if not changed:
                    raise StateInUse(f"{in_use} (it does not answer at its endpoint)") from None
            continue
        with embedded:
            yield embedded
        return


class _Changes:
    """Wakes when another runtime says where it is, or leaves the folder."""

    def __init__(self, folder: StateFolder) -> None:
        self._inotify = Inotify()
        self._inotify.add(os.fsencode(folder.root), IN_MOVED_TO)
        self._free, told = os.pipe()
        lock = folder.root / "lock"
        threading.Thread(target=_wait_for_lock, args=(str(lock), told), daemon=True).start()

    def wait(self) -> bool:
        """Whether anything happened in time."""
        ready, _, _ = select.select([self._inotify.fileno(), self._free], [], [], _PATIENCE_S)
        self._inotify.close()
        os.close(self._free)
        return bool(ready)


def _wait_for_lock(path: str, told: int) -> None:
    """Closes `told` once nobody holds the lock."""
    try:
        with open(path, "rb") as lock:
            flock(lock, LOCK_SH)
    finally:
        os.close(told)


@contextmanager
def _interruptible() -> Iterator[None]:
    def interrupt(number: int, _: FrameType | None) -> None:
        raise Interrupted(number)

    before = [(number, signal.signal(number, interrupt)) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
