"""The document of a backfill: what was asked for, and how far it has got."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Asked(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which partitions a backfill is about: those of some days, or those of some objects."""

    first: str = ""
    """A day, as ISO text; `last` belongs to the range."""
    last: str = ""
    each: str | None = None
    """The date parameter to which each day is bound, whatever schedule there is."""
    params: dict[str, Any] = {}
    """The other parameters, where each day is bound to one."""
    objects: str = ""
    """A glob of URIs."""
    force: bool = False
    """Run again what is done already."""


class Backfill(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="doc", tag="backfill"):
    """A list of partitions of which some are under way. What comes after `next` costs nothing yet."""

    pipeline: str
    plan: str
    """All of its runs follow this one, however long it takes."""
    asked: Asked
    at: int
    size: int
    """How many of its runs may be under way at the same time."""
    deployment: str = ""
    list: str | None = None
    """The hash that names the pages of the frozen list; None until that is written."""
    total: int = 0
    next: int = 0
    """The first partition that nobody has looked at."""
    open: dict[str, int] = {}
    """Runs under way, and which partition each is for."""
    started: int = 0
    failed: int = 0
    """Of those that have ended: how many did not succeed."""
    stopped: int | None = None
    """When it was told to start no more."""
    cancels: bool = False
    """Stopped together with what was under way."""
    ended: int | None = None
    error: str | None = None


def of_trigger(trigger: Mapping[str, Any]) -> str | None:
    """The backfill that started a run."""
    found = trigger.get("backfill")
    return found if isinstance(found, str) else None


def without(trigger: Mapping[str, Any]) -> dict[str, Any]:
    """The same facts for a run that is no backfill's any more: somebody tries it again."""
    return {name: value for name, value in trigger.items() if name != "backfill"}
