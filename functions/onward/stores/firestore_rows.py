"""The documents as Firestore keeps them: a few fields that are queried, and the rest as one JSON text.

    plans/{plan}             body
    runs/{run}               pipeline, started, began, open, body
    runs/{run}/nodes/{node}  due, active, arrived, body
    sets/{set}               due, body
    sets/{set}/members/{m}   at, waiting, body
    admissions/{gate}        admitted, body
    admissions/{gate}/waiters/{w}  body
    pipelines/{pipeline}     body
    backfills/{backfill}     at, open, body

`open` is the start of a run or a backfill that has not ended; `active` is there only while it is true, and
`due` only while there is one: an index then holds no more than its query looks for. So with `waiting`, the
arrival of a member that no round has taken. `arrived` is a field of its own because it is joined by set
union, `admitted` because holders leave it by set difference; a document that only these have made has no
body yet. One text is encoded in a fraction of the time that the same values take as nested fields, and the
console still shows it.

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
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, unquote

import msgspec
from msgspec.structs import astuple, replace

from onward.core.backfill import Backfill
from onward.core.commands import Delete, Join, Leave, Put
from onward.core.errors import Unavailable
from onward.core.state import (
    BackfillKey,
    Backoff,
    Document,
    Gate,
    GateKey,
    Key,
    Member,
    MemberKey,
    Node,
    NodeKey,
    PipelineKey,
    PipelineState,
    PlanKey,
    Queued,
    Run,
    RunKey,
    Running,
    Set,
    SetKey,
    StoredPlan,
    Submitting,
    Waiter,
    WaiterKey,
)
from onward.ports import Write

D = TypeVar("D", bound=msgspec.Struct)

FORMAT = 1
"""Raised by a change that older code would misread, one deploy after the one that can read it."""

Fields = Mapping[str, Any]
"""Values are int, bool, str, bytes, and lists of str."""


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


class Difference(NamedTuple):
    """Take members out of an array that is a set, whatever the version. Leaves an empty document where there
    was none."""

    path: str
    field: str
    members: tuple[str, ...]


class Removal(NamedTuple):
    """Delete the document at this version; at version 0, see that there is none; at none, let it be any."""

    path: str
    version: int | None


RowWrite = Row | Union | Difference | Removal
"""A row is written over the version that it names; at version 0 it is created."""


_PLAIN = re.compile(r"[A-Za-z0-9~][A-Za-z0-9_.~-]*")

_encode = msgspec.json.Encoder().encode


class _Kind(NamedTuple):
    """What a kind of key names: in which collection below which, and the document."""

    collections: tuple[str, ...]
    doc: type[Document]


_KINDS: Mapping[type[Key], _Kind] = {
    RunKey: _Kind(("runs",), Run),
    NodeKey: _Kind(("runs", "nodes"), Node),
    PlanKey: _Kind(("plans",), StoredPlan),
    SetKey: _Kind(("sets",), Set),
    MemberKey: _Kind(("sets", "members"), Member),
    GateKey: _Kind(("admissions",), Gate),
    WaiterKey: _Kind(("admissions", "waiters"), Waiter),
    PipelineKey: _Kind(("pipelines",), PipelineState),
    BackfillKey: _Kind(("backfills",), Backfill),
}
_DECODERS: Mapping[type[msgspec.Struct], Callable[[Any], Any]] = {
    **{kind.doc: msgspec.json.Decoder(kind.doc).decode for kind in _KINDS.values()},
    StoredPlan: lambda body: StoredPlan(msgspec.convert(body, bytes)),
}
_MERGED: Mapping[type[msgspec.Struct], str] = {Node: "arrived", Gate: "admitted"}
"""The set that is a field of its own, and may be all that there is."""


# Names ------------------------------------------------------------------


def path(key: Key) -> str:
    """Where the document is. No two keys share a path, whatever their names."""
    names = zip(_KINDS[type(key)].collections, astuple(key), strict=True)
    return "/".join(f"{collection}/{_id(name)}" for collection, name in names)


def name(path: str) -> str:
    """What the document at this path is named by its key."""
    last = path.rpartition("/")[2]
    return unquote(last[1:], errors="surrogatepass") if last.startswith("%") else last


def _id(name: str) -> str:
    """The name as it is, if it is one of ours. An id may not be empty, `.` or `__x__`, nor hold a slash."""
    return name if _PLAIN.fullmatch(name) else "%" + quote(name, safe="", errors="surrogatepass")


# Documents --------------------------------------------------------------


def document(key: Key, row: Row) -> Document:
    """The document that the row holds. Raises `Unavailable` if this code can't read it."""
    return read(row, _KINDS[type(key)].doc)


def read(row: Row, kind: type[D]) -> D:
    """The document of this kind that the row holds. Raises `Unavailable`."""
    written = row.fields.get("format", 0)
    if written > FORMAT:
        raise Unavailable(f"{row.path} was written by a newer version: format {written}, not {FORMAT}")
    merged = _MERGED.get(kind)
    try:
        found: D = _DECODERS[kind](row.fields.get("body", "{}" if merged else None))
    except (msgspec.MsgspecError, TypeError) as error:
        raise Unavailable(f"{row.path} can't be read: {error}") from error
    return replace(found, **{merged: tuple(row.fields.get(merged, ()))}) if merged else found


def row_write(write: Write) -> RowWrite:
    """The change as a write of a row."""
    change, version = write
    match change:
        case Put(key=key, doc=doc):
            return Row(path(key), {**_fields(doc), "format": FORMAT, "replaces": version}, version)
        case Join(key=key, members=members):
            return Union(path(key), _MERGED[Node], members)
        case Leave(key=key, members=members):
            return Difference(path(key), _MERGED[Gate], members)
        case Delete(key=key, blind=blind):
            return Removal(path(key), None if blind else version)


def _fields(doc: Document) -> dict[str, Any]:
    match doc:
        case StoredPlan(body=body):
            return {"body": body}
        case Node():
            text: Document = replace(doc, arrived=())
        case Gate():
            text = replace(doc, admitted=())
        case _:
            text = doc
    fields = {"body": _encode(text).decode(), **_own_fields(doc)}
    return {name: value for name, value in fields.items() if value is not None}


def _own_fields(doc: Document) -> dict[str, Any]:  # noqa: PLR0911 - one return per kind
    """Those beside the text; one that is None is left out."""
    match doc:
        case Run(started=started):
            open_ = None if doc.state.ended else started
            return {"pipeline": doc.pipeline, "started": started, "began": doc.began, "open": open_}
        case Node(phase=phase):
            active = True if isinstance(phase, Queued | Submitting | Running | Backoff) else None
            return {"arrived": list(doc.arrived) or None, "due": doc.due, "active": active}
        case Set(due=due):
            return {"due": due}
        case Member(at=at, taken=taken):
            return {"at": at, "waiting": at if taken is None else None}
        case Backfill(at=at, ended=ended):
            return {"at": at, "open": at if ended is None else None}
        case Gate(admitted=admitted):
            # There even if empty: to leave a set that is not there would make one, and move the version.
            return {"admitted": list(admitted)}
        case _:
            return {}
