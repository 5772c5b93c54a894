"""Announcements as CloudEvents 1.0: as a message's data and attributes, or as one JSON object.

Consumers drop repeats by `id`, and filter by type, `pipeline`, `kind` and `state`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from onward.core.commands import Announce
from onward.views import rfc3339

TIMES = ("started", "ended", "expected")


def message(fact: Announce, source: str) -> tuple[bytes, dict[str, str]]:
    """In Pub/Sub's binary mode: the data, and an attribute for each of the event's own, and to filter by."""
    attributes = {f"ce-{name}": value for name, value in _context(fact, source).items()}
    filters = {"pipeline": fact.pipeline, "kind": fact.kind, "state": fact.state}
    return msgspec.json.encode(_data(fact)), {**attributes, **filters}


def structured(fact: Announce, source: str) -> bytes:
    """As one JSON object."""
    return msgspec.json.encode({**_context(fact, source), "data": _data(fact)})


def _context(fact: Announce, source: str) -> dict[str, str]:
    return {
        "specversion": "1.0",
        "id": fact.id,
        "source": f"{source}/pipelines/{fact.pipeline}",
        "type": f"dev.onward.{fact.kind.replace('_', '.')}.v1",
        "subject": fact.subject,
        "time": rfc3339(fact.at) or "",
        "datacontenttype": "application/json",
    }


def _data(fact: Announce) -> dict[str, Any]:
    times = {name: rfc3339(fact.data[name]) for name in TIMES if name in fact.data}
    return {**fact.data, "state": fact.state, **times}
