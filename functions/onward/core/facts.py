"""Facts from outside that can start runs. Beside these: `matching.ObjectArrival`, `events.RunEnded`."""

from __future__ import annotations

from typing import Any

import msgspec


class ByHand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Start this pipeline. The same key is the same run; without one, each message is a run of its own."""

    pipeline: str
    params: dict[str, Any] = {}
    key: str | None = None
    force: bool = False
    """Steps run although what they would make is there."""


class Message(msgspec.Struct, frozen=True):
    """A message of a topic that pipelines listen to. `topic` is spelled as they spell it."""

    topic: str
    id: str
    data: bytes = b""
    attributes: dict[str, str] = {}


class Tick(msgspec.Struct, frozen=True):
    """The time of a schedule has come. `time` (µs) is the logical one: when it was due, not told."""

    pipeline: str
    schedule: str
    """Its name, see `schedules.name`."""
    time: int
