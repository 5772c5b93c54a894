"""A thin binding of Linux's inotify(7): no thread, no timer, one file descriptor to wait on."""

from __future__ import annotations

import ctypes
import errno
import io
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

IN_ATTRIB = 0x4
IN_CLOSE_WRITE = 0x8
IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ONLYDIR = 0x1000000
IN_DONT_FOLLOW = 0x2000000

_HEADER = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows
_BUFFER_BYTES = 64 * 1024  # some 1,500 events: a burst is read in few calls, and none holds the loop for long


class Event(NamedTuple):
    watch: int  # -1: the queue overflowed
    mask: int
    name: bytes  # empty: the folder itself


class Inotify:
    """One inotify instance. Raises OSError with the kernel's errno."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        descriptor = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._file = io.FileIO(descriptor)

    def fileno(self) -> int:
        return self._file.fileno()

    def add(self, path: bytes, mask: int) -> int:
        """Watch a folder; the same folder, under whatever name, has the same watch."""
        return self._checked(self._libc.inotify_add_watch(self._file.fileno(), path, ctypes.c_uint32(mask)))

    def remove(self, watch: int) -> None:
        """End a watch; one that the kernel ended already is fine."""
        self._libc.inotify_rm_watch(self._file.fileno(), watch)

    def read(self) -> Iterator[Event]:
        """The events of one buffer; none when nothing is waiting."""
        data = self._file.read(_BUFFER_BYTES) or b""
        at = 0
        while at < len(data):
            watch, mask, _, length = _HEADER.unpack_from(data, at)
            at += _HEADER.size + length
            yield Event(watch, mask, data[at - length : at].rstrip(b"\0"))

    def close(self) -> None:
        self._file.close()

    @staticmethod
    def _checked(result: int) -> int:
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result


def explain(path: bytes, error: OSError) -> str:
    """A sentence on why a folder or file can't be watched, and what to do when a limit is reached."""
    match error.errno if error.filename is None else None:  # a full disk is another matter
        case errno.ENOSPC:
            return (
                "this user's limit of inotify watches is reached, further folders are not watched:"
                " raise it, e.g. `sysctl fs.inotify.max_user_watches=1000000`"
            )
        case errno.EMFILE:
            return (
                "this user's limit of inotify instances or open files is reached:"
                " raise it, e.g. `sysctl fs.inotify.max_user_instances=1024` or `ulimit -n 4096`"
            )
        case _:
            return f"{shown(path)} is not watched: {error.strerror}"


def shown(path: bytes) -> str:
    return repr(path.decode(errors="backslashreplace"))
