"""Sets of arrivals: what completes one, and what is started then. Each arrival is a document of its own."""

from __future__ import annotations

from collections.abc import Mapping

from onward.core.commands import Decision
from onward.core.draft import Context
from onward.core.events import Arrived, SetEvent, SetRang
from onward.core.plan import Plan
from onward.core.state import Document, Key, MemberKey, SetKey


def scope(event: SetEvent) -> tuple[Key, ...]:
    """The documents that deciding this event may read."""
    match event:
        case Arrived(set=name, member=member):
            return (SetKey(name), MemberKey(name, member))
        case SetRang(set=name):
            return (SetKey(name),)


def decide(
    plan: Plan | None,  # noqa: ARG001
    docs: Mapping[Key, Document | None],  # noqa: ARG001
    event: SetEvent,  # noqa: ARG001
    context: Context,  # noqa: ARG001
) -> Decision:
    """What follows from `event`. `plan` is the event's, or else the set's."""
    return Decision()
