"""A log entry, as far as the services' reports of ended jobs need it."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import msgspec

from onward.ingress.decoding import decode


class Operation(msgspec.Struct, frozen=True):
    """The long-running operation that an entry begins or ends; one entry may do both."""

    id: str = ""
    first: bool = False
    last: bool = False


class Audit(msgspec.Struct, frozen=True):
    """An audit log's payload. The last entry of an operation repeats nothing of the request."""

    service: str = msgspec.field(default="", name="serviceName")
    method: str = msgspec.field(default="", name="methodName")
    resource: str = msgspec.field(default="", name="resourceName")


class Resource(msgspec.Struct, frozen=True):
    """The monitored resource."""

    type: str = ""
    labels: dict[str, str] = {}


class Entry(msgspec.Struct, frozen=True):
    """A log entry."""

    log_name: str = msgspec.field(default="", name="logName")
    audit: Audit | None = msgspec.field(default=None, name="protoPayload")
    payload: dict[str, Any] | None = msgspec.field(default=None, name="jsonPayload")
    text: str = msgspec.field(default="", name="textPayload")
    resource: Resource = Resource()
    labels: dict[str, str] = {}
    operation: Operation | None = None

    @property
    def log(self) -> str:
        """The log's id, such as `dataflow.googleapis.com/job-message`."""
        return unquote(self.log_name.partition("/logs/")[2])


def read(data: bytes) -> Entry:
    """Raises `BadEvent`."""
    return decode(data, Entry, "a log entry", '{"logName": "...", "resource": {}, "protoPayload": {}}')
