"""What a process that is alone with its store must look at when it starts again.

What one event told another was committed with it, so only what had to be carried out can be missing: a
submit, a cancel, a timer, a status read. Waking every node that has a document, and the first ones, finds it.
"""

from __future__ import annotations

from collections.abc import Iterator

from onward.core.events import Event, LookAtBackfill, SetRang, StartRun, Sweep, Wake
from onward.core.horizon import HORIZON
from onward.core.pipeline import HOUR
from onward.core.plan import END
from onward.core.state import RunState
from onward.ports import Store

_ALL = 1_000_000_000
_LATEST = 10_000
"""Runs that are looked at for what was not announced."""


def unfinished(store: Store) -> Iterator[Event]:
    """The events that bring open runs and sets back into motion, and announce what is left of the last."""
    yield from _untold(store)
    for run, doc in store.runs(open_only=True, limit=_ALL):
        for name, node in store.first(run, "any", _ALL):
            yield Wake(run, name, orphaned=not node.phase.ended)
        yield StartRun(run, doc.pipeline, doc.plan, doc.params, doc.trigger)
        yield Sweep(run, "watch")
        if doc.state is RunState.CANCELLING:
            yield Sweep(run, "deadline" if doc.overran else "cancel")
    for name, _ in store.open_sets(_ALL):
        yield SetRang(name)
    for name, _ in store.backfills(_ALL, open_only=True):
        yield LookAtBackfill(name)


def _untold(store: Store) -> Iterator[Event]:
    """Of the runs that ended in the last moments of the process before, what was to be announced."""
    runs = [(run, doc) for run, doc in store.runs(limit=_LATEST) if doc.ended is not None]
    since = max((doc.ended or 0 for _, doc in runs), default=0) - HOUR
    for run, doc in runs:
        if (doc.ended or 0) >= since:
            for name, node in store.first(run, "any", _ALL):
                if node.untold:
                    yield Wake(run, name)
            if doc.untold:
                yield Wake(run, END)


def expired(store: Store, now: int) -> Iterator[Event]:
    """The events that remove the runs whose time has come: their last timer died with its process."""
    for run, doc in store.runs(before=now - HORIZON, limit=_ALL):
        if doc.ended is not None and doc.ended + HORIZON <= now:
            yield Sweep(run, "watch")
