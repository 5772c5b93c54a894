"""Admission: who may go on. A gate holds only the admitted; each waiter is a document of its own."""

from __future__ import annotations

from collections.abc import Mapping

from onward.core.commands import Decision
from onward.core.draft import Context
from onward.core.events import GateEvent
from onward.core.state import Document, GateKey, Key


def scope(event: GateEvent) -> tuple[Key, ...]:
    """The documents that deciding this event may read."""
    return (GateKey(event.gate),)


def decide(
    docs: Mapping[Key, Document | None],  # noqa: ARG001
    event: GateEvent,  # noqa: ARG001
    context: Context,  # noqa: ARG001
) -> Decision:
    """What follows from `event`."""
    return Decision()
