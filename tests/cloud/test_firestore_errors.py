"""What Firestore's refusals and silences become, said by a real server: no foreign error slips through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.auth.exceptions import DefaultCredentialsError
from grpc import StatusCode
from onward.core.commands import Put
from onward.core.errors import Conflict, OnwardError, Unavailable, UserError
from onward.core.state import Node, NodeKey
from onward.ports import Write
from onward.stores.firestore import FirestoreStore

KEY = NodeKey("r", "n")
LOST = {StatusCode.ALREADY_EXISTS, StatusCode.FAILED_PRECONDITION, StatusCode.NOT_FOUND, StatusCode.ABORTED}
STATUSES = [code for code in StatusCode if code is not StatusCode.OK]
ASK: dict[str, Callable[[FirestoreStore], object]] = {
    "read": lambda store: store.read([KEY]),
    "first": lambda store: store.first("r", "any", 9),
    "runs": lambda store: store.runs(),
    "count": lambda store: store.count("waiters", "g", 9),
}


class Server:
    """Speaks Firestore's four calls: answers each with the next status planned for it, then with nothing."""

    def __init__(self) -> None:
        self.planned: list[StatusCode] = []
        self.heard: Counter[str] = Counter()
        self.server = grpc.server(ThreadPoolExecutor(2))
        calls = {
            "BatchGetDocuments": grpc.unary_stream_rpc_method_handler(self._stream("BatchGetDocuments")),
            "RunQuery": grpc.unary_stream_rpc_method_handler(self._stream("RunQuery")),
            "RunAggregationQuery": grpc.unary_stream_rpc_method_handler(self._stream("RunAggregationQuery")),
            "Commit": grpc.unary_unary_rpc_method_handler(self._answer("Commit")),
        }
        handler = grpc.method_handlers_generic_handler("google.firestore.v1.Firestore", calls)
        self.server.add_generic_rpc_handlers((handler,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def _answer(self, call: str) -> Callable[[bytes, Any], bytes]:
        def answer(_: bytes, context: Any) -> bytes:
            self.heard[call] += 1
            if self.planned:
                context.abort(self.planned.pop(0), "so the server says")
            return b""

        return answer

    def _stream(self, call: str) -> Callable[[bytes, Any], Iterator[bytes]]:
        def stream(request: bytes, context: Any) -> Iterator[bytes]:
            self._answer(call)(request, context)
            yield from ()

        return stream


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.server.stop(None)


@pytest.fixture
def store(server: Server, monkeypatch: pytest.MonkeyPatch) -> FirestoreStore:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{server.port}")
    return FirestoreStore("p")


def commit(store: FirestoreStore) -> None:
    store.commit([Write(Put(KEY, Node()), 0)])


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.name)
def test_a_commit_that_fails_was_lost_or_is_wrong_or_may_pass(
    server: Server, store: FirestoreStore, status: StatusCode
) -> None:
    server.planned = [status]
    wanted = (
        Conflict if status in LOST else UserError if status is StatusCode.INVALID_ARGUMENT else Unavailable
    )
    with pytest.raises(OnwardError, match="so the server says") as raised:
        commit(store)
    assert type(raised.value) is wanted


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.name)
def test_a_commit_is_made_once_whatever_the_answer(
    server: Server, store: FirestoreStore, status: StatusCode
) -> None:
    """A second one could be refused because of the first one's success."""
    server.planned = [status]
    with pytest.raises(OnwardError):
        commit(store)
    assert server.heard == {"Commit": 1}


@pytest.mark.parametrize("ask", ASK)
@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.name)
def test_a_read_that_fails_is_never_a_conflict(
    server: Server, store: FirestoreStore, ask: str, status: StatusCode
) -> None:
    if status is StatusCode.UNAVAILABLE:
        return
    server.planned = [status]
    with pytest.raises(
        UserError if status is StatusCode.INVALID_ARGUMENT else Unavailable, match="so the server says"
    ):
        ASK[ask](store)


@pytest.mark.parametrize("ask", ASK)
def test_a_read_on_a_channel_that_has_died_meanwhile_is_made_again(
    server: Server, store: FirestoreStore, ask: str
) -> None:
    server.planned = [StatusCode.UNAVAILABLE]
    assert not ASK[ask](store)
    assert sum(server.heard.values()) == 2


def test_nothing_is_asked_where_there_is_nothing_to_ask(server: Server, store: FirestoreStore) -> None:
    assert store.read([]) == {}
    store.commit([])
    assert server.heard == store.round_trips == {}


def test_missing_credentials_may_pass() -> None:
    def connect() -> Any:
        raise DefaultCredentialsError("no credentials")

    with pytest.raises(Unavailable, match="no credentials"):
        FirestoreStore("p", connect=connect).read([KEY])
