"""The documents as SQLite keeps them: which statement reads, writes or deletes one, and with which values.

Runs and nodes have tables of their own, as every step of every run writes them. Whatever else there is shares
one table, `documents`: what is of one kind and of one parent lies together there, in the order of the names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from onward.core.backfill import Backfill
from onward.core.errors import Conflict
from onward.core.state import (
    BackfillKey,
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
    Set,
    SetKey,
    StoredPlan,
    Waiter,
    WaiterKey,
)

_encode = msgspec.json.Encoder().encode
decode_run = msgspec.json.Decoder(Run).decode
decode_node = msgspec.json.Decoder(Node).decode
decode_set = msgspec.json.Decoder(Set).decode
decode_member = msgspec.json.Decoder(Member).decode
decode_waiter = msgspec.json.Decoder(Waiter).decode
decode_backfill = msgspec.json.Decoder(Backfill).decode
_decode_gate = msgspec.json.Decoder(Gate).decode
_decode_pipeline = msgspec.json.Decoder(PipelineState).decode

_INSERT_NODE = "INSERT INTO nodes (version, state, due, body, run, node) VALUES (?, ?, ?, ?, ?, ?)"
_UPDATE_NODE = (
    "UPDATE nodes SET version = ?, state = ?, due = ?, body = ? WHERE run = ? AND node = ? AND version = ?"
)
_INSERT_RUN = (
    "INSERT INTO runs (version, pipeline, state, started, ended, body, run) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE_RUN = (
    "UPDATE runs SET version = ?, pipeline = ?, state = ?, started = ?, ended = ?, body = ? "
    "WHERE run = ? AND version = ?"
)
_PLACE = "kind = ? AND parent = ? AND name = ?"
_SELECT = f"SELECT body, version FROM documents WHERE {_PLACE}"
_DELETE = f"DELETE FROM documents WHERE {_PLACE}"
_INSERT = (
    "INSERT INTO documents (version, at, pending, body, kind, parent, name) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE = f"UPDATE documents SET version = ?, at = ?, pending = ?, body = ? WHERE {_PLACE} AND version = ?"

Place = tuple[str, str, str]
"""Kind, parent and name of a row in `documents`."""


class Statement(NamedTuple):
    """One statement and its values."""

    sql: str
    values: tuple[Any, ...]


def select(key: Key) -> tuple[Statement, Callable[[Any], Document]]:
    """How to read a document: its body and version, and what makes the document of the body."""
    match key:
        case NodeKey(run=run, node=node):
            sql = "SELECT body, version FROM nodes WHERE run = ? AND node = ?"
            return Statement(sql, (run, node)), decode_node
        case RunKey(run=run):
            return Statement("SELECT body, version FROM runs WHERE run = ?", (run,)), decode_run
        case PlanKey(plan=plan):
            return Statement("SELECT body, 1 FROM plans WHERE plan = ?", (plan,)), StoredPlan
        case _:
            place = _place(key)
            return Statement(_SELECT, place), _DECODERS[place[0]]


def write(key: Key, doc: Document, version: int) -> Statement:
    """How to write a document: a new one is inserted, an old one updated at its version."""
    if isinstance(doc, Node) and isinstance(key, NodeKey):
        state = doc.phase.__struct_config__.tag
        row: tuple[Any, ...] = (version + 1, state, doc.due, _encode(doc), key.run, key.node)
        return Statement(_UPDATE_NODE, (*row, version)) if version else Statement(_INSERT_NODE, row)
    if isinstance(doc, Run) and isinstance(key, RunKey):
        row = (version + 1, doc.pipeline, doc.state.value, doc.started, doc.ended, _encode(doc), key.run)
        return Statement(_UPDATE_RUN, (*row, version)) if version else Statement(_INSERT_RUN, row)
    if isinstance(doc, StoredPlan) and isinstance(key, PlanKey):
        if not version:
            return Statement("INSERT INTO plans (plan, body) VALUES (?, ?)", (key.plan, doc.body))
    elif not isinstance(key, NodeKey | RunKey | PlanKey):
        place = _place(key)
        if doc.__struct_config__.tag == place[0]:
            row = (version + 1, *_queried(doc), _encode(doc), *place)
            return Statement(_UPDATE, (*row, version)) if version else Statement(_INSERT, row)
    raise Conflict(f"{key} can't hold a {type(doc).__name__} at version {version}")


def delete(key: Key) -> Statement:
    """How to delete a document."""
    match key:
        case NodeKey(run=run, node=node):
            return Statement("DELETE FROM nodes WHERE run = ? AND node = ?", (run, node))
        case RunKey(run=run):
            return Statement("DELETE FROM runs WHERE run = ?", (run,))
        case PlanKey():
            raise AssertionError("plans are never deleted")
        case _:
            return Statement(_DELETE, _place(key))


_DECODERS: dict[str, Callable[[Any], Document]] = {
    "set": decode_set,
    "member": decode_member,
    "gate": _decode_gate,
    "waiter": decode_waiter,
    "pipeline": _decode_pipeline,
    "backfill": decode_backfill,
}


def _place(key: SetKey | MemberKey | GateKey | WaiterKey | PipelineKey | BackfillKey) -> Place:
    match key:
        case SetKey(set=name):
            return "set", "", name
        case MemberKey(set=parent, member=name):
            return "member", parent, name
        case GateKey(gate=name):
            return "gate", "", name
        case WaiterKey(gate=parent, waiter=name):
            return "waiter", parent, name
        case PipelineKey(pipeline=name):
            return "pipeline", "", name
        case BackfillKey(backfill=name):
            return "backfill", "", name


def _queried(doc: Document) -> tuple[int | None, int | None]:
    """The columns `at` and `pending`."""
    match doc:
        case Set(due=due):
            return None, due
        case Member(at=at, taken=taken):
            return at, at if taken is None else None
        case Backfill(at=at, ended=ended):
            return at, at if ended is None else None
        case _:
            return None, None
