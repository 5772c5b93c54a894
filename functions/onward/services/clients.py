"""Google's clients, each built when it is first used and kept as long as the process lives."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from onward.core.errors import Unavailable

C = TypeVar("C")
Connect = Callable[[type[Any], str], Any]
"""(client class, endpoint) → client; an empty endpoint is the service's own."""


class Clients:
    """One client per class and endpoint."""

    def __init__(self, connect: Connect | None = None) -> None:
        self._connect = connect or _connect
        self._built: dict[tuple[type[Any], str], Any] = {}

    def get(self, kind: type[C], endpoint: str = "") -> C:
        """The client, built now if this is its first use. Raises `Unavailable` without credentials."""
        client: C | None = self._built.get((kind, endpoint))
        if client is None:
            client = self._built[kind, endpoint] = self._connect(kind, endpoint)
        return client


def _connect(kind: type[Any], endpoint: str) -> Any:
    from google.auth.exceptions import GoogleAuthError

    standins = os.environ.get("ONWARD_STANDINS")  # host:port of all services on a laptop
    if standins:
        return kind(transport=kind.get_transport_class("grpc")(channel=_channel(standins)))
    try:
        return kind(client_options={"api_endpoint": endpoint} if endpoint else None)
    except GoogleAuthError as error:
        raise Unavailable(f"no credentials for Google Cloud: {error}") from error


@cache
def _channel(address: str) -> Any:
    import grpc  # type: ignore[import-untyped]

    return grpc.insecure_channel(address)
