"""Requests as Google's services make them, around the example payloads or anything else."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from onward.core.naming import job_name
from onward.ingress.envelope import Request
from onward.ingress.facts import Doorbell, Facts, Result

PAYLOADS = Path(__file__).parent / "payloads"
RUN = "0123456789abcdef0123"
OURS = job_name("clean", RUN, 3, 2)
NOW = 1_788_250_500_000_000  # 2026-09-01T08:15:00Z, when the example payloads were sent


def payload(name: str) -> dict[str, Any]:
    """An example as it is: about no job of ours."""
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def ours(name: str) -> dict[str, Any]:
    """An example about the second attempt of step 3 of a run of ours."""
    found = payload(name)
    event = found.get("data", {}).get("payload", {})
    resource = found.get("protoPayload", {}).get("resourceName", "")
    job = event.get("name") or resource.rpartition("/")[2] or found["resource"]["labels"]["job_name"]
    return json.loads(json.dumps(found).replace(job, OURS))


def request(body: object, headers: dict[str, str] | None = None, at: int = NOW) -> Request:
    return Request(headers or {"content-type": "application/json"}, encoded(body), at)


def encoded(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def push(data: object = b"", attributes: dict[str, str] | None = None, **message: Any) -> dict[str, Any]:
    """The body of a push, with all that Pub/Sub puts into one."""
    return {
        "message": {
            "data": base64.b64encode(encoded(data)).decode(),
            "attributes": attributes or {},
            "messageId": "77",
            "message_id": "77",
            "publishTime": "2026-09-01T08:00:00.109Z",
            "publish_time": "2026-09-01T08:00:00.109Z",
            "orderingKey": "a",
            **message,
        },
        "subscription": "projects/p/subscriptions/s",
        "deliveryAttempt": 4,
    }


def pushed(data: object = b"", attributes: dict[str, str] | None = None, at: int = NOW) -> Request:
    return request(push(data, attributes), at=at)


def unwrapped(data: object, attributes: dict[str, str] | None = None) -> Request:
    """A push without wrapper, with metadata; HTTP servers give header names in one case."""
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "authorization": "Bearer secret",
        "x-goog-pubsub-message-id": "77",
        "x-goog-pubsub-publish-time": "2026-09-01T08:00:00.109Z",
        "x-goog-pubsub-subscription-name": "projects/p/subscriptions/s",
        **{name.lower(): value for name, value in (attributes or {}).items()},
    }
    return request(encoded(data), headers)


def structured(event: dict[str, Any]) -> Request:
    return request(event, {"content-type": "application/cloudevents+json; charset=utf-8"})


def binary(event: dict[str, Any]) -> Request:
    attributes = {f"ce-{name}": value for name, value in event.items() if isinstance(value, str)}
    content_type = attributes.pop("ce-datacontenttype", "application/json")
    return request(event["data"], {"content-type": content_type, **attributes})


def doorbell(result: Result) -> Doorbell:
    """The one fact of a result, which is a bell."""
    assert isinstance(result, Facts), result
    (fact,) = result.facts
    assert isinstance(fact, Doorbell)
    return fact
