"""What a process that is alone with its store must look at when it starts again.

What one event told another was committed with it, so only what had to be carried out can be missing: a
submit, a cancel, a timer, a status read. Waking every node that has a document, and the first ones, finds it.
"""

from __future__ import annotations

from collections.abc import Iterator

from onward.core.events import Event, StartRun, Sweep, Wake
from onward.core.runs import HORIZON
from onward.core.state import RunState
from onward.ports import Store

_ALL = 1_000_000_000


def unfinished(store: Store) -> Iterator[Event]:
    """The events that bring every open run back into motion."""
    for run, doc in store.runs(open_only=True, limit=_ALL):
        for name, node in store.first(run, "any", _ALL):
            yield Wake(run, name, orphaned=not node.phase.ended)
        yield StartRun(run, doc.pipeline, doc.plan, doc.params, doc.trigger)
        yield Sweep(run, "watch")
        if doc.state is RunState.CANCELLING:
            yield Sweep(run, "cancel")


def expired(store: Store, now: int) -> Iterator[Event]:
    """The events that remove the runs whose time has come: their last timer died with its process."""
    for run, doc in store.runs(before=now - HORIZON, limit=_ALL):
        if doc.ended is not None and doc.ended + HORIZON <= now:
            yield Sweep(run, "watch")
