"""The documents as Firestore keeps them: a few fields that are queried, and the rest as one JSON text.

    plans/{plan}             body
    runs/{run}               pipeline, started, open, body
    runs/{run}/nodes/{node}  due, active, arrived, body

`open` is the start of a run that has not ended; `active` is there only while it is true, and `due` only
while there is one: an index then holds no more than its query looks for. `arrived` is a field of its own
because it is joined by set union; a document that only joins have made has no body yet. One text is encoded
in a fraction of the time that the same values take as nested fields, and the console still shows it.

Every document also has its `format`, and in `replaces` the version that it was written over: so no write is
without effect, each moves the version, and of two that write the same one loses.

Nothing expires by itself: the last timer of a run removes its documents. Firestore's TTL would need one more
write to every node at the run's end, and would leave the nodes of a run behind when it takes the run.

Ids are hashes and step names, so writes spread. `started` and `open` grow with time, which limits Firestore
to 500 new runs a second; `due` does too, but within one run, as an index entry begins with its collection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import quote, unquote

import msgspec
from msgspec.structs import replace

from onward.core.commands import Delete, Join, Put
from onward.core.errors import Unavailable
from onward.core.state import (
    Backoff,
    Document,
    Key,
    Node,
    NodeKey,
    PlanKey,
    Run,
    RunKey,
    Running,
    StoredPlan,
    Submitting,
)
from onward.ports import Write

T = TypeVar("T")

FORMAT = 1
"""Raised by a change that older code would misread, one deploy after the one that can read it."""

Fields = Mapping[str, Any]
"""Values are int, bool, str, bytes, and lists of str."""
Direction = Literal["ASCENDING", "DESCENDING"]


class Index(NamedTuple):
    """A composite index: its fields and their directions."""

    collection: str
    fields: tuple[tuple[str, Direction], ...]


INDEXES = (
    Index("runs", (("pipeline", "ASCENDING"), ("started", "DESCENDING"))),
    Index("runs", (("pipeline", "ASCENDING"), ("open", "DESCENDING"))),
)
"""What the queries need beside Firestore's own index of every single field."""

UNINDEXED: Mapping[str, tuple[str, ...]] = {
    "plans": ("body", "format", "replaces"),
    "runs": ("body", "format", "pipeline", "replaces"),
    "nodes": ("arrived", "body", "format", "replaces"),
}
"""By collection, the fields that no query names alone: exempt from Firestore's own index."""


class Row(NamedTuple):
    """A stored document: its path below the database's root, its fields, and when it last changed (µs)."""

    path: str
    fields: Fields
    version: int


class Union(NamedTuple):
    """Add members to an array that is a set, whatever the version; create the document if need be."""

    path: str
    field: str
    members: tuple[str, ...]


class Removal(NamedTuple):
    """Delete the document at this version; at version 0, see that there is none."""

    path: str
    version: int


RowWrite = Row | Union | Removal
"""A row is written over the version that it names; at version 0 it is created."""


class Query(NamedTuple):
    """Which documents of the collection below `parent`, in which order, how many."""

    parent: str
    collection: str
    limit: int
    equal: tuple[str, Any] | None = None
    below: tuple[str, Any] | None = None
    order: tuple[str, Direction] | None = None


_PLAIN = re.compile(r"[A-Za-z0-9~][A-Za-z0-9_.~-]*")

_encode = msgspec.json.Encoder().encode
_decode_run = msgspec.json.Decoder(Run).decode
_decode_node = msgspec.json.Decoder(Node).decode


# Names ------------------------------------------------------------------


def path(key: Key) -> str:
    """Where the document is. No two keys share a path, whatever their names."""
    match key:
        case RunKey(run=run):
            return f"runs/{_id(run)}"
        case NodeKey(run=run, node=node):
            return f"runs/{_id(run)}/nodes/{_id(node)}"
        case PlanKey(plan=plan):
            return f"plans/{_id(plan)}"


def name(path: str) -> str:
    """The run, node or plan that the document at this path is about."""
    last = path.rpartition("/")[2]
    return unquote(last[1:], errors="surrogatepass") if last.startswith("%") else last


def _id(name: str) -> str:
    """The name as it is, if it is one of ours. An id may not be empty, `.` or `__x__`, nor hold a slash."""
    return name if _PLAIN.fullmatch(name) else "%" + quote(name, safe="", errors="surrogatepass")


# Documents --------------------------------------------------------------


def document(key: Key, row: Row) -> Document:
    """The document that the row holds. Raises `Unavailable` if this code can't read it."""
    match key:
        case RunKey():
            return run(row)
        case NodeKey():
            return node(row)
        case PlanKey():
            return _decoded(row, lambda body: StoredPlan(msgspec.convert(body, bytes)))


def run(row: Row) -> Run:
    """The run that the row holds. Raises `Unavailable`."""
    return _decoded(row, _decode_run)


def node(row: Row) -> Node:
    """The node that the row holds. Raises `Unavailable`."""
    found = _decoded(row, _decode_node) if "body" in row.fields else Node()
    arrived = row.fields.get("arrived")
    return replace(found, arrived=tuple(arrived)) if arrived else found


def _decoded(row: Row, decode: Callable[[Any], T]) -> T:
    written = row.fields.get("format", 0)
    if written > FORMAT:
        raise Unavailable(f"{row.path} was written by a newer version: format {written}, not {FORMAT}")
    try:
        return decode(row.fields.get("body"))
    except (msgspec.MsgspecError, TypeError) as error:
        raise Unavailable(f"{row.path} can't be read: {error}") from error


def row_write(write: Write) -> RowWrite:
    """The change as a write of a row."""
    change, version = write
    match change:
        case Put(key=key, doc=doc):
            return Row(path(key), {**_fields(doc), "format": FORMAT, "replaces": version}, version)
        case Join(key=key, members=members):
            return Union(path(key), "arrived", members)
        case Delete(key=key):
            return Removal(path(key), version)


def _fields(doc: Document) -> dict[str, Any]:
    match doc:
        case Run():
            fields = {"pipeline": doc.pipeline, "started": doc.started, "body": _encode(doc).decode()}
            return fields if doc.state.ended else {**fields, "open": doc.started}
        case Node():
            fields = {"body": _encode(replace(doc, arrived=())).decode()}
            if doc.arrived:
                fields["arrived"] = list(doc.arrived)
            if doc.due is not None:
                fields["due"] = doc.due
            if isinstance(doc.phase, Submitting | Running | Backoff):
                fields["active"] = True
            return fields
        case StoredPlan():
            return {"body": doc.body}


# Queries ----------------------------------------------------------------


def nodes_query(run: str, where: Literal["due", "active", "any"], limit: int) -> Query:
    """See `ports.Store.first`."""
    nodes = Query(path(RunKey(run)), "nodes", limit)
    match where:
        case "due":
            return nodes._replace(order=("due", "ASCENDING"))
        case "active":
            return nodes._replace(equal=("active", True))
        case "any":
            return nodes


def runs_query(pipeline: str | None, open_only: bool, before: int | None, limit: int) -> Query:
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
