"""How a call is told in the cloud: the task that asks for it, and the object that says what became of it."""

from __future__ import annotations

import hashlib
from typing import Any, Literal, Protocol

import msgspec

LONGEST = 29 * 60
"""Seconds that a call may take: half an hour is what Cloud Tasks waits for an answer."""
STARTS = 4
"""How often a call is begun: once, and three times more if it is lost with its process."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a task: one call of a function in a file of the pipeline's folder."""

    job: str
    run: str
    step: str
    attempt: int
    pipeline: str
    file: str
    function: str
    args: dict[str, Any]
    seconds: float
    """The call may take so long."""


class Result(msgspec.Struct, frozen=True):
    """What became of a call."""

    state: Literal["succeeded", "failed", "cancelled"]
    output: msgspec.Raw = msgspec.Raw(b"null")
    """What the function returned, as JSON."""
    error: str = ""


class Objects(Protocol):
    """Objects of ours that are written once."""

    def create(self, name: str, body: bytes) -> bool:
        """False if it is there already."""

    def own(self, name: str) -> bytes | None:
        """Its content, or None."""


class Results:
    """The results of calls by job name. The first one counts, whoever wrote it."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def of(self, job: str) -> Result | None:
        """The result, once there is one. Users' code could write it too: what can't be read is a failure."""
        body = self._objects.own(f"python/{job}.json")
        try:
            return None if body is None else msgspec.json.decode(body, type=Result)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return Result("failed", error=f"the object that holds its result is none of ours: {error}")

    def add(self, job: str, result: Result) -> bool:
        """False if there is a result already: that one counts."""
        return self._objects.create(f"python/{job}.json", msgspec.json.encode(result))

    def start(self, job: str) -> int:
        """Note that the call is begun: how often it now was, or more than `STARTS` if it must not be."""
        for n in range(1, STARTS + 1):
            if self._objects.create(f"python/{job}.start-{n}", b"{}"):
                return n
        return STARTS + 1


def task_id(job: str) -> str:
    """The id of a job's task. Cloud Tasks is slow with ids that begin alike, as those of one step do."""
    return f"{hashlib.sha256(job.encode()).hexdigest()[:8]}-{job}"
