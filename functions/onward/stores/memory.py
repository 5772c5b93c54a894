"""The reference store: a dictionary, small enough to be obviously right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from onward.core.backfill import Backfill
from onward.core.commands import Delete, Join, Leave, Put, adjusted
from onward.core.errors import Conflict
from onward.core.state import (
    BackfillKey,
    Backoff,
    Key,
    Member,
    MemberKey,
    Node,
    NodeKey,
    Queued,
    Run,
    RunKey,
    Running,
    Set,
    SetKey,
    Submitting,
    Waiter,
    WaiterKey,
)
from onward.ports import Versioned, Write

_ACTIVE = (Queued, Submitting, Running, Backoff)


class MemoryStore:
    """Documents in a dictionary."""

    def __init__(self) -> None:
        self.docs: dict[Key, Versioned] = {}
        self.last = 0

    def read(self, keys: Iterable[Key]) -> dict[Key, Versioned]:
        """See `ports.Store`."""
        return {key: found for key in keys if (found := self.docs.get(key)) is not None}

    def commit(self, writes: Sequence[Write]) -> dict[Key, int]:
        """See `ports.Store`."""
        for change, version in writes:
            found = self.docs.get(change.key)
            if isinstance(change, Join | Leave) or (isinstance(change, Delete) and change.blind):
                continue
            if version != (found.version if found else 0):
                raise Conflict(f"{change.key} was changed by somebody else")
        versions = {}
        for change, _ in writes:
            match change:
                case Put(key=key, doc=doc):
                    self.last += 1
                    self.docs[key] = Versioned(doc, self.last)
                    versions[key] = self.last
                case Join(key=key) | Leave(key=key):
                    before = found.doc if (found := self.docs.get(key)) else None
                    after = adjusted(before, change)
                    if after is not None and after is not before:
                        self.last += 1
                        self.docs[key] = Versioned(after, self.last)
                case Delete(key=key):
                    self.docs.pop(key, None)
        return versions

    def first(self, run: str, where: Literal["due", "active", "any"], limit: int) -> list[tuple[str, Node]]:
        """See `ports.Store`."""
        nodes = [
            (key.node, found.doc)
            for key, found in self.docs.items()
            if isinstance(key, NodeKey) and key.run == run and isinstance(found.doc, Node)
        ]
        match where:
            case "due":
                nodes = sorted((item for item in nodes if item[1].due is not None), key=_due)
            case "active":
                nodes = [item for item in nodes if isinstance(item[1].phase, _ACTIVE)]
            case "any":
                pass
        return nodes[:limit]

    def members(
        self, of: str, where: Literal["waiting", "newest", "any"], limit: int
    ) -> list[tuple[str, Member]]:
        """See `ports.Store`."""
        found = [
            (key.member, doc)
            for key, (doc, _) in self.docs.items()
            if isinstance(key, MemberKey) and key.set == of and isinstance(doc, Member)
        ]
        match where:
            case "waiting":
                found = sorted((item for item in found if item[1].taken is None), key=_at)
            case "newest":
                found = sorted(found, key=_at, reverse=True)
            case "any":
                pass
        return found[:limit]

    def waiters(self, gate: str, limit: int) -> list[tuple[str, Waiter]]:
        """See `ports.Store`."""
        found = [
            (key.waiter, doc)
            for key, (doc, _) in self.docs.items()
            if isinstance(key, WaiterKey) and key.gate == gate and isinstance(doc, Waiter)
        ]
        return sorted(found, key=lambda item: item[0])[:limit]

    def count(self, what: Literal["members", "waiters"], of: str, limit: int) -> int:
        """See `ports.Store`."""
        return len(self.members(of, "waiting", limit) if what == "members" else self.waiters(of, limit))

    def open_sets(self, limit: int) -> list[tuple[str, Set]]:
        """See `ports.Store`."""
        found = [
            (doc.due, key.set, doc)
            for key, (doc, _) in self.docs.items()
            if isinstance(key, SetKey) and isinstance(doc, Set) and doc.due is not None
        ]
        return [(name, doc) for _, name, doc in sorted(found, key=lambda item: item[:2])][:limit]

    def backfills(self, limit: int, *, open_only: bool = False) -> list[tuple[str, Backfill]]:
        """See `ports.Store`."""
        found = [
            (key.backfill, doc)
            for key, (doc, _) in self.docs.items()
            if isinstance(key, BackfillKey)
            and isinstance(doc, Backfill)
            and not (open_only and doc.ended is not None)
        ]
        return sorted(found, key=lambda item: (-item[1].at, item[0]))[:limit]

    def started(self, pipeline: str, since: int, limit: int) -> int:
        """See `ports.Store`."""
        runs = (doc for doc, _ in self.docs.values() if isinstance(doc, Run) and doc.pipeline == pipeline)
        return min(limit, sum(run.began is not None and run.began >= since for run in runs))

    def runs(
        self,
        *,
        pipeline: str | None = None,
        open_only: bool = False,
        before: int | None = None,
        limit: int = 50,
    ) -> list[tuple[str, Run]]:
        """See `ports.Store`."""
        found = [
            (key.run, doc)
            for key, (doc, _) in self.docs.items()
            if isinstance(key, RunKey)
            and isinstance(doc, Run)
            and (pipeline is None or doc.pipeline == pipeline)
            and not (open_only and doc.state.ended)
            and (before is None or doc.started < before)
        ]
        return sorted(found, key=lambda item: (-item[1].started, item[0]))[:limit]


def _due(item: tuple[str, Node]) -> int:
    return item[1].due or 0


def _at(item: tuple[str, Member]) -> int:
    return item[1].at
