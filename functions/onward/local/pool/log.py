"""Append what a call printed to its log."""

from __future__ import annotations

import os

MAX_LOG = 16 << 20
"""Bytes kept of what one attempt prints."""

_CUT = b"\n[output cut here: a log keeps 16 MiB]\n"


def append(path: str, data: bytes) -> None:
    """Append `data` to the log at `path`, which is created if need be; past MAX_LOG bytes only say so, once.

    A log that cannot be written (a full disk, say) is given up silently: a call does not fail for its prints.
    """
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "ab", buffering=0) as log:
            room = MAX_LOG - log.tell()
            if room >= len(data):
                log.write(data)
            elif room >= 0:
                log.write(data[:room] + _CUT)
    except (OSError, ValueError):
        pass
