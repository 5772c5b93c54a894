"""Numbered changes of the SQLite schema; a file is brought up to date when a runtime opens it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from onward.core.errors import Unavailable, UserError

MIGRATIONS = (
    # 1: documents, with the columns that are queried beside the document's JSON
    """
    CREATE TABLE runs (
        run TEXT PRIMARY KEY, version INTEGER NOT NULL, pipeline TEXT NOT NULL, state TEXT NOT NULL,
        started INTEGER NOT NULL, ended INTEGER, body BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX runs_by_start ON runs (started);
    CREATE INDEX open_runs ON runs (started) WHERE ended IS NULL;
    CREATE TABLE nodes (
        run TEXT NOT NULL, node TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL,
        due INTEGER, body BLOB NOT NULL, PRIMARY KEY (run, node)
    ) WITHOUT ROWID;
    CREATE TABLE plans (plan TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
    """,
    # 2: which version of each object has been taken, for as long as the file is there
    """
    CREATE TABLE arrivals (
        bucket TEXT NOT NULL, name TEXT NOT NULL, generation TEXT NOT NULL, PRIMARY KEY (bucket, name)
    ) WITHOUT ROWID;
    """,
    # 3: sets, gates and what is theirs. `pending`: a set's `due`, and the arrival of a member that waits
    """
    CREATE TABLE documents (
        kind TEXT NOT NULL, parent TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
        at INTEGER, pending INTEGER, body BLOB NOT NULL, PRIMARY KEY (kind, parent, name)
    ) WITHOUT ROWID;
    CREATE INDEX documents_by_time ON documents (kind, parent, at) WHERE at IS NOT NULL;
    CREATE INDEX pending_documents ON documents (kind, parent, pending) WHERE pending IS NOT NULL;
    CREATE INDEX runs_of_pipeline ON runs (pipeline, started);
    """,
)


def migrate(connection: sqlite3.Connection, path: Path | str, *, readonly: bool = False) -> None:
    """Apply what is missing, each in one transaction. Raises `UserError` for a file of a newer Onward.

    `readonly` only looks whether the file can be read.
    """
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise UserError(
                f"the state file {path} was written by a newer Onward (schema {version}, this one knows "
                f"{len(MIGRATIONS)}): install that version, or use another state folder"
            )
        for number in range(version, version if readonly else len(MIGRATIONS)):
            connection.executescript(
                f"BEGIN IMMEDIATE; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;"
            )
    except sqlite3.Error as error:
        raise Unavailable(f"the state file {path} can't be used: {error}") from error
