"""Things to do that a transition decided. The engine carries them out after the commit."""

from __future__ import annotations

from typing import Any

import msgspec

from onward.core.events import Event
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


Command = Submit | ReadStatus | CancelJob | Examine | Find | SetTimer | Announce
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
