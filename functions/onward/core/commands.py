"""Things to do that a transition decided. The engine carries them out after the commit."""

from __future__ import annotations

from typing import Any

import msgspec

from onward.core.backfill import Backfill
from onward.core.events import Arrived, Event
from onward.core.state import Document, Entry, Gate, GateKey, Key, Node, NodeKey


class Submit(msgspec.Struct, frozen=True):
    """Submit the job of this attempt under its derived name, not after `until`."""

    run: str
    node: str
    attempt: int
    token: str
    until: int
    again: bool = False
    """A job of this name may exist already: look before you leap."""


class ReadStatus(msgspec.Struct, frozen=True):
    """Read the job's status once; the answer is a `Verdict`."""

    run: str
    node: str
    attempt: int
    job: str | None
    """The service's own id, where it is known."""
    belled: bool = True
    orphaned: bool = False
    lost: int = 0
    """How often the attempt's job had been lost before."""


class CancelJob(msgspec.Struct, frozen=True):
    """Tell the service to stop this attempt's job, if there is one."""

    run: str
    node: str
    attempt: int
    job: str | None
    """The service's own id, where it is known."""


class Examine(msgspec.Struct, frozen=True):
    """Look at what decides whether the step begins and can't be decided without looking; the answer is
    `Examined`."""

    run: str
    node: str
    earlier: str | None = None
    """The run whose result may be taken over."""


class Find(msgspec.Struct, frozen=True):
    """Query the run's nodes for a sweep; the answer is `Found`."""

    run: str
    purpose: str
    n: int
    node: str = ""
    """Of `lanes`: the `for_each`, or the group of its lanes, to look for lanes that stand still."""


class FindWaiters(msgspec.Struct, frozen=True):
    """Query who waits at a gate; the answer is `WaitersFound`."""

    gate: str
    by: str
    net: bool
    grants: int
    hourly: int = 0
    """Of a gate for runs: how many may start in an hour; the answer counts up to that."""


class CheckHolders(msgspec.Struct, frozen=True):
    """See whether these runs and nodes go on; the answer is `HoldersGone`, if one does not."""

    gate: str
    holders: tuple[str, ...]


class ListPartitions(msgspec.Struct, frozen=True):
    """Write down the partitions of a backfill; the answer is `PartitionsListed`."""

    backfill: str
    doc: Backfill


class JudgePartitions(msgspec.Struct, frozen=True):
    """See how the next partitions of a backfill are, and its open runs; the answer is `PartitionsJudged`."""

    backfill: str
    doc: Backfill


class SetTimer(msgspec.Struct, frozen=True):
    """Deliver `event` once, at or soon after `at` (microseconds). `name` is never used for another timer."""

    name: str
    at: int
    event: Event


class SpillHistory(msgspec.Struct, frozen=True):
    """Write a node's older history entries to an object, before the commit drops them."""

    run: str
    node: str
    first: int
    entries: tuple[Entry, ...]


class Announce(msgspec.Struct, frozen=True):
    """Publish a fact to whoever has subscribed. A repeat has the same `id`."""

    id: str
    kind: str
    """One of `pipeline.ANNOUNCEMENTS`."""
    at: int
    """When it came about (µs)."""
    pipeline: str
    state: str
    """What the run, the step or the object came to: its own state's name."""
    subject: str
    data: dict[str, Any]
    """JSON, times as microseconds."""
    run: str | None = None
    """Where it is noted, and crossed out once it is published; None: nowhere."""
    node: str | None = None
    attempt: int = 0


class FindMembers(msgspec.Struct, frozen=True):
    """Look at a set's members after a commit; the answer is `MembersFound`."""

    set: str
    enough: int = 0
    """How far to count those that wait."""
    timed: bool = False
    """Whether to look up when they came."""
    rung: bool = False
    """Because the set rang: who finds it complete may close it."""
    after: Arrived | None = None
    """To be heard again if the set has expired meanwhile."""


class Freeze(msgspec.Struct, frozen=True):
    """Write down the members of a set's round, if they are complete; the answer is `Frozen`."""

    set: str
    round: int


class ReadManifest(msgspec.Struct, frozen=True):
    """Read on in the list of a round's members; the answer is `ManifestRead`."""

    set: str
    round: int
    manifest: str
    done: int = 0


class SweepMembers(msgspec.Struct, frozen=True):
    """Find members of a set that has expired; the answer is `MembersSwept`."""

    set: str


class TellOfSet(msgspec.Struct, frozen=True):
    """Tell people of a set: `absent` is what was awaited, `refused` a manifest or its run, `expired` a set
    that was never complete. The answer to `absent` is `SetRang`."""

    set: str
    round: int
    pipeline: str
    what: str
    why: str
    key: dict[str, str] = {}
    announce: Announce | None = None
    """To be published first."""


OfSet = FindMembers | Freeze | ReadManifest | SweepMembers | TellOfSet
OfRun = Submit | ReadStatus | CancelJob | Examine | Find | SetTimer | Announce
OfGate = FindWaiters | CheckHolders
OfBackfill = ListPartitions | JudgePartitions
Command = OfRun | OfSet | OfGate | OfBackfill
Preparation = SetTimer | SpillHistory


class Put(msgspec.Struct, frozen=True):
    """Create the document, or replace it at the version that was read."""

    key: Key
    doc: Document


class Join(msgspec.Struct, frozen=True):
    """Add members to a gather's `arrived`, creating the document if need be. Needs no version."""

    key: NodeKey
    members: tuple[str, ...]


class Leave(msgspec.Struct, frozen=True):
    """Remove holders from a gate's `admitted`. Needs no version; a gate that is not there has none."""

    key: GateKey
    members: tuple[str, ...]


def adjusted(doc: Document | None, change: Join | Leave) -> Document | None:
    """The document with its members changed: the same object if that is what it was."""
    match change:
        case Join(members=members):
            return (doc if isinstance(doc, Node) else Node()).joined(members)
        case Leave(members=members):
            return doc.left(members) if isinstance(doc, Gate) else doc


class Delete(msgspec.Struct, frozen=True):
    """Remove the document."""

    key: Key
    blind: bool = False
    """Whatever its version, and whether it is there or not."""


Change = Put | Join | Leave | Delete


class Decision(msgspec.Struct, frozen=True):
    """What a transition decided: nothing at all, for an event that is late, repeated or refused."""

    changes: tuple[Change, ...] = ()
    commands: tuple[Command, ...] = ()
    events: tuple[Event, ...] = ()
    """For other nodes: followed at once or published."""
    prepare: tuple[Preparation, ...] = ()
    """To carry out before the commit."""
    settled: bool = True
    """False: somebody else is in the middle of it; deliver the event again later."""
