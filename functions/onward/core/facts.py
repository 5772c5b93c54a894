"""Facts from outside that can start runs. Beside these: `matching.ObjectArrival`, `events.RunEnded`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class ByHand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Start this pipeline. The same key is the same run; without one, each message is a run of its own."""

    pipeline: str
    params: dict[str, Any] = {}
    key: str | None = None
    force: bool = False
    """Steps run although what they would make is there."""


class WantsBackfill(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}
):
    """Start what is missing of a range of days, or of the objects that a glob matches."""

    pipeline: str
    first: str = ""
    last: str = ""
    each: str | None = None
    params: dict[str, Any] = {}
    objects: str = ""
    parallel: int = 4
    force: bool = False
    key: str | None = None
    """The same key is the same backfill."""
    command: Literal["backfill"] = "backfill"


class StopsBackfill(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Start no more of a backfill. `running`: and cancel what is under way, too."""

    backfill: str
    running: bool = False
    command: Literal["stop-backfill"] = "stop-backfill"


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
