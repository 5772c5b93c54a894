"""What is stored, under which names, and which indexes the queries need."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from contract.store_contract import PHASES
from hypothesis import given
from hypothesis import strategies as st
from onward.core.backfill import Asked, Backfill
from onward.core.commands import Join, Leave, Put
from onward.core.errors import Unavailable
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
    Running,
    RunState,
    Set,
    SetKey,
    StoredPlan,
    Waiter,
    WaiterKey,
)
from onward.ports import Write
from onward.stores import firestore_rows as rows
from onward.stores.firestore import FirestoreStore
from onward.stores.firestore_queries import INDEXES, UNINDEXED
from onward.stores.firestore_rows import FORMAT, Row

NAMES = st.text(max_size=40) | st.sampled_from((".", "..", "__x__", "", "%", "%41", "a/nodes/b", "\ud800"))
ALONE = (RunKey, PlanKey, SetKey, GateKey, PipelineKey, BackfillKey)
BELOW = (NodeKey, MemberKey, WaiterKey)
KEYS = st.one_of(
    *(st.builds(kind, NAMES) for kind in ALONE), *(st.builds(kind, NAMES, NAMES) for kind in BELOW)
)
NODE, RUN, PLAN = NodeKey("r", "n"), RunKey("r"), PlanKey("p")
SET, MEMBER, GATE = SetKey("s"), MemberKey("s", "m"), GateKey("g")
WAITER, PIPELINE = WaiterKey("g", "w"), PipelineKey("p")


def stored(key: Key, doc: Document, version: int = 7) -> Row:
    row = rows.row_write(Write(Put(key, doc), version))
    assert isinstance(row, Row)
    return row


# Names ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a" * 20, "abc~2", "~gather1", "~end", "clean_up", "step-2", "v1.2"])
def test_our_own_names_are_their_documents_ids(name: str) -> None:
    assert rows.path(NodeKey(name, name)) == f"runs/{name}/nodes/{name}"


@given(st.lists(KEYS, unique=True, min_size=2))
def test_no_two_keys_share_a_document(keys: list[Key]) -> None:
    assert len({rows.path(key) for key in keys}) == len(keys)


@given(NAMES)
def test_any_name_is_an_id_that_firestore_takes_and_that_says_the_name(name: str) -> None:
    path = rows.path(RunKey(name))
    _, identifier = path.split("/")
    assert identifier not in ("", ".", "..")
    assert not (identifier.startswith("__") and identifier.endswith("__"))
    assert identifier.encode()
    assert rows.name(path) == name


# Formats ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "doc"),
    [
        (NODE, Node()),
        (RUN, Run("p", "h", RunState.RUNNING, 1)),
        (PLAN, StoredPlan(b"x")),
        (SET, Set("p", "h", 0)),
        (MEMBER, Member(1)),
        (GATE, Gate(("a",))),
        (WAITER, Waiter("r", 1)),
        (PIPELINE, PipelineState(True)),
        (BackfillKey("b"), Backfill("p", "h", Asked(), 1, 4)),
    ],
)
def test_a_document_of_a_newer_format_is_left_for_newer_code(key: Key, doc: Document) -> None:
    row = stored(key, doc)
    newer = row._replace(fields={**row.fields, "format": FORMAT + 1})
    assert rows.document(key, row) == doc
    with pytest.raises(Unavailable, match=f"written by a newer version: format {FORMAT + 1}"):
        rows.document(key, newer)


def test_a_document_that_only_joins_have_touched_keeps_a_newer_format_unread() -> None:
    """A join must not say of a document of a newer format that it is of this one."""
    union = rows.row_write(Write(Join(NODE, ("a",)), 0))
    assert union == rows.Union("runs/r/nodes/n", "arrived", ("a",))
    difference = rows.row_write(Write(Leave(GATE, ("a",)), 0))
    assert difference == rows.Difference("admissions/g", "admitted", ("a",))


def test_a_document_of_an_older_format_gets_the_defaults_of_what_it_lacks() -> None:
    old = {"body": '{"doc":"node","phase":{"state":"running","job":"j","since":1,"due":2}}'}
    assert rows.document(NODE, Row("runs/r/nodes/n", old, 1)) == Node(Running("j", 1, 2))
    old = {"body": '{"doc":"run","pipeline":"p","plan":"h","state":"running","started":1,"unheard_of":[1]}'}
    assert rows.document(RUN, Row("runs/r", old, 1)) == Run("p", "h", RunState.RUNNING, 1)


@pytest.mark.parametrize("key", [NODE, RUN, PLAN, SET, MEMBER, GATE, WAITER, PIPELINE])
@pytest.mark.parametrize("body", [None, "", "{", "[]", '{"doc":"dance"}', 5, True, 1.5, ["x"]])
def test_a_document_that_is_not_what_it_should_be_is_named_and_no_traceback(key: Key, body: Any) -> None:
    if key == PLAN and isinstance(body, str):
        return
    with pytest.raises(Unavailable, match=f"{rows.path(key)} can't be read"):
        rows.document(key, Row(rows.path(key), {"body": body, "format": FORMAT}, 1))


def test_a_state_that_nobody_knows_is_named_and_no_traceback() -> None:
    with pytest.raises(Unavailable, match=r"runs/r/nodes/n can't be read.*dancing"):
        rows.document(NODE, Row("runs/r/nodes/n", {"body": '{"phase":{"state":"dancing"}}'}, 1))


# Fields and indexes -----------------------------------------------------


def test_two_writes_of_the_same_words_are_not_the_same_write() -> None:
    assert stored(NODE, Node(), 7).fields != stored(NODE, Node(), 8).fields


def test_what_has_ended_is_in_no_index_of_what_has_not() -> None:
    ended = stored(RUN, Run("p", "h", RunState.FAILED, 1, ended=2))
    assert "open" in stored(RUN, Run("p", "h", RunState.CANCELLING, 1)).fields
    assert "open" not in ended.fields
    for phase in PHASES:
        assert not (phase.ended and {"due", "active"} & stored(NODE, Node(phase)).fields.keys())
    assert "due" not in stored(SET, Set("p", "h", 0, due=None)).fields
    assert "waiting" not in stored(MEMBER, Member(1, taken=1)).fields


class Listening:
    """A client that finds nothing, and keeps the queries that it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def run_query(self, request: Any, **_: Any) -> Iterator[Any]:
        self.asked.append(type(request).pb(request).structured_query)
        return iter(())

    def run_aggregation_query(self, request: Any, **_: Any) -> Iterator[Any]:
        counted = type(request).pb(request).structured_aggregation_query
        assert counted.structured_query.limit.value, "a count reads no more of an index than it must"
        self.asked.append(counted.structured_query)
        return iter(())


def every_query() -> list[Any]:
    """What the store asks Firestore, for every combination of arguments."""
    client = Listening()
    store = FirestoreStore("p", connect=lambda: client)  # type: ignore[arg-type, return-value]
    for where in ("due", "active", "any"):
        store.first("r", where, 32)  # type: ignore[arg-type]
    for pipeline, open_only, before in product((None, "p"), (False, True), (None, 9)):
        store.runs(pipeline=pipeline, open_only=open_only, before=before)
    for which in ("waiting", "newest", "any"):
        store.members("s", which, 32)  # type: ignore[arg-type]
    store.waiters("g", 32)
    store.count("members", "s", 32)
    store.count("waiters", "g", 32)
    store.open_sets(32)
    for open_only in (False, True):
        store.backfills(32, open_only=open_only)
    store.started("p", 1, 32)
    return client.asked


def needed_index(query: Any) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The collection and the fields of the index that a query needs: those it compares, then its order.

    https://cloud.google.com/firestore/docs/query-data/index-overview
    """
    from google.cloud.firestore_v1.types import StructuredQuery

    conditions = [each.field_filter for each in query.where.composite_filter.filters]
    operators = StructuredQuery.FieldFilter.Operator
    equal = [each.field.field_path for each in conditions if each.op == operators.EQUAL]
    ranges = {each.field.field_path for each in conditions if each.op != operators.EQUAL}
    order = [
        (each.field.field_path, StructuredQuery.Direction(each.direction).name) for each in query.order_by
    ]
    assert ranges <= {field for field, _ in order[:1]}, (
        "a range is on the field that comes first in the order"
    )
    fields = (*((field, "ASCENDING") for field in equal), *order)
    return query.from_[0].collection_id, fields


def test_the_indexes_that_are_declared_are_exactly_those_that_the_queries_need() -> None:
    needed = {needed_index(query) for query in every_query()}
    composite = {(collection, fields) for collection, fields in needed if len(fields) > 1}
    assert composite == {tuple(index) for index in INDEXES}


def test_a_field_is_exempt_from_indexing_if_and_only_if_no_query_names_it_alone() -> None:
    needed = {needed_index(query) for query in every_query()}
    alone = {(collection, fields[0][0]) for collection, fields in needed if len(fields) == 1}
    documents: list[tuple[Key, Document]] = [
        (RUN, Run("p", "h", RunState.RUNNING, 1)),
        (PLAN, StoredPlan(b"x")),
        *((NODE, Node(phase, arrived=("a",))) for phase in PHASES),
        (SET, Set("p", "h", 0, due=1)),
        (MEMBER, Member(1)),
        (GATE, Gate(("a",))),
        (WAITER, Waiter("r", 1)),
        (PIPELINE, PipelineState()),
        (BackfillKey("b"), Backfill("p", "h", Asked(), 1, 4)),
    ]
    rows_written = [stored(key, doc) for key, doc in documents]
    written = {(row.path.split("/")[-2], field) for row in rows_written for field in row.fields}
    exempt = {(collection, field) for collection, fields in UNINDEXED.items() for field in fields}
    assert exempt == written - alone


def test_googles_client_is_not_imported_before_the_first_call() -> None:
    code = """
import sys
from onward.stores.firestore import FirestoreStore
FirestoreStore("p")
print([name for name in ("grpc", "google.api_core", "google.cloud.firestore_v1") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
