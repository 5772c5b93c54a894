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

from onward.core.backfill import Backfill
from onward.core.events import ItemList, StartRun

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


class SetKey(msgspec.Struct, frozen=True, tag="set"):
    """Names a set of arrivals: of one trigger, and what its members agree in."""

    set: str


class MemberKey(msgspec.Struct, frozen=True, tag="member"):
    """Names one member of a set: an object's generation, a run that ended."""

    set: str
    member: str


class GateKey(msgspec.Struct, frozen=True, tag="gate"):
    """Names an admission: a pool, or the runs of a pipeline."""

    gate: str


class WaiterKey(msgspec.Struct, frozen=True, tag="waiter"):
    """Names one that waits for admission. Its name is its place in the order."""

    gate: str
    waiter: str


class PipelineKey(msgspec.Struct, frozen=True, tag="pipeline"):
    """Names what is kept of a pipeline between its runs."""

    pipeline: str


class BackfillKey(msgspec.Struct, frozen=True, tag="backfill"):
    """Names a backfill."""

    backfill: str


Key = RunKey | NodeKey | PlanKey | SetKey | MemberKey | GateKey | WaiterKey | PipelineKey | BackfillKey


class RunState(StrEnum):
    """Where a run stands. The last four never change."""

    QUEUED = "queued"
    """Waits for admission; nothing of it has begun."""
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    """Never began, because others were under way (`on_conflict: skip`)."""

    @property
    def ended(self) -> bool:
        """Nothing will change any more."""
        return self not in (RunState.QUEUED, RunState.RUNNING, RunState.CANCELLING)


class Note(NamedTuple):
    """A fact that is to be announced: one of `pipeline.ANNOUNCEMENTS`, and when it came about (µs)."""

    kind: str
    at: int
    attempt: int = 0


class Run(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="doc", tag="run"):
    """One execution of a pipeline. Written when it starts, is late, is stopped, and ends."""

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
    """Why it failed; of a run that is being stopped: why it will have failed. None: a person stops it."""
    queued: int | None = None
    """When it had to wait for admission, if it had: `started` is when it was let in."""
    rules: int = 1
    """The version of the naming and progress rules that it began with."""
    late: bool = False
    """It went on longer than expected, and that was told."""
    untold: tuple[Note, ...] = ()
    """What is announced of it, until the publisher has it."""

    @property
    def overran(self) -> bool:
        """It is its deadline that stops it, not a person."""
        return self.state is RunState.CANCELLING and self.error is not None

    @property
    def began(self) -> int | None:
        """When it started; None for a run that waits for admission, or was never let in."""
        return None if self.started == self.queued else self.started


class Waiting(msgspec.Struct, frozen=True, tag_field="state", tag="waiting"):
    """Not everything it needs has ended. The same as no document at all."""

    ended: ClassVar[bool] = False


class Queued(msgspec.Struct, frozen=True, tag_field="state", tag="queued"):
    """Everything it needs is there but a slot of its pool."""

    ended: ClassVar[bool] = False
    gate: str
    since: int
    due: int
    """When to look whether it was forgotten."""


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


class Mapped(msgspec.Struct, frozen=True, tag_field="state", tag="mapping"):
    """Runs once per item of its list: its items are nodes of their own."""

    ended: ClassVar[bool] = False
    since: int
    due: int
    """When to look for lanes that stand still."""
    checks: int = 0


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


class Skipped(msgspec.Struct, frozen=True, tag_field="state", tag="skipped"):
    """Never started, because it was not called for: no failure."""

    ended: ClassVar[bool] = True
    why: str = ""
    cause: str = ""
    """The step that was skipped first, where it follows another one."""


class Cancelled(msgspec.Struct, frozen=True, tag_field="state", tag="cancelled"):
    """Stopped, or never started, because the run was cancelled."""

    ended: ClassVar[bool] = True


Phase = (
    Waiting
    | Queued
    | Submitting
    | Running
    | Backoff
    | Cancelling
    | Mapped
    | Succeeded
    | Failed
    | UpstreamFailed
    | Skipped
    | Cancelled
)
WAITING = Waiting()


class Tally(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of the items of a lane before this one: how many failed, the first of them, and why."""

    failed: int = 0
    first: int | None = None
    error: str = ""


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
    """A gather's children that have ended, each with a mark of what it came to (`readiness.mark`)."""
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
    late: int = 0
    """The last attempt that went on longer than expected, and that was told."""
    untold: tuple[Note, ...] = ()
    """What is announced of it, until the publisher has it."""
    items: ItemList | None = None
    """What a `for_each` runs over, from when it began."""
    tally: Tally | None = None
    """Of an item of one."""

    def joined(self, members: Iterable[str]) -> Node:
        """With these members in its set: the same object if they were all there."""
        missing = tuple(member for member in members if member not in self.arrived)
        return replace(self, arrived=self.arrived + missing) if missing else self

    @property
    def due(self) -> int | None:
        """When somebody must look at it if nothing happens; None when it waits for others or has ended."""
        match self.phase:
            case Queued(due=due) | Running(due=due) | Cancelling(due=due) | Mapped(due=due):
                return due
            case Submitting(until=until) | Backoff(until=until):
                return until
            case _:
                return None


class StoredPlan(msgspec.Struct, frozen=True, tag_field="doc", tag="plan"):
    """A plan, compressed, under the hash of its content."""

    body: bytes


class Closing(msgspec.Struct, frozen=True, omit_defaults=True):
    """What becomes of a set's round: written by one compare-and-set, carried out from there."""

    manifest: str
    """The URI of the frozen list of the round's members."""
    content: str
    """A hash of what the members are: equal sets have the same."""
    start: StartRun | None = None
    """The run that the round starts; None if nothing has changed since the round before."""
    absent: bool = False
    """What was awaited is not there, and that is to be told."""


class Set(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="doc", tag="set"):
    """A set that fills. Its members are documents of their own; this one says how far it has got.

    `closing` is there from the decision to close a round until all of its members are marked as taken.
    """

    pipeline: str
    plan: str
    """The plan of the latest arrival: it says when the set is complete, and starts the run."""
    trigger: int
    """Which of the plan's triggers it fills."""
    key: dict[str, str] = {}
    """The captures in which its members agree."""
    opened: int = 0
    round: int = 1
    parts: tuple[str, ...] = ()
    """The parts of which something has come, in any round."""
    marked: str | None = None
    """The member that says that this round is complete: a marker, a manifest, a time of day."""
    closing: Closing | None = None
    last: str | None = None
    """The content of the round that was closed last."""
    timers: int = 0
    due: int | None = None
    """When its timer rings: the end of a quiet time, of a window, or of what is kept of it."""
    ended: int | None = None
    """When it was seen whether what was awaited had come."""


class Member(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="doc", tag="member"):
    """One arrival in a set."""

    at: int
    """When it was heard of."""
    facts: dict[str, Any] = {}
    part: str = ""
    """Which of the set's parts it is."""
    taken: int | None = None
    """The round whose run has it; None while it waits."""


class Gate(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="doc", tag="gate"):
    """An admission. It holds only the admitted; each waiter is a document of its own."""

    admitted: tuple[str, ...] = ()
    """Holders: a run, or `run/node`."""
    by: dict[str, str] = {}
    """Of each holder, the grant that let it in: a repeat of that tells it again."""
    look: int = 0
    """While more runs start than an hour may have: when a timer lets the next ones in. Else 0."""
    grants: int = 0
    """How often somebody was let in."""

    def joined(self, members: Iterable[str]) -> Gate:
        """With these holders: the same object if they were all there."""
        missing = tuple(member for member in members if member not in self.admitted)
        return replace(self, admitted=self.admitted + missing) if missing else self

    def left(self, members: Iterable[str]) -> Gate:
        """Without these holders: the same object if none was there."""
        gone = set(members)
        rest = tuple(holder for holder in self.admitted if holder not in gone)
        return replace(self, admitted=rest) if len(rest) < len(self.admitted) else self


class Waiter(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="doc", tag="waiter"):
    """One that waits for admission."""

    run: str
    at: int
    node: str | None = None
    """None: the whole run waits."""
    limit: int | None = None
    """What its plan says of the gate's size, where the deployment says nothing."""
    conflict: str = "queue"
    """Of a run: what happens when there is no room (`Pipeline.on_conflict`)."""


class PipelineState(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="doc", tag="pipeline"):
    """What is kept of a pipeline between its runs."""

    paused: bool = False
    ticks: dict[str, int] = {}
    """Of each schedule, the last logical time (µs) that was dealt with: for the embedded runtime."""
    told: int = 0
    """When the command that paused or resumed it was given (µs): one that is older comes too late."""


Document = Run | Node | StoredPlan | Set | Member | Gate | Waiter | PipelineState | Backfill
