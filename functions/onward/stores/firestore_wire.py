"""Firestore's calls, in terms of rows: read many, commit all or nothing, query, count.

Google's generated client is used, with plain protobuf messages: a commit is exactly one call then, and costs
less than through the layer above. No transaction is ever opened: under contention they lock each other out,
while a conditional commit wins or fails at once.

Nothing here repeats a commit. Google's client would, on UNAVAILABLE and RESOURCE_EXHAUSTED
(`_prep_wrapped_messages` in `services/firestore/transports/base.py` of google-cloud-firestore), and could
then be refused because of its own success; so that is switched off at the call. What gRPC itself repeats is
only what no server has seen (https://grpc.io/docs/guides/retry/, transparent retry). After an `Unavailable`
nobody knows whether the commit came through: the event is delivered again, and the document says whose
intent it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, assert_never

import grpc  # type: ignore[import-untyped]
from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.protobuf.timestamp_pb2 import Timestamp

from onward.core.errors import Conflict, Unavailable, UserError
from onward.stores.firestore_queries import Query
from onward.stores.firestore_rows import Difference, Removal, Row, RowWrite, Union

TIMEOUT = 20.0
"""Seconds for a call, the repeats of a read included."""

# A channel that slept with its instance fails the first call it makes. A read may be made again.
_READ_AGAIN = Retry(predicate=if_exception_type(exceptions.ServiceUnavailable), timeout=TIMEOUT)
_LOST = (exceptions.AlreadyExists, exceptions.FailedPrecondition, exceptions.NotFound, exceptions.Aborted)

_Document = types.Document.pb()
_Value = types.Value.pb()
_Write = types.Write.pb()
_AggregationQuery = types.StructuredAggregationQuery.pb()
_StructuredQuery = types.StructuredQuery.pb()


def connect() -> FirestoreClient:
    """Google's client; the emulator's where FIRESTORE_EMULATOR_HOST names one, as in Google's own layer."""
    emulator = os.environ.get("FIRESTORE_EMULATOR_HOST")
    if not emulator:
        return FirestoreClient()
    return FirestoreClient(transport=FirestoreGrpcTransport(channel=grpc.insecure_channel(emulator)))


class Wire:
    """One database, through one client. May be shared by threads. Every error is one of ours."""

    def __init__(self, connect: Callable[[], FirestoreClient], project: str, database: str) -> None:
        with _our_errors("reached"):
            self._client = connect()
        self._database = f"projects/{project}/databases/{database}"
        self._root = f"{self._database}/documents"
        # Sent by Google's own layer too: it routes the call to the database.
        self._metadata = (("google-cloud-resource-prefix", self._database),)

    def read(self, paths: Sequence[str]) -> list[Row]:
        """The documents that exist, by one BatchGetDocuments."""
        request = types.BatchGetDocumentsRequest(
            database=self._database, documents=[f"{self._root}/{path}" for path in paths]
        )
        with _our_errors("read"):
            answers = self._client.batch_get_documents(
                request, retry=_READ_AGAIN, timeout=TIMEOUT, metadata=self._metadata
            )
            found = (types.BatchGetDocumentsResponse.pb(answer) for answer in answers)
            return [self._row(answer.found) for answer in found if answer.HasField("found")]

    def commit(self, writes: Iterable[RowWrite]) -> list[int]:
        """All of them or none, by one Commit; the new version of each. Raises `Conflict` where a document is
        not at its version."""
        request = types.CommitRequest.wrap(
            types.CommitRequest.pb()(database=self._database, writes=map(self._write, writes))
        )
        with _our_errors("written", lost=_LOST):
            done = self._client.commit(request, retry=None, timeout=TIMEOUT, metadata=self._metadata)
        results = types.CommitResponse.pb(done).write_results
        return [result.update_time.ToMicroseconds() for result in results]

    def query(self, query: Query) -> list[Row]:
        """The documents that the query finds, by one RunQuery."""
        request = types.RunQueryRequest(parent=self._parent(query), structured_query=_structured(query))
        with _our_errors("searched"):
            answers = self._client.run_query(
                request, retry=_READ_AGAIN, timeout=TIMEOUT, metadata=self._metadata
            )
            found = (types.RunQueryResponse.pb(answer) for answer in answers)
            return [self._row(answer.document) for answer in found if answer.HasField("document")]

    def count(self, query: Query) -> int:
        """How many documents the query finds, by one RunAggregationQuery."""
        counted = _AggregationQuery(structured_query=_structured(query))
        counted.aggregations.add(alias="count", count={})
        request = types.RunAggregationQueryRequest(
            parent=self._parent(query), structured_aggregation_query=counted
        )
        with _our_errors("searched"):
            answers = self._client.run_aggregation_query(
                request, retry=_READ_AGAIN, timeout=TIMEOUT, metadata=self._metadata
            )
            found = (types.RunAggregationQueryResponse.pb(answer).result for answer in answers)
            return sum(each.aggregate_fields["count"].integer_value for each in found)

    def _parent(self, query: Query) -> str:
        return f"{self._root}/{query.parent}".rstrip("/")

    def _row(self, document: Any) -> Row:
        fields = {name: _plain(value) for name, value in document.fields.items()}
        path = document.name.removeprefix(f"{self._root}/")
        return Row(path, fields, document.update_time.ToMicroseconds())

    def _write(self, write: RowWrite) -> Any:
        name = f"{self._root}/{write.path}"
        match write:
            case Row(fields=fields, version=version):
                document = _Document(name=name, fields={key: _value(each) for key, each in fields.items()})
                return _Write(update=document, current_document=_precondition(version))
            case Union(field=field, members=members) | Difference(field=field, members=members):
                how = "append_missing_elements" if isinstance(write, Union) else "remove_all_from_array"
                values = {"values": [_value(member) for member in members]}
                # An empty mask: no field of a document that is there is touched but the set.
                return _Write(
                    update=_Document(name=name),
                    update_mask={},
                    update_transforms=[{"field_path": field, how: values}],
                )
            case Removal(version=version):
                return _Write(delete=name, current_document=_precondition(version))
            case _:
                assert_never(write)


def _precondition(version: int | None) -> dict[str, Any] | None:
    if version is None:
        return None
    if version == 0:
        return {"exists": False}
    moment = Timestamp()
    moment.FromMicroseconds(version)
    return {"update_time": moment}


def _value(value: Any) -> Any:
    match value:
        case bool():
            return _Value(boolean_value=value)
        case int():
            return _Value(integer_value=value)
        case str():
            return _Value(string_value=value)
        case bytes():
            return _Value(bytes_value=value)
        case _:
            return _Value(array_value={"values": [_value(item) for item in value]})


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value_type")
    plain = getattr(value, kind)
    return [_plain(item) for item in plain.values] if kind == "array_value" else plain


def _structured(query: Query) -> Any:
    filters = [
        {"field_filter": {"field": {"field_path": condition[0]}, "op": op, "value": _value(condition[1])}}
        for op, condition in (
            ("EQUAL", query.equal),
            ("LESS_THAN", query.below),
            ("GREATER_THAN_OR_EQUAL", query.least),
        )
        if condition is not None
    ]
    structured = _StructuredQuery(limit={"value": query.limit})
    structured.from_.add(collection_id=query.collection)
    for condition in filters:
        structured.where.composite_filter.filters.add(**condition)
    if filters:
        structured.where.composite_filter.op = "AND"
    if query.order is not None:
        field, direction = query.order
        structured.order_by.add(field={"field_path": field}, direction=direction)
    return structured


@contextmanager
def _our_errors(done: str, lost: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    try:
        yield
    except lost as error:
        raise Conflict(f"a document was changed by somebody else: {error}") from error
    except exceptions.InvalidArgument as error:
        raise UserError(f"the state can't be {done}: Firestore does not take this: {error}") from error
    except (exceptions.GoogleAPIError, GoogleAuthError) as error:
        raise Unavailable(f"the state can't be {done}: {error}") from error
