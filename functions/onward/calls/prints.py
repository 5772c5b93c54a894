"""What a call prints, line by line."""

from __future__ import annotations

from collections.abc import Callable

MOST = 16 << 20
"""Bytes kept of what one attempt prints."""
LONGEST = 64 << 10
"""Bytes of a line; Cloud Logging cuts lines of more than 256 KB into pieces of its own."""


class Prints:
    """Collects what comes in pieces, and says each line once it is whole."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._rest = b""
        self._left = MOST

    def take(self, data: bytes) -> None:
        """The next piece."""
        if self._left <= 0:
            return
        self._left -= len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._say_all(line)
        while len(self._rest) > LONGEST:
            self._say_all(self._rest[:LONGEST])
            self._rest = self._rest[LONGEST:]
        if self._left <= 0:
            self.close()
            self._say("[output cut here: 16 MiB are kept]")

    def close(self) -> None:
        """No more comes: the last line need not end."""
        rest, self._rest = self._rest, b""
        if rest:
            self._say_all(rest)

    def _say_all(self, line: bytes) -> None:
        for start in range(0, max(len(line), 1), LONGEST):
            self._say(line[start : start + LONGEST].decode(errors="replace"))
