"""A small HTTP/1.1 server: h11 speaks the protocol, asyncio waits. No timer, no thread, no work while idle.

(aiohttp would do as well, but takes ten times as long to import, which is most of a short command's time.)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from onward.core.errors import OnwardError

MAX_HEAD = 16 * 1024
"""Bytes of a request's first line and headers."""
_CHUNK = 64 * 1024


class Request(NamedTuple):
    """A whole request. The path is decoded; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Response(NamedTuple):
    """The body as a whole, or as an iterator of pieces that are sent as they come."""

    status: int
    body: bytes | AsyncGenerator[bytes, None]
    content_type: str = "application/json"
    headers: Sequence[tuple[str, str]] = ()


class Refusal(Exception):
    """A request that can't be read: answered with this status, then the connection is closed."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class Server:
    """Answers requests with `handle` until it is closed; what `refuse` makes of a refusal is sent for one."""

    def __init__(
        self,
        handle: Callable[[Request], Awaitable[Response]],
        refuse: Callable[[int, str], Response],
        max_body: int,
    ) -> None:
        self._handle = handle
        self._refuse = refuse
        self._max_body = max_body
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Returns the port: a free one for 0. Raises OSError."""
        self._server = await asyncio.start_server(self._accept, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Cut every connection, whatever it is in the middle of."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exchange = _Exchange(reader, writer, self._max_body)
        try:
            while (request := await self._request(exchange)) is not None:
                await exchange.answer(await self._handle(request))
                if not exchange.goes_on():
                    break
        except (ConnectionError, h11.ProtocolError, OnwardError):
            pass  # the other side is gone or does not speak HTTP any more, or a stream can't go on
        except asyncio.CancelledError:
            writer.transport.abort()  # what was sent may never be read
            raise
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _request(self, exchange: _Exchange) -> Request | None:
        try:
            return await exchange.request()
        except Refusal as refusal:
            await exchange.answer(self._refuse(refusal.status, str(refusal)))
            await exchange.drop_the_rest()
            return None


class _Exchange:
    """Requests and responses of one connection, in turn."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, max_body: int) -> None:
        self._reader = reader
        self._writer = writer
        self._max_body = max_body
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._is_head = False

    async def request(self) -> Request | None:
        """The next request, or None when the other side has closed. Raises `Refusal`."""
        try:
            event = await self._next()
            if not isinstance(event, h11.Request):
                return None
            headers = {name.decode().lower(): value.decode("latin-1") for name, value in event.headers}
            body = await self._body(headers)
            self._is_head = event.method == b"HEAD"
            url = urlsplit(event.target.decode())
        except h11.RemoteProtocolError as error:
            raise Refusal(error.error_status_hint, f"this is no HTTP request: {error}") from None
        except ValueError as error:
            raise Refusal(400, f"this is no address of a request: {error}") from None
        return Request(event.method.decode(), unquote(url.path), dict(parse_qsl(url.query)), headers, body)

    async def _body(self, headers: Mapping[str, str]) -> bytes:
        if int(headers.get("content-length", 0)) > self._max_body:
            raise Refusal(413, self._too_large)
        if self._http.they_are_waiting_for_100_continue:
            self._send(h11.InformationalResponse(status_code=100, headers=[]))
        body = bytearray()
        while isinstance(event := await self._next(), h11.Data):
            body += event.data
            if len(body) > self._max_body:
                raise Refusal(413, self._too_large)
        return bytes(body)

    @property
    def _too_large(self) -> str:
        return f"the request is larger than {self._max_body:,} bytes"

    async def _next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(_CHUNK))
        return event

    async def answer(self, response: Response) -> None:
        """Send it. Raises ConnectionError when the other side is gone."""
        headers = [("content-type", response.content_type), ("x-content-type-options", "nosniff")]
        headers += response.headers
        if isinstance(response.body, bytes):
            headers.append(("content-length", str(len(response.body))))
        if self._http.their_state is not h11.DONE:
            headers.append(("connection", "close"))
        self._send(h11.Response(status_code=response.status, headers=headers))
        if self._is_head:
            pass  # whatever the body would be, it is left out
        elif isinstance(response.body, bytes):
            self._send(h11.Data(data=response.body))
        else:
            await self._stream(response.body)
        self._send(h11.EndOfMessage())
        await self._writer.drain()

    async def _stream(self, pieces: AsyncGenerator[bytes, None]) -> None:
        async with aclosing(pieces):
            async for piece in pieces:
                self._send(h11.Data(data=piece))
                await self._writer.drain()

    def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)

    def goes_on(self) -> bool:
        """Whether another request may follow on this connection."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def drop_the_rest(self) -> None:
        """Read on until the other side closes: else it is told of a reset before it has read the answer."""
        if self._writer.can_write_eof():
            self._writer.write_eof()
        while await self._reader.read(_CHUNK):
            pass
