"""The one parser of what an event comes wrapped in.

A Pub/Sub message arrives as a push, wrapped in JSON or not (`no_wrapper`), or in a CloudEvent of Eventarc's;
other CloudEvents arrive as themselves. A CloudEvent is binary (its attributes are headers) or structured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

import msgspec

from onward.core.errors import BadEvent
from onward.core.problems import shown
from onward.ingress.decoding import Int64, decode, from_base64, int64

MAX_BODY = 15_000_000
"""Bytes: a message of 10 MB in base64, and its attributes."""
MESSAGE_PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"
_PUSH = '{"message": {"data": "e30=", "attributes": {}, "messageId": "1"}, "subscription": "..."}'
_EVENT = '{"specversion": "1.0", "type": "...", "source": "...", "id": "...", "data": {}}'
_HTTP = re.compile(
    r"x-.*|accept|accept-.*|authorization|connection|content-.*|cookie|expect|forwarded|from|host|te|trace.*"
    r"|transfer-encoding|user-agent|via"
)
"""Headers that are no attributes of an unwrapped message; some of them are secret."""


TOPIC_HEADER = "x-onward-topic"
"""The header by which an entry point says of which topic of a pipeline's a message is."""
TOPIC, ID = "onward-topic", "onward-id"
"""Attributes by which a dead letter keeps that, and the message's id."""


class Request(NamedTuple):
    """An HTTP request: header names in lower case, and the time of its arrival (µs)."""

    headers: Mapping[str, str]
    body: bytes
    at: int


class Message(msgspec.Struct, frozen=True):
    """A Pub/Sub message. Its data may be empty."""

    id: str
    data: bytes = b""
    attributes: Mapping[str, str] = {}
    delivery: int | None = None
    """Counts the deliveries, where the subscription has a dead-letter topic."""
    published: str | None = None
    """When, as RFC 3339, if it says so."""

    def attribute(self, name: str) -> str | None:
        """HTTP has no upper case in the names of an unwrapped message's attributes."""
        return self.attributes.get(name, self.attributes.get(name.lower()))


class CloudEvent(msgspec.Struct, frozen=True):
    """An event of Eventarc's; `data` is JSON."""

    id: str
    type: str
    data: bytes = b""


class _PushedMessage(msgspec.Struct, frozen=True):
    data: str | None = None
    attributes: dict[str, str] | None = None
    message_id: Int64 | None = msgspec.field(default=None, name="messageId")
    same_id: Int64 | None = msgspec.field(default=None, name="message_id")
    published: str | None = msgspec.field(default=None, name="publishTime")


class _Push(msgspec.Struct, frozen=True):
    message: _PushedMessage
    delivery: Int64 | None = msgspec.field(default=None, name="deliveryAttempt")


class _Structured(msgspec.Struct, frozen=True):
    specversion: str
    type: str
    id: str
    source: str
    datacontenttype: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")
    data_base64: str | None = None


def opened(request: Request) -> Message | CloudEvent:
    """What the request carries. Raises `BadEvent`."""
    headers, body = request.headers, request.body
    if len(body) > MAX_BODY:
        raise BadEvent(f"the request is {len(body):,} bytes; at most {MAX_BODY:,} are taken")
    kind = _media_type(headers.get("content-type", ""))
    if kind == "application/cloudevents+json":
        return _published(_structured(body))
    if kind.startswith("application/cloudevents"):
        raise BadEvent(
            f"{shown(kind)} is not taken; send each event by itself, as application/cloudevents+json"
        )
    if "ce-type" in headers or "ce-specversion" in headers:
        return _published(_binary(headers, kind, body))
    if "x-goog-pubsub-message-id" in headers:
        return _unwrapped(headers, body)
    return _wrapped(body)


def _media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def _published(event: CloudEvent) -> Message | CloudEvent:
    return _wrapped(event.data) if event.type == MESSAGE_PUBLISHED else event


def _structured(body: bytes) -> CloudEvent:
    event = decode(body, _Structured, "a CloudEvent", _EVENT)
    _check(event.specversion, _media_type(event.datacontenttype or ""))
    data = bytes(event.data) if event.data_base64 is None else from_base64(event.data_base64, "data_base64")
    return CloudEvent(event.id, event.type, data)


def _binary(headers: Mapping[str, str], kind: str, body: bytes) -> CloudEvent:
    missing = [name for name in ("ce-specversion", "ce-type", "ce-source", "ce-id") if not headers.get(name)]
    if missing:
        raise BadEvent(f"a CloudEvent must have the header {missing[0]}")
    _check(headers["ce-specversion"], kind)
    return CloudEvent(unquote(headers["ce-id"]), unquote(headers["ce-type"]), body)


def _check(version: str, kind: str) -> None:
    if not version.startswith("1."):
        raise BadEvent(f"CloudEvents of version {shown(version)} are not known; send version 1.0")
    if kind not in ("", "application/json") and not kind.endswith("+json"):
        raise BadEvent(f"the event's data is {shown(kind)}; set the trigger to application/json")


def _wrapped(body: bytes) -> Message:
    push = decode(body, _Push, "a pushed message", _PUSH)
    message = push.message
    given = message.same_id if message.message_id is None else message.message_id
    if given is None or given == "":
        raise BadEvent("a pushed message must have a messageId")
    data = from_base64(message.data or "", "the message's data")
    delivery = None if push.delivery is None else int64(push.delivery, "deliveryAttempt")
    return Message(str(given), data, message.attributes or {}, delivery, message.published)


def _unwrapped(headers: Mapping[str, str], body: bytes) -> Message:
    attributes = {name: value for name, value in headers.items() if not _HTTP.fullmatch(name)}
    published = headers.get("x-goog-pubsub-publish-time")
    return Message(headers["x-goog-pubsub-message-id"], body, attributes, published=published)


def letter(request: Request) -> tuple[bytes, Mapping[str, str]]:
    """What was sent, as the data and attributes of a message that can be sent again."""
    try:
        found = opened(request)
    except BadEvent:
        found = None
    if isinstance(found, Message):
        topic = request.headers.get(TOPIC_HEADER)
        same = {} if topic is None else {TOPIC: topic, ID: found.id}
        return found.data, {**found.attributes, **same}
    told = {name: text for name, text in request.headers.items() if name.startswith("ce-")}
    return request.body, {**told, "content-type": request.headers.get("content-type", "")}
