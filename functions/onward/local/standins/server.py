"""A gRPC server with planned faults and a record of every call."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import grpc  # type: ignore[import-untyped]

Method = tuple[Callable[[Any], Any], Any, Any]
"""What it does, and the types of its request and response (proto-plus or plain)."""


PATIENCE = 5.0
"""Seconds after which a client that still waits for an answer gets an error, so that its test ends."""


class Refusal(Exception):
    """What the service answers instead of a response."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = grpc.StatusCode[code]
        self.message = message


class Fault(NamedTuple):
    """Happens to one call; `after` its effect or before. Without a code the answer never comes."""

    code: str | None
    message: str
    after: bool


class StandIn:
    """One service, or several that share their jobs. `name` of a method is the last part of its path."""

    def __init__(self) -> None:
        self.seconds: list[tuple[str, float]] = []
        """Each call, and how long its client would wait."""
        self._faults: dict[str, list[Fault]] = {}
        self._lock = threading.Lock()
        self._ticks = 0

    def services(self) -> dict[str, dict[str, Method]]:
        """The methods of each gRPC service."""
        raise NotImplementedError

    @property
    def calls(self) -> Counter[str]:
        """How often each method was called."""
        return Counter(name for name, _ in self.seconds)

    def fault(self, method: str, code: str | None, message: str = "injected", *, after: bool = False) -> None:
        """Plan a fault of the next call of a method."""
        self._faults.setdefault(method, []).append(Fault(code, message, after))

    def tick(self) -> int:
        """A time later than every one before (seconds)."""
        self._ticks += 1
        return 1_700_000_000 + self._ticks

    @contextmanager
    def serving(self) -> Iterator[Callable[[type[Any], str], Any]]:
        """Serve on a port of its own; yields how Google's clients are connected to it."""
        with served(self) as address, grpc.insecure_channel(address) as channel:
            yield lambda kind, _: kind(transport=kind.get_transport_class("grpc")(channel=channel))

    def add_to(self, server: Any) -> None:
        """Answer this gRPC server's calls."""
        for service, methods in self.services().items():
            handlers = {name: self._handler(name, *method) for name, method in methods.items()}
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])

    def _handler(self, name: str, do: Callable[[Any], Any], request: Any, response: Any) -> Any:
        def handle(message: Any, context: grpc.ServicerContext) -> Any:
            with self._lock:
                self.seconds.append((name, context.time_remaining()))
                planned = self._faults.get(name)
                fault = planned.pop(0) if planned else None
            if fault is not None and not fault.after:
                _happen(fault, context)
            try:
                with self._lock:
                    answer = do(message)
            except Refusal as refusal:
                context.abort(refusal.code, refusal.message)
            if fault is not None:
                _happen(fault, context)
            return answer

        return grpc.unary_unary_rpc_method_handler(
            handle,
            request_deserializer=getattr(request, "deserialize", None) or request.FromString,
            response_serializer=getattr(response, "serialize", None) or response.SerializeToString,
        )


@contextmanager
def served(*standins: StandIn) -> Iterator[str]:
    """Serve them at one port of 127.0.0.1; yields `host:port`."""
    server = grpc.server(ThreadPoolExecutor(4))
    for standin in standins:
        standin.add_to(server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield address
    finally:
        server.stop(None).wait()


def _happen(fault: Fault, context: grpc.ServicerContext) -> None:
    if fault.code is not None:
        context.abort(grpc.StatusCode[fault.code], fault.message)
    gone = threading.Event()
    if context.add_callback(gone.set) and not gone.wait(PATIENCE):
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "the client would have waited too long")
