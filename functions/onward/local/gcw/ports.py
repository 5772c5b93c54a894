"""What a running workflow needs from the world."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from onward.local.gcw.values import Value


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    url: str
    """With the query in it."""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    timeout: float = 300.0
    """Seconds for the whole exchange."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    code: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class StoredObject:
    bucket: str
    name: str
    size: int
    generation: int
    """Microseconds since the epoch of the last write, as Cloud Storage counts."""


class Objects(Protocol):
    """Cloud Storage. Each method raises an HttpError in the workflow as the service would."""

    def read(self, bucket: str, name: str) -> bytes: ...

    def stat(self, bucket: str, name: str) -> StoredObject: ...

    def write(self, bucket: str, name: str, data: bytes, *, only_new: bool = False) -> StoredObject:
        """Replaces the object in one step; `only_new` refuses with 412 when there is one already."""

    def delete(self, bucket: str, name: str) -> None: ...

    def list(self, bucket: str) -> list[StoredObject]:
        """Every object of the bucket, by name."""


class Io(Protocol):
    """The world of one execution."""

    @property
    def objects(self) -> Objects: ...

    def now(self) -> float:
        """Seconds since the epoch."""

    def sleep(self, seconds: float) -> None: ...

    def uuid(self) -> str: ...

    def env(self, name: str) -> str | None: ...

    def log(self, severity: str, payload: Value) -> None: ...

    def http(self, request: HttpRequest) -> HttpResponse:
        """One exchange, whatever its status. ConnectionFailedError, ConnectionError, TimeoutError or
        ResourceLimitError in the workflow when there is no answer."""

    def publish(self, topic: str, body: Value) -> Value:
        """Pub/Sub's `topics.publish`: `{messages: [...]}` → `{messageIds: [...]}`."""
