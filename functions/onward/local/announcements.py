"""Announcements of the embedded runtime: CloudEvents, a line of JSON each, at the end of a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from onward.cloudevents import structured
from onward.core.commands import Announce
from onward.core.errors import Unavailable

SOURCE = "/onward"


class AnnouncementFile:
    """See `ports.Announcer`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.heard: list[Callable[[Announce], None]] = []
        """Called with each, once it is safe."""

    def announce(self, facts: Sequence[Announce]) -> None:
        """See `ports.Announcer`."""
        try:
            with self._path.open("ab") as file:
                file.write(b"".join(structured(fact, SOURCE) + b"\n" for fact in facts))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unavailable(f"{self._path} took no announcement: {error.strerror}") from error
        for heard in self.heard:
            for fact in facts:
                heard(fact)
