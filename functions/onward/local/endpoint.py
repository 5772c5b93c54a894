"""The local HTTP endpoint: publish as Pub/Sub's REST API takes it, look at runs, follow one.

    POST /v1/projects/{project}/topics/{topic}:publish    {"messages": [{"data": base64, "attributes": {}}]}
    GET  /v1/runs?pipeline=&limit=                        the latest runs
    GET  /v1/sets?pipeline=&limit=                        the sets that fill
    GET  /v1/runs/{run}                                   one run in detail
    GET  /v1/runs/{run}/events                            the same, as a line of JSON after each change
    GET  /health

It listens on 127.0.0.1 alone, and answers only what names a loopback host, so that no web page can reach it
under a name of its own; a POST must be `application/json`, which a page can't send elsewhere unasked.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Protocol

import msgspec

import onward
from onward.core.errors import BadEvent, NotFound, Temporary, UserError
from onward.filling import Filling
from onward.local.folder import StateFolder
from onward.local.following import Watched, follow
from onward.local.http import Request, Response, Server
from onward.local.topics import Message, Runs, publish

MAX_BODY = 10_000_000
"""Bytes of a publish request, as Pub/Sub has it."""
MAX_MESSAGES = 1_000
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)
_PUBLISH = re.compile(r"/v1/(?P<full>projects/[^/]+/topics/(?P<topic>[^/]+)):publish")
_RUN = re.compile(r"/v1/runs/(?P<run>[^/]+)(?P<events>/events)?")
_STATUS = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


class Running(Runs, Watched, Protocol):
    """What the endpoint needs of a runtime."""

    @property
    def folder(self) -> StateFolder: ...
    @property
    def filling(self) -> Filling: ...


class Endpoint:
    """Serves a runtime, and says where in the state folder's `endpoint` file, while it is open."""

    def __init__(self, runtime: Running, port: int = 0) -> None:
        self._runtime = runtime
        self._port = port
        self._file = runtime.folder.endpoint
        self._server = Server(self._handle, _error, MAX_BODY)
        self.asked: set[str] = set()
        """The runs that somebody started, commanded or followed here."""
        self.address = ""
        """`http://127.0.0.1:<port>`, once it is open."""

    async def open(self) -> None:
        """Raises UserError when the port is taken."""
        try:
            port = await self._server.listen("127.0.0.1", self._port)
        except (OSError, OverflowError) as error:
            raise UserError(f"nothing can listen on port {self._port} of 127.0.0.1: {error}") from None
        self.address = f"http://127.0.0.1:{port}"
        new = self._file.with_name(f".{self._file.name}.new")
        new.write_text(self.address + "\n")
        os.replace(new, self._file)

    async def close(self) -> None:
        """Cut what is being answered."""
        self._file.unlink(missing_ok=True)
        await self._server.close()

    async def _handle(self, request: Request) -> Response:
        if not _LOOPBACK.fullmatch(request.headers.get("host", "")):
            return _error(403, "this endpoint answers only to 127.0.0.1 and localhost")
        try:
            return await self._route(request)
        except NotFound as error:
            return _error(404, str(error))
        except UserError as error:
            return _error(400, str(error))
        except Temporary as error:
            return _error(503, str(error))
        except Exception as error:
            return _error(500, f"{type(error).__name__}: {error}")

    async def _route(self, request: Request) -> Response:
        views = self._runtime.views
        match request.method, request.path:
            case "GET", "/health":
                return _json({"status": "ok", "version": onward.__version__, "state": str(self._file.parent)})
            case "GET", "/v1/runs":
                return _json({"runs": views.runs(request.query.get("pipeline"), _limit(request.query))})
            case "GET", "/v1/sets":
                filling = self._runtime.filling
                return _json({"sets": filling.sets(request.query.get("pipeline"), _limit(request.query))})
            case "GET", path if found := _RUN.fullmatch(path):
                return self._run(found["run"], follows=bool(found["events"]))
            case "POST", path if found := _PUBLISH.fullmatch(path):
                topics = self._runtime.topics()
                return await self._publish(found["full" if found["full"] in topics else "topic"], request)
        return _error(404, f"there is no {request.method} {request.path} here")

    def _run(self, run: str, *, follows: bool) -> Response:
        details = self._runtime.views.details(run)
        if not follows:
            return _json(details)
        self.asked.add(run)
        return Response(200, _lines(follow(self._runtime, run)), "application/x-ndjson")

    async def _publish(self, topic: str, request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return _error(
                415, "a message is published as JSON: set the header content-type: application/json"
            )
        published = await publish(self._runtime, topic, _messages(request.body))
        runs = [run for one in published for run in one.runs]
        self.asked.update(runs)
        # Pub/Sub answers the ids alone; clients leave aside what they do not know.
        return _json({"messageIds": [one.id for one in published], "runs": runs})


class _PubsubMessage(msgspec.Struct, frozen=True):
    data: str = ""
    attributes: dict[str, str] = {}


class _PublishRequest(msgspec.Struct, frozen=True):
    messages: list[_PubsubMessage]


def _messages(body: bytes) -> list[Message]:
    try:
        messages = msgspec.json.decode(body, type=_PublishRequest).messages
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEvent(
            f'the body must be JSON such as {{"messages": [{{"data": "e30="}}]}}: {error}'
        ) from None
    if not 1 <= len(messages) <= MAX_MESSAGES:
        raise BadEvent(f"a request publishes 1 to {MAX_MESSAGES:,} messages, not {len(messages):,}")
    return [Message(_decoded(message.data, n), message.attributes) for n, message in enumerate(messages, 1)]


def _decoded(data: str, number: int) -> bytes:
    """JSON's bytes: base64 of either alphabet, padded or not."""
    try:
        return base64.b64decode(
            data.translate({45: 43, 95: 47}).rstrip("=") + "=" * (-len(data.rstrip("=")) % 4), validate=True
        )
    except (binascii.Error, ValueError) as error:
        raise BadEvent(f"the data of message {number} is not base64: {error}") from None


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", "50")
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text):
        raise BadEvent(f"limit must be a number from 1 to 9999, not {text!r}")
    return int(text)


async def _lines(frames: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(frames):
        async for frame in frames:
            yield msgspec.json.encode(frame) + b"\n"


def _json(value: Any, status: int = 200) -> Response:
    return Response(status, msgspec.json.encode(value))


def _error(code: int, message: str) -> Response:
    """As Google's APIs say it."""
    status = _STATUS.get(code, "INVALID_ARGUMENT" if code < 500 else "INTERNAL")
    return _json({"error": {"code": code, "message": message, "status": status}}, code)
