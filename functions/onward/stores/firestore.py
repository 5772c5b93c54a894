"""The cloud store: Firestore, one call for each thing asked of it.

    read     one BatchGetDocuments, whatever the number of keys
    commit   one Commit: a new document only where there is none, a changed or deleted one only at the version
             that was read, a join by set union, a leave by set difference
    first    one RunQuery; so is whatever lists documents
    count    one RunAggregationQuery; so is `started`

A version is the document's update time, in microseconds as Firestore keeps it. Nothing is remembered between
calls. The client is imported and built by the first call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeVar

from onward.core.backfill import Backfill
from onward.core.commands import Put
from onward.core.state import Document, Key, Member, Node, PlanKey, Run, Set, Waiter
from onward.ports import Versioned, Write
from onward.stores import firestore_queries as queries
from onward.stores import firestore_rows as rows

if TYPE_CHECKING:
    from google.cloud.firestore_v1.services.firestore import FirestoreClient

    from onward.stores.firestore_wire import Wire

D = TypeVar("D", bound=Document)


class FirestoreStore:
    """Documents in a Firestore database. `connect` builds the client, for others than Google's default."""

    def __init__(
        self,
        project: str,
        database: str = "(default)",
        connect: Callable[[], FirestoreClient] | None = None,
    ) -> None:
        self._project = project
        self._database = database
        self._connect = connect
        self.round_trips: Counter[str] = Counter()
        """Calls made: `read`, `plan read` (nothing but plans), `commit`, `query` (a count too)."""

    @cached_property
    def _wire(self) -> Wire:
        from onward.stores.firestore_wire import Wire, connect

        return Wire(self._connect or connect, self._project, self._database)

    def read(self, keys: Iterable[Key]) -> dict[Key, Versioned]:
        """See `ports.Store`."""
        wanted = {rows.path(key): key for key in keys}
        if not wanted:
            return {}
        plans = all(isinstance(key, PlanKey) for key in wanted.values())
        self.round_trips["plan read" if plans else "read"] += 1
        found = ((wanted[row.path], row) for row in self._wire.read(list(wanted)))
        return {key: Versioned(rows.document(key, row), row.version) for key, row in found}

    def commit(self, writes: Sequence[Write]) -> dict[Key, int]:
        """See `ports.Store`."""
        if not writes:
            return {}
        self.round_trips["commit"] += 1
        versions = self._wire.commit([rows.row_write(write) for write in writes])
        put = ((change, version) for (change, _), version in zip(writes, versions, strict=True))
        return {change.key: version for change, version in put if isinstance(change, Put)}

    def first(self, run: str, where: Literal["due", "active", "any"], limit: int) -> list[tuple[str, Node]]:
        """See `ports.Store`."""
        return self._query(queries.nodes(run, where, limit), Node)

    def members(
        self, of: str, where: Literal["waiting", "newest", "any"], limit: int
    ) -> list[tuple[str, Member]]:
        """See `ports.Store`."""
        return self._query(queries.members(of, where, limit), Member)

    def waiters(self, gate: str, limit: int) -> list[tuple[str, Waiter]]:
        """See `ports.Store`."""
        return self._query(queries.waiters(gate, limit), Waiter)

    def count(self, what: Literal["members", "waiters"], of: str, limit: int) -> int:
        """See `ports.Store`."""
        waiting = what == "members"
        return self._count(queries.members(of, "waiting", limit) if waiting else queries.waiters(of, limit))

    def open_sets(self, limit: int) -> list[tuple[str, Set]]:
        """See `ports.Store`."""
        return self._query(queries.open_sets(limit), Set)

    def backfills(self, limit: int, *, open_only: bool = False) -> list[tuple[str, Backfill]]:
        """See `ports.Store`."""
        return self._query(queries.backfills(limit, open_only), Backfill)

    def started(self, pipeline: str, since: int, limit: int) -> int:
        """See `ports.Store`."""
        return self._count(queries.started(pipeline, since, limit))

    def runs(
        self,
        *,
        pipeline: str | None = None,
        open_only: bool = False,
        before: int | None = None,
        limit: int = 50,
    ) -> list[tuple[str, Run]]:
        """See `ports.Store`."""
        return self._query(queries.runs(pipeline, open_only, before, limit), Run)

    def _query(self, query: queries.Query, kind: type[D]) -> list[tuple[str, D]]:
        self.round_trips["query"] += 1
        return [(rows.name(row.path), rows.read(row, kind)) for row in self._wire.query(query)]

    def _count(self, query: queries.Query) -> int:
        self.round_trips["query"] += 1
        return self._wire.count(query)
