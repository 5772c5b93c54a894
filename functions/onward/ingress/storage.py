"""An object became final: a bucket's own notification through Pub/Sub, or Eventarc's direct event."""

from __future__ import annotations

import msgspec

from onward.core.errors import BadEvent
from onward.core.horizon import HORIZON
from onward.core.matching import ObjectArrival
from onward.core.pipeline import DAY
from onward.core.problems import shown
from onward.ingress.decoding import Int64, decode, int64, microseconds
from onward.ingress.envelope import CloudEvent, Message, Request, opened
from onward.ingress.facts import Facts, Ignored, ObjectFinalized, Poison, Result, parser

FINALIZED = "google.cloud.storage.object.v1.finalized"
_NOTIFIED = "OBJECT_FINALIZE"
_OBJECT = '{"bucket": "...", "name": "...", "generation": "1", "size": "0", "updated": "..."}'


class _Named(msgspec.Struct, frozen=True):
    """An object resource, as far as it says which object it is."""

    bucket: str
    name: str
    generation: Int64
    updated: str
    size: Int64 = 0
    metadata: dict[str, str] = {}


class _Described(msgspec.Struct, frozen=True):
    """An object resource beside attributes that say which object it is."""

    size: Int64 = 0
    updated: str | None = None
    metadata: dict[str, str] = {}


@parser
def parse(request: Request) -> Result:
    """`ObjectFinalized`; other events of objects are ignored, and arrivals beyond the horizon are poison."""
    match opened(request):
        case Message() as message:
            return _notified(message, request.at)
        case CloudEvent(type=kind, data=data) if kind == FINALIZED:
            found = decode(data, _Named, "the event's data", _OBJECT)
            return _arrival(found, request.at)
        case CloudEvent(type=kind):
            return Ignored(f"only a finalized object starts a run, not {shown(kind)}")


def _notified(message: Message, now: int) -> Result:
    kind = _attribute(message, "eventType")
    if kind != _NOTIFIED:
        return Ignored(f"only a finalized object starts a run, not {shown(kind)}")
    body = message.data if message.attribute("payloadFormat") != "NONE" else b""
    found = decode(body or b"{}", _Described, "the notification's data", _OBJECT)
    named = _Named(
        _attribute(message, "bucketId"),
        _attribute(message, "objectId"),
        _attribute(message, "objectGeneration"),
        found.updated or _attribute(message, "eventTime"),
        found.size,
        found.metadata,
    )
    return _arrival(named, now)


def _attribute(message: Message, name: str) -> str:
    value = message.attribute(name)
    if not value:
        raise BadEvent(f"a bucket's notification must have the attribute {name}")
    return value


def _arrival(found: _Named, now: int) -> Result:
    if not found.bucket or not found.name:
        raise BadEvent("an object must have a bucket and a name")
    at = microseconds(found.updated, "the object's time")
    if now - at > HORIZON:
        return Poison(
            f"the object arrived {(now - at) // DAY} days ago; after {HORIZON // DAY} days nobody knows "
            "whether it has started a run already"
        )
    generation = str(int64(found.generation, "the object's generation"))
    size = int64(found.size, "the object's size")
    arrival = ObjectArrival(found.bucket, found.name, generation, size, found.metadata)
    return Facts((ObjectFinalized(arrival, at),))
