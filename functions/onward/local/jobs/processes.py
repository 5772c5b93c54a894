"""Processes by what they are, never by a bare number that the system may have used again."""

from __future__ import annotations

import contextlib
import os
import signal


def open_process(pid: int, start: int) -> int | None:
    """A pidfd of the process with this pid and start time (clock ticks since boot); None when it is gone."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    # Read after the pidfd was opened: if it is the right one now, the pidfd is the right one for good.
    if _start(pid) == start:
        return pidfd
    os.close(pidfd)
    return None


def _start(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return int(stat.read().rpartition(b")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return None


def kill_marked(variable: str, value: str) -> None:
    """Kill the group of every process that carries this environment variable.

    What outlives its supervisor has no parent to know it by; the head of its group, whose start could
    have been on record, is dead. But who was born with the mark descends from the job, as does its group.
    """
    mark = os.fsencode(f"{variable}={value}")
    groups = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as environ:
            if mark in environ.read().split(b"\0"):
                groups.add(os.getpgid(int(name)))
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
