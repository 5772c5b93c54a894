"""Which sets a fact is a member of: for the triggers that start one run for several facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from onward.core.events import RunEnded
from onward.core.facts import Tick
from onward.core.matching import ObjectArrival
from onward.core.pipeline import AbsentTrigger, BatchTrigger, ObjectsTrigger, Pipeline, PipelineTrigger


class Join(msgspec.Struct, frozen=True):
    """One member of one set."""

    set: str
    member: str
    key: dict[str, str] = {}
    """The captures in which the set's members agree."""
    part: str = ""
    """Which of the set's parts it is."""
    facts: dict[str, Any] = {}
    """What the run that the set starts will know of it."""


class Joins(tuple[Join, ...]):
    """The sets that a fact is a member of."""

    __slots__ = ()


def of_object(
    pipeline: Pipeline,  # noqa: ARG001
    number: int,  # noqa: ARG001
    trigger: ObjectsTrigger | BatchTrigger | AbsentTrigger,  # noqa: ARG001
    arrival: ObjectArrival,  # noqa: ARG001
) -> Joins:
    """What an object is to the pipeline's trigger of this number. Raises `UserError`."""
    return Joins()


def of_time(
    pipeline: Pipeline,  # noqa: ARG001
    number: int,  # noqa: ARG001
    trigger: AbsentTrigger,  # noqa: ARG001
    tick: Tick,  # noqa: ARG001
) -> Joins:
    """What the time of day by which an object is expected is to this trigger. Raises `UserError`."""
    return Joins()


def of_run(
    pipeline: Pipeline,  # noqa: ARG001
    number: int,  # noqa: ARG001
    trigger: PipelineTrigger,  # noqa: ARG001
    ended: RunEnded,  # noqa: ARG001
    facts: Mapping[str, Any],  # noqa: ARG001
) -> Joins:
    """What the end of one of several pipelines' runs is to this trigger. Raises `UserError`."""
    return Joins()
