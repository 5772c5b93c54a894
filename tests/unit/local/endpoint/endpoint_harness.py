"""A real runtime with its endpoint, in a thread of its own, and a plain HTTP client."""

import asyncio
import base64
import http.client
import json
import socket
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from onward.local.endpoint import Endpoint
from onward.local.runtime import Runtime

T = TypeVar("T")

PIPELINE = """
pipeline: echo
params:
  word: {type: string, default: hello}
steps:
  say:
    python: {call: "say.py:say", args: {word: "{{ word }}"}}
"""
WAITING = """
pipeline: waiting
params: {gate: string}
steps:
  wait:
    python: {call: "wait.py:wait", args: {gate: "{{ gate }}"}}
  after:
    needs: [wait]
    python: {call: "wait.py:after"}
"""
ORDERS = """
pipeline: orders
trigger:
  message: [{topic: orders, filter: {kind: new}}, projects/shop/topics/returns]
params: {word: string}
steps:
  say:
    python: {call: "say.py:say", args: {word: "{{ word }}"}}
"""
WAIT = """
def wait(gate):
    with open(gate) as opened:
        return opened.read()

def after():
    return None
"""


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """Google's shape, and nothing beside it."""
        assert self.json.keys() == {"error"}
        error = self.json["error"]
        assert error.keys() == {"code", "message", "status"}
        assert error["code"] == self.status
        return dict(error)


class Served:
    """The runtime's thread, and what a client does."""

    def __init__(self, workflows: Path, state: Path) -> None:
        self.state = state
        self.said: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.runtime = self.call(self._open(workflows, state))
        self.host = urlsplit(self.endpoint.address).netloc

    async def _open(self, workflows: Path, state: Path) -> Runtime:
        runtime = Runtime(workflows, state, self._loop, self.said.append)
        runtime.start(watch=False)
        self.endpoint = Endpoint(runtime)
        await self.endpoint.open()
        return runtime

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self) -> None:
        self.call(self.endpoint.close())
        self.call(self.runtime.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def publish(self, topic: str, *messages: dict[str, Any]) -> Answer:
        body = json.dumps({"messages": list(messages)})
        path = f"/v1/projects/any/topics/{topic}:publish"
        return self.ask("POST", path, body, {"content-type": "application/json"})

    def follow(self, run: str) -> Iterator[dict[str, Any]]:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request("GET", f"/v1/runs/{run}/events")
            for line in connection.getresponse():
                yield json.loads(line)
        finally:
            connection.close()

    def wait(self, run: str) -> dict[str, Any]:
        self.call(self.runtime.ended(run))
        return dict(self.ask("GET", f"/v1/runs/{run}").json)

    def raw(self, request: bytes) -> bytes:
        """Send these bytes, and read to the end of the connection."""
        host, port = self.host.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            received = b""
            while piece := connection.recv(65536):
                received += piece
        return received


def data(value: Any) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode()
