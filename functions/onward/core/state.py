"""The documents that record how far each run has got, and the keys that name them.

A node's `phase` says where it stands; each phase holds what is true only there, so a state that can't be
can't be written. All times are microseconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

import msgspec
from msgspec.structs import replace

HISTORY_LENGTH = 32
"""Entries a node document keeps; older ones are written to an object."""


class RunKey(msgspec.Struct, frozen=True, tag="run"):
    """Names a run's document."""

    run: str


class NodeKey(msgspec.Struct, frozen=True, tag="node"):
    """Names the document of one node of a run."""

    run: str
    node: str


class PlanKey(msgspec.Struct, frozen=True, tag="plan"):
    """Names a plan by its content."""

    plan: str


Key = RunKey | NodeKey | PlanKey


class RunState(StrEnum):
    """Where a run stands. The last three never change."""

    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Nothing will change any more."""
        return self not in (RunState.RUNNING, RunState.CANCELLING)


class Run(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="doc", tag="run"):
    """One execution of a pipeline. Written when it starts, is cancelled, and ends; never in between."""

    pipeline: str
    plan: str
    state: RunState
    started: int
    params: dict[str, Any] = {}
    """By name, as JSON: dates as ISO strings."""
    trigger: dict[str, Any] = {}
    """The facts that started it: `on` (object, hand, …), and what that trigger knows."""
    ended: int | None = None
    error: str | None = None
    rules: int = 1
    """The version of the naming and progress rules that it began with."""


class Waiting(msgspec.Struct, frozen=True, tag_field="state", tag="waiting"):
    """Not everything it needs has ended. The same as no document at all."""

    ended: ClassVar[bool] = False


class Submitting(msgspec.Struct, frozen=True, tag_field="state", tag="submitting"):
    """The intent to submit is recorded; whether a job exists isn't known yet."""

    ended: ClassVar[bool] = False
    token: str
    """Whose intent it is."""
    until: int
    """No submit call for this intent is made or goes on after this time."""
    since: int
    """When the attempt began."""


class Running(msgspec.Struct, frozen=True, tag_field="state", tag="running"):
    """The service has the job."""

    ended: ClassVar[bool] = False
    job: str
    since: int
    due: int
    """When to look at it if nothing was heard: a status check or its time limit."""
    checks: int = 0
    """Status reads that found it still running, since the attempt began."""


class Backoff(msgspec.Struct, frozen=True, tag_field="state", tag="retrying"):
    """Waits before `attempt` is made: after a failure, or because a quota asked for patience."""

    ended: ClassVar[bool] = False
    until: int
    attempt: int
    error: str
    since: int
    """When the attempt before began."""


class Cancelling(msgspec.Struct, frozen=True, tag_field="state", tag="cancelling"):
    """Its job was told to stop; only a verdict says that it did."""

    ended: ClassVar[bool] = False
    until: int
    """A submit may still be under way before this time."""
    due: int
    timed_out: bool
    """The time limit did it, not a person: the attempt has failed and may be repeated."""
    since: int
    job: str | None = None
    token: str | None = None
    """Whose submit was under way; only its owner can say that there is no job."""


class Succeeded(msgspec.Struct, frozen=True, tag_field="state", tag="succeeded"):
    """Done. `output` is JSON, or the URI of an object that holds it (`output_uri`)."""

    ended: ClassVar[bool] = True
    output: Any = None
    output_uri: str | None = None
    adopted: str | None = None
    """The run whose result was taken over, for a node that did not run in this one."""


class Failed(msgspec.Struct, frozen=True, tag_field="state", tag="failed"):
    """The last attempt failed."""

    ended: ClassVar[bool] = True
    error: str


class UpstreamFailed(msgspec.Struct, frozen=True, tag_field="state", tag="upstream_failed"):
    """Never started, because the step `cause` did not succeed."""

    ended: ClassVar[bool] = True
    cause: str


class Cancelled(msgspec.Struct, frozen=True, tag_field="state", tag="cancelled"):
    """Stopped, or never started, because the run was cancelled."""

    ended: ClassVar[bool] = True


Phase = (
    Waiting | Submitting | Running | Backoff | Cancelling | Succeeded | Failed | UpstreamFailed | Cancelled
)
WAITING = Waiting()


class Entry(NamedTuple):
    """One line of a node's history: at this time, because of this event, it came to this state."""

    at: int
    event: str
    state: str
    why: str = ""


class Node(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="doc", tag="node"):
    """How far one node of a run has got."""

    phase: Phase = WAITING
    attempt: int = 0
    """The attempt under way or made last, from 1."""
    lost: int = 0
    """How often this attempt's job was lost with its process and repeated."""
    timers: int = 0
    """Timers set so far: a timer's name is never used twice."""
    arrived: tuple[str, ...] = ()
    """A gather's children that have ended: `name`, or `name!cause` for one that did not succeed."""
    started: int | None = None
    ended: int | None = None
    job: str | None = None
    history: tuple[Entry, ...] = ()
    spilled: int = 0
    """History entries that were moved to an object."""
    bells: int = 0
    """Status reads because something rang."""
    checks: int = 0
    """Status reads because nothing was heard for too long."""

    def joined(self, members: Iterable[str]) -> Node:
        """With these members in its set: the same object if they were all there."""
        missing = tuple(member for member in members if member not in self.arrived)
        return replace(self, arrived=self.arrived + missing) if missing else self

    @property
    def due(self) -> int | None:
        """When somebody must look at it if nothing happens; None when it waits for others or has ended."""
        match self.phase:
            case Running(due=due) | Cancelling(due=due):
                return due
            case Submitting(until=until) | Backoff(until=until):
                return until
            case _:
                return None


class StoredPlan(msgspec.Struct, frozen=True, tag_field="doc", tag="plan"):
    """A plan, compressed, under the hash of its content."""

    body: bytes


Document = Run | Node | StoredPlan
