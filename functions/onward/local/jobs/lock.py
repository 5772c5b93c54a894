"""Is anybody there? Locks that belong to an open file, not to a process: a child inherits them held.

Open file description locks (fcntl(2)), because asking about one does not take it, not even for a moment.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

_FLOCK = "@hhqqi4x"  # struct flock on 64-bit Linux: type, whence, start, length, pid
_WHOLE_FILE = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def take(file: int) -> bool:
    """Lock the file; False when it is locked already. Closing the last copy of the descriptor unlocks it."""
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, _WHOLE_FILE)
    except BlockingIOError:
        return False
    return True


def wait(file: int) -> None:
    """Wait until nobody has the open file locked."""
    fcntl.fcntl(file, fcntl.F_OFD_SETLKW, _WHOLE_FILE)


def held(path: Path) -> bool:
    """Does anybody hold the lock? A file that is not there is not locked."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        kind: int = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_OFD_GETLK, _WHOLE_FILE))[0]
    finally:
        os.close(file)
    return kind != fcntl.F_UNLCK
