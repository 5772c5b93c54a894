"""The embedded store: one SQLite file, WAL, fully durable.

A commit returns when it is on disk (`synchronous=FULL`: it survives kill -9 and power loss). Documents are
kept in memory once read or written, so that a decision costs no query; versions guard the writes all the
same, and a conflict drops what was kept. Reading from another process is free at any time (WAL).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from onward.core.backfill import Backfill
from onward.core.commands import Delete, Join, Leave, Put, adjusted
from onward.core.errors import Conflict, Unavailable
from onward.core.state import Key, Member, MemberKey, Node, NodeKey, Run, RunKey, Set, Waiter, WaiterKey
from onward.ports import Versioned, Write
from onward.stores import sqlite_rows as rows
from onward.stores.migrations import migrate

_KEPT = 100_000
_ACTIVE = ("queued", "submitting", "running", "retrying")

_UNKEPT = (MemberKey, WaiterKey)
"""There may be many, and none is read often."""


def connect(path: Path | str, *, readonly: bool = False) -> sqlite3.Connection:
    """A connection with the settings that the promises rest on."""
    try:
        if readonly:
            return sqlite3.connect(
                f"{Path(path).absolute().as_uri()}?mode=ro", uri=True, isolation_level=None
            )
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA busy_timeout = 5000")
    except sqlite3.Error as error:
        raise Unavailable(f"the state file {path} can't be opened: {error}") from error
    return connection


class SqliteStore:
    """Documents in a SQLite file. `readonly` is for looking on while a runtime is at work."""

    def __init__(self, path: Path | str, *, readonly: bool = False) -> None:
        self.connection = connect(path, readonly=readonly)
        self._readonly = readonly
        migrate(self.connection, path, readonly=readonly)
        self._kept: dict[Key, Versioned] = {}
        self._born: set[str] = set()
        """Runs that began here, all of whose documents are kept: what is not kept of them is not there."""
        self.on_commit: Callable[[Sequence[Write]], None] | None = None
        """Told of each commit of this store, right after it."""

    def close(self) -> None:
        """Nothing is lost by not calling it."""
        self.connection.close()

    def read(self, keys: Iterable[Key]) -> dict[Key, Versioned]:
        """See `ports.Store`."""
        kept = self._kept
        found: dict[Key, Versioned] = {}
        for key in keys:
            versioned = kept.get(key)
            if versioned is None and not (isinstance(key, NodeKey) and key.run in self._born):
                versioned = self._select(key)
            if versioned is not None:
                found[key] = versioned
        return found

    def _select(self, key: Key) -> Versioned | None:
        statement, decode = rows.select(key)
        row = self._one(*statement)
        found = Versioned(decode(row[0]), row[1]) if row else None
        if found is not None and not self._readonly:
            self._keep(key, found)
        return found

    def _one(self, sql: str, values: Sequence[Any]) -> Any:
        return next(iter(self._all(sql, values)), None)

    def _all(self, sql: str, values: Sequence[Any]) -> list[Any]:
        try:
            return self.connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise Unavailable(f"the state can't be read: {error}") from error

    def _keep(self, key: Key, versioned: Versioned) -> None:
        kept = self._kept
        if isinstance(key, _UNKEPT):
            return
        if len(kept) >= _KEPT:
            self._born.clear()
            for oldest in [key for key, _ in zip(kept, range(_KEPT // 4), strict=False)]:
                del kept[oldest]
        kept[key] = versioned

    def commit(self, writes: Sequence[Write]) -> dict[Key, int]:
        """See `ports.Store`."""
        if not writes:
            return {}
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            after = self._write(writes)
            self.connection.execute("COMMIT")
        except BaseException as error:
            self._undo(writes)
            if isinstance(error, sqlite3.IntegrityError):
                raise Conflict("a document was created by somebody else") from error
            if isinstance(error, sqlite3.Error):
                raise Unavailable(f"the state can't be written: {error}") from error
            raise
        for key, versioned in after:
            if isinstance(key, RunKey) and versioned is not None and versioned.version == 1:
                self._born.add(key.run)
            if versioned is None:
                self._kept.pop(key, None)
            else:
                self._keep(key, versioned)
        if self.on_commit is not None:
            self.on_commit(writes)
        return {key: versioned.version for key, versioned in after if versioned is not None}

    def _undo(self, writes: Sequence[Write]) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        for change, _ in writes:
            self._kept.pop(change.key, None)
            if isinstance(change.key, RunKey | NodeKey):
                self._born.discard(change.key.run)

    def _write(self, writes: Sequence[Write]) -> list[tuple[Key, Versioned | None]]:
        new: dict[str, list[Any]] = {}
        changed: dict[str, list[Any]] = {}
        after: list[tuple[Key, Versioned | None]] = []
        for change, read in writes:
            version = read
            match change:
                case Put(key=key, doc=doc):
                    pass
                case Join(key=key) | Leave(key=key):
                    self._kept.pop(key, None)
                    found = self._select(key)
                    version = found.version if found else 0
                    before = found.doc if found else None
                    moved = adjusted(before, change)
                    if moved is None or moved is before:
                        continue
                    doc = moved
                case Delete(key=key, blind=blind):
                    self._delete(key, None if blind else version)
                    after.append((key, None))
                    continue
            after.append((key, Versioned(doc, version + 1)))
            sql, row = rows.write(key, doc, version)
            (changed if version else new).setdefault(sql, []).append(row)
        for sql, values in new.items():
            self.connection.executemany(sql, values)
        for sql, values in changed.items():
            if self.connection.executemany(sql, values).rowcount != len(values):
                raise Conflict("a document was changed by somebody else")
        return after

    def _delete(self, key: Key, version: int | None) -> None:
        self._kept.pop(key, None)
        found = self._select(key) if version is not None else None
        if version is not None and version != (found.version if found else 0):
            raise Conflict("a document was changed by somebody else")
        self.connection.execute(*rows.delete(key))

    def first(self, run: str, where: Literal["due", "active", "any"], limit: int) -> list[tuple[str, Node]]:
        """See `ports.Store`."""
        condition = {
            "due": "due IS NOT NULL ORDER BY due",
            "active": f"state IN {_ACTIVE}",
            "any": "1",
        }[where]
        sql = f"SELECT node, body FROM nodes WHERE run = ? AND {condition} LIMIT ?"
        return [(node, rows.decode_node(body)) for node, body in self._all(sql, (run, limit))]

    def members(
        self, of: str, where: Literal["waiting", "newest", "any"], limit: int
    ) -> list[tuple[str, Member]]:
        """See `ports.Store`."""
        condition = {
            "waiting": "AND pending IS NOT NULL ORDER BY pending",
            "newest": "AND at IS NOT NULL ORDER BY at DESC",
            "any": "",
        }[where]
        return [
            (name, rows.decode_member(body)) for name, body in self._named("member", of, condition, limit)
        ]

    def waiters(self, gate: str, limit: int) -> list[tuple[str, Waiter]]:
        """See `ports.Store`."""
        found = self._named("waiter", gate, "ORDER BY name", limit)
        return [(name, rows.decode_waiter(body)) for name, body in found]

    def open_sets(self, limit: int) -> list[tuple[str, Set]]:
        """See `ports.Store`."""
        found = self._named("set", "", "AND pending IS NOT NULL ORDER BY pending", limit)
        return [(name, rows.decode_set(body)) for name, body in found]

    def backfills(self, limit: int, *, open_only: bool = False) -> list[tuple[str, Backfill]]:
        """See `ports.Store`."""
        which = "AND pending IS NOT NULL" if open_only else ""
        found = self._named("backfill", "", f"{which} ORDER BY at DESC, name", limit)
        return [(name, rows.decode_backfill(body)) for name, body in found]

    def _named(self, kind: str, parent: str, condition: str, limit: int) -> list[Any]:
        sql = f"SELECT name, body FROM documents WHERE kind = ? AND parent = ? {condition} LIMIT ?"
        return self._all(sql, (kind, parent, limit))

    def count(self, what: Literal["members", "waiters"], of: str, limit: int) -> int:
        """See `ports.Store`."""
        kind, condition = {"members": ("member", "AND pending IS NOT NULL"), "waiters": ("waiter", "")}[what]
        return self._count(f"documents WHERE kind = ? AND parent = ? {condition}", kind, of, limit)

    def started(self, pipeline: str, since: int, limit: int) -> int:
        """See `ports.Store`."""
        began = "started IS NOT json_extract(body, '$.queued')"  # see Run.began
        return self._count(f"runs WHERE pipeline = ? AND started >= ? AND {began}", pipeline, since, limit)

    def _count(self, which: str, *values: Any) -> int:
        count: int = self._one(f"SELECT count(*) FROM (SELECT 1 FROM {which} LIMIT ?)", values)[0]
        return count

    def runs(
        self,
        *,
        pipeline: str | None = None,
        open_only: bool = False,
        before: int | None = None,
        limit: int = 50,
    ) -> list[tuple[str, Run]]:
        """See `ports.Store`."""
        conditions, values = ["1"], list[Any]()
        if pipeline is not None:
            conditions.append("pipeline = ?")
            values.append(pipeline)
        if open_only:
            conditions.append("ended IS NULL")
        if before is not None:
            conditions.append("started < ?")
            values.append(before)
        which = " AND ".join(conditions)
        # SQLite by itself would go through all runs that a pipeline ever had.
        table = "runs INDEXED BY open_runs" if open_only else "runs"
        sql = f"SELECT run, body FROM {table} WHERE {which} ORDER BY started DESC, run LIMIT ?"
        return [(run, rows.decode_run(body)) for run, body in self._all(sql, (*values, limit))]
