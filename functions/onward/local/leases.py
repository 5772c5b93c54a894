"""Whether anybody is writing to a file: the kernel's own answer, by a read lease."""

from __future__ import annotations

import fcntl
import os
import signal


def stat_unless_written(path: bytes) -> os.stat_result | None:
    """The file's stat while nobody has it open for writing (nor mapped so); None when somebody has.

    A read lease is granted only then; it is held for the stat alone. Where there are no leases to be had (the
    file belongs to somebody else or can't be read, or its file system has none) the file counts as complete:
    should it be written on, its close makes another generation. Links are not followed. Raises OSError.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        return os.lstat(path)
    try:
        # Whoever opens the file for writing in this moment waits for the lease to end, and the kernel asks us
        # for it by a signal: SIGIO, which kills, unless we name another. SIGURG is ignored by default.
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        return os.fstat(file)
    except BlockingIOError:
        return None
    except OSError:
        return os.fstat(file)
    finally:
        os.close(file)  # gives the lease back
