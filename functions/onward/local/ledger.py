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
        self._open: dict[tuple[str, str, str], str] = {}
        """Taken but not settled: what to write when it is."""
        self._settled: list[tuple[str, str, str]] = []

    def known(self, bucket: str, name: str) -> str | None:
        """The generation that was taken last."""
        return self._known.get((bucket, name))

    def took(self, bucket: str, name: str, generation: str) -> None:
        """Remember at once; it lasts when it is settled."""
        self._known[bucket, name] = generation
        self._open[bucket, name, generation] = generation

    def touched(self, bucket: str, name: str, generation: str) -> None:
        """The generation that was taken last is called this from now on."""
        before = (bucket, name, self._known.get((bucket, name), generation))
        self._known[bucket, name] = generation
        if before in self._open:
            self._open[before] = generation
        else:
            self._settled.append((bucket, name, generation))

    def settle(self, bucket: str, name: str, generation: str) -> None:
        """All that followed from this arrival is committed."""
        self._settled.append((bucket, name, self._open.pop((bucket, name, generation))))

    def save(self) -> None:
        """Write what is settled. What a crash loses is found again, and known by its run."""
        if not self._settled:
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT OR REPLACE INTO arrivals VALUES (?, ?, ?)", self._settled)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise Unavailable(f"the arrivals ledger can't be written: {error}") from error
        self._settled.clear()

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
