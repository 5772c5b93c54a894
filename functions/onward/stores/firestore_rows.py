"""The documents as Firestore keeps them: a few fields that are queried, and the rest as one JSON text.

    plans/{plan}             body
    runs/{run}               pipeline, started, open, body
    runs/{run}/nodes/{node}  due, active, arrived, body
    sets/{set}               due, body
    sets/{set}/members/{m}   at, waiting, body
    admissions/{gate}        admitted, body
    admissions/{gate}/waiters/{w}  body
    pipelines/{pipeline}     body

`open` is the start of a run that has not ended; `active` is there only while it is true, and `due` only
while there is one: an index then holds no more than its query looks for. So with `waiting`, the arrival of a
member that no round has taken. `arrived` is a field of its own because it is joined by set union, `admitted`
because holders leave it by set difference; a document that only these have made has no body yet. One text is
encoded in a fraction of the time that the same values take as nested fields, and the console still shows it.

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

from onward.core.commands import Delete, Join, Leave, Put
from onward.core.errors import Unavailable
from onward.core.state import (
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

T = TypeVar("T")

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
    """Delete the document at this version; at version 0, see that there is none."""

    path: str
    version: int


RowWrite = Row | Union | Difference | Removal
"""A row is written over the version that it names; at version 0 it is created."""


_PLAIN = re.compile(r"[A-Za-z0-9~][A-Za-z0-9_.~-]*")

_encode = msgspec.json.Encoder().encode
_decode_run = msgspec.json.Decoder(Run).decode
_decode_node = msgspec.json.Decoder(Node).decode
_decode_set = msgspec.json.Decoder(Set).decode
_decode_member = msgspec.json.Decoder(Member).decode
_decode_gate = msgspec.json.Decoder(Gate).decode
_decode_waiter = msgspec.json.Decoder(Waiter).decode
_decode_pipeline = msgspec.json.Decoder(PipelineState).decode


# Names ------------------------------------------------------------------


_COLLECTIONS: Mapping[type[Key], tuple[str, ...]] = {
    RunKey: ("runs",),
    NodeKey: ("runs", "nodes"),
    PlanKey: ("plans",),
    SetKey: ("sets",),
    MemberKey: ("sets", "members"),
    GateKey: ("admissions",),
    WaiterKey: ("admissions", "waiters"),
    PipelineKey: ("pipelines",),
}


def path(key: Key) -> str:
    """Where the document is. No two keys share a path, whatever their names."""
    names = zip(_COLLECTIONS[type(key)], astuple(key), strict=True)
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
    return _READERS[type(key)](row)


def run(row: Row) -> Run:
    """The run that the row holds. Raises `Unavailable`."""
    return _decoded(row, _decode_run)


def node(row: Row) -> Node:
    """The node that the row holds. Raises `Unavailable`."""
    found = _decoded(row, _decode_node) if "body" in row.fields else Node()
    arrived = row.fields.get("arrived")
    return replace(found, arrived=tuple(arrived)) if arrived else found


def set_(row: Row) -> Set:
    """The set that the row holds. Raises `Unavailable`."""
    return _decoded(row, _decode_set)


def member(row: Row) -> Member:
    """The member of a set that the row holds. Raises `Unavailable`."""
    return _decoded(row, _decode_member)


def waiter(row: Row) -> Waiter:
    """The waiter that the row holds. Raises `Unavailable`."""
    return _decoded(row, _decode_waiter)


def _gate(row: Row) -> Gate:
    found = _decoded(row, _decode_gate) if "body" in row.fields else Gate()
    return replace(found, admitted=tuple(row.fields.get("admitted", ())))


def _plan(row: Row) -> StoredPlan:
    return _decoded(row, lambda body: StoredPlan(msgspec.convert(body, bytes)))


def _pipeline(row: Row) -> PipelineState:
    return _decoded(row, _decode_pipeline)


_READERS: Mapping[type[Key], Callable[[Row], Document]] = {
    RunKey: run,
    NodeKey: node,
    PlanKey: _plan,
    SetKey: set_,
    MemberKey: member,
    GateKey: _gate,
    WaiterKey: waiter,
    PipelineKey: _pipeline,
}


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
        case Leave(key=key, members=members):
            return Difference(path(key), "admitted", members)
        case Delete(key=key):
            return Removal(path(key), version)


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


def _own_fields(doc: Document) -> dict[str, Any]:
    """Those beside the text; one that is None is left out."""
    match doc:
        case Run(started=started):
            open_ = None if doc.state.ended else started
            return {"pipeline": doc.pipeline, "started": started, "open": open_}
        case Node(phase=phase):
            active = True if isinstance(phase, Submitting | Running | Backoff) else None
            return {"arrived": list(doc.arrived) or None, "due": doc.due, "active": active}
        case Set(due=due):
            return {"due": due}
        case Member(at=at, taken=taken):
            return {"at": at, "waiting": at if taken is None else None}
        case Gate(admitted=admitted):
            return {"admitted": list(admitted) or None}
        case _:
            return {}
