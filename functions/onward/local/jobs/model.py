"""What a job is told, and what can be known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec


class Spec(msgspec.Struct, frozen=True):
    """What to run. `env` is added to the runtime's own; a log longer than `max_log_bytes` loses its middle;
    `grace_seconds` lie between SIGTERM and SIGKILL of a cancelled job."""

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = {}
    max_log_bytes: int = 16 * 1024 * 1024
    grace_seconds: float = 10.0


class Result(msgspec.Struct, frozen=True):
    """How a job ended: by `exit_code`, or by `signal`. Times in microseconds UTC.

    `exit_code` is 127 when the command was not found, 126 when it could not be run: `last_lines` says why.
    A job that was `cancelled` may have succeeded all the same. `log_dropped` bytes did not fit on the disk.
    """

    started: int
    ended: int
    exit_code: int | None
    signal: int | None
    cancelled: bool
    last_lines: str
    log_dropped: int


@dataclass(frozen=True)
class Ended:
    result: Result


@dataclass(frozen=True)
class Alive:
    """Its supervisor lives."""


@dataclass(frozen=True)
class Lost:
    """It was started, its supervisor is gone and left no result; what was left of the job is killed."""


@dataclass(frozen=True)
class Missing:
    """It was never started, or was forgotten."""


Look = Ended | Alive | Lost | Missing
