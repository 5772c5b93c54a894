"""The arrivals ledger: which generation of each object has been taken, for as long as its file is there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

from onward.core.errors import Unavailable


class Ledger:
    """A table beside the runs. An entry is written after the run it started is committed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        rows = connection.execute("SELECT bucket, name, generation FROM arrivals")
        self._known: dict[tuple[str, str], str] = {(bucket, name): found for bucket, name, found in rows}
        self._new: list[tuple[str, str, str]] = []

    def known(self, bucket: str, name: str) -> str | None:
        """The generation that was taken last."""
        return self._known.get((bucket, name))

    def took(self, bucket: str, name: str, generation: str) -> None:
        """Remember at once; `save` makes it last."""
        self._known[bucket, name] = generation

    def settle(self, bucket: str, name: str, generation: str) -> None:
        """All that followed from this arrival is committed."""
        self._new.append((bucket, name, generation))

    def save(self) -> None:
        """Write what is settled. What a crash loses is found again, and known by its run."""
        if not self._new:
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT OR REPLACE INTO arrivals VALUES (?, ?, ?)", self._new)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise Unavailable(f"the arrivals ledger can't be written: {error}") from error
        self._new.clear()

    def forget_missing(self, exists: Callable[[str, str], bool]) -> None:
        """Drop the entries of files that are gone."""
        gone = [key for key in self._known if not exists(*key)]
        for key in gone:
            del self._known[key]
        self._delete(gone)

    def _delete(self, keys: Iterable[tuple[str, str]]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("DELETE FROM arrivals WHERE bucket = ? AND name = ?", keys)
        self._connection.execute("COMMIT")
