"""What admission asks of the store: who waits, who is still there, how many runs have begun lately."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from onward.core.commands import CheckHolders, FindWaiters
from onward.core.events import Event, HoldersGone, WaitersFound
from onward.core.gates import AT_ONCE
from onward.core.pipeline import HOUR, MINUTE
from onward.core.state import Document, Node, NodeKey, Run, RunKey
from onward.ports import Store

SHARE = 16
"""So many processes may start runs at once before more begin than the rate allows."""
LASTS = 5 * MINUTE


class _Count(msgspec.Struct):
    at: int
    most: int
    unasked: int
    """How many more this process starts before it asks again; 0 or less: none may."""


class Rates:
    """Each process has its own. While few runs start, a count stands for a sixteenth of those that still may
    begin, and for five minutes: so a start seldom asks. Where there is no room left, each asks.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counts: dict[str, _Count] = {}

    def crowded(self, pipeline: str, most: int, now: int) -> bool:
        """Whether `most` runs have begun in the last hour. If not, another one is taken to begin now."""
        count = self._counts.get(pipeline)
        if count is None or count.unasked <= 0 or count.most != most or now - count.at > LASTS:
            free = most - self._store.started(pipeline, now - HOUR, most)
            count = self._counts[pipeline] = _Count(now, most, -(-free // SHARE))
        count.unasked -= 1
        return count.unasked < 0


def answer(store: Store, command: FindWaiters | CheckHolders, now: int) -> Sequence[Event]:
    """One query, and a count where a rate has to be kept; or one read."""
    if isinstance(command, CheckHolders):
        gone = _gone(store, command.holders)
        return (HoldersGone(command.gate, gone),) if gone else ()
    gate, started = command.gate, 0
    waiters = store.waiters(gate, AT_ONCE + 1)
    if command.hourly and waiters:
        started = store.started(gate.partition(":")[2], now - HOUR, command.hourly)
    return (WaitersFound(gate, command.by, command.net, command.grants, tuple(waiters), started),)


def _gone(store: Store, holders: Sequence[str]) -> tuple[str, ...]:
    """Those that have ended, or are not there."""
    keys: dict[str, RunKey | NodeKey] = {}
    for holder in holders:
        run, _, node = holder.partition("/")
        keys[holder] = NodeKey(run, node) if node else RunKey(run)
    found = store.read(keys.values())
    docs = {holder: found[key].doc if key in found else None for holder, key in keys.items()}
    return tuple(holder for holder, doc in docs.items() if _is_over(doc))


def _is_over(doc: Document | None) -> bool:
    match doc:
        case Run(state=state):
            return state.ended
        case Node(phase=phase):
            return phase.ended
        case _:
            return True
