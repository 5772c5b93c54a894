"""What is asked of Firestore beside documents by their names, and the indexes that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from onward.core.state import GateKey, RunKey, SetKey
from onward.stores.firestore_rows import path

Direction = Literal["ASCENDING", "DESCENDING"]


class Index(NamedTuple):
    """A composite index: its fields and their directions."""

    collection: str
    fields: tuple[tuple[str, Direction], ...]


INDEXES = (
    Index("runs", (("pipeline", "ASCENDING"), ("started", "DESCENDING"))),
    Index("runs", (("pipeline", "ASCENDING"), ("began", "DESCENDING"))),
    Index("runs", (("pipeline", "ASCENDING"), ("open", "DESCENDING"))),
)
"""What the queries need beside Firestore's own index of every single field."""

UNINDEXED: Mapping[str, tuple[str, ...]] = {
    "plans": ("body", "format", "replaces"),
    "runs": ("began", "body", "format", "pipeline", "replaces"),
    "nodes": ("arrived", "body", "format", "replaces"),
    "sets": ("body", "format", "replaces"),
    "members": ("body", "format", "replaces"),
    "admissions": ("admitted", "body", "format", "replaces"),
    "waiters": ("body", "format", "replaces"),
    "pipelines": ("body", "format", "replaces"),
    "backfills": ("body", "format", "replaces"),
}
"""By collection, the fields that no query names alone: exempt from Firestore's own index."""


class Query(NamedTuple):
    """Which documents of the collection below `parent`, in which order, how many."""

    parent: str
    collection: str
    limit: int
    equal: tuple[str, Any] | None = None
    below: tuple[str, Any] | None = None
    least: tuple[str, Any] | None = None
    order: tuple[str, Direction] | None = None


def nodes(run: str, where: Literal["due", "active", "any"], limit: int) -> Query:
    """See `ports.Store.first`."""
    some = Query(path(RunKey(run)), "nodes", limit)
    match where:
        case "due":
            return some._replace(order=("due", "ASCENDING"))
        case "active":
            return some._replace(equal=("active", True))
        case "any":
            return some


def members(of: str, where: Literal["waiting", "newest", "any"], limit: int) -> Query:
    """See `ports.Store.members`."""
    some = Query(path(SetKey(of)), "members", limit)
    match where:
        case "waiting":
            return some._replace(order=("waiting", "ASCENDING"))
        case "newest":
            return some._replace(order=("at", "DESCENDING"))
        case "any":
            return some


def waiters(gate: str, limit: int) -> Query:
    """See `ports.Store.waiters`. Names of ours are their documents' ids, so both have the same order."""
    return Query(path(GateKey(gate)), "waiters", limit, order=("__name__", "ASCENDING"))


def open_sets(limit: int) -> Query:
    """See `ports.Store.open_sets`."""
    return Query("", "sets", limit, order=("due", "ASCENDING"))


def backfills(limit: int, open_only: bool) -> Query:
    """See `ports.Store.backfills`. Those that have ended have no `open`."""
    return Query("", "backfills", limit, order=("open" if open_only else "at", "DESCENDING"))


def started(pipeline: str, since: int, limit: int) -> Query:
    """See `ports.Store.started`."""
    return Query(
        "",
        "runs",
        limit,
        equal=("pipeline", pipeline),
        least=("began", since),
        order=("began", "DESCENDING"),
    )


def runs(pipeline: str | None, open_only: bool, before: int | None, limit: int) -> Query:
    """See `ports.Store.runs`."""
    by = "open" if open_only else "started"
    return Query(
        "",
        "runs",
        limit,
        equal=None if pipeline is None else ("pipeline", pipeline),
        below=None if before is None else (by, before),
        order=(by, "DESCENDING"),
    )
