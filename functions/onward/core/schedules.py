"""Times: what a trigger's time is called, and how it is told."""

from __future__ import annotations

from datetime import UTC, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from onward.core.errors import UserError
from onward.core.facts import Tick
from onward.core.naming import schedule_name
from onward.core.params import Moment
from onward.core.pipeline import AbsentTrigger, Pipeline, ScheduleTrigger, Trigger
from onward.core.problems import shown

_EPOCH = Moment(1970, 1, 1, tzinfo=UTC)


def timing(trigger: Trigger) -> tuple[str, str] | None:
    """The cron expression and the time zone of a trigger that times ring; None: it is none of these."""
    match trigger:
        case ScheduleTrigger(cron=cron, time_zone=zone):
            return " ".join(cron.split()), zone
        case AbsentTrigger(at=at, days=days, time_zone=zone):
            hour, minute = at.split(":")
            return f"{int(minute)} {int(hour)} * * {days}", zone
        case _:
            return None


def name(pipeline: Pipeline, number: int) -> str:
    """The name of a timed trigger: of its times, so that the others of the file may come and go.

    It is part of the ids of its runs.
    """
    kinds = [(type(each), timing(each)) for each in pipeline.triggers[: number + 1]]
    own = kinds[number]
    assert own[1] is not None
    alike = kinds.count(own)
    called = schedule_name(pipeline.name, str(pipeline.triggers[number].__struct_config__.tag), *own[1])
    return called if alike == 1 else f"{called}-{alike}"


def is_named(pipeline: Pipeline, number: int, tick: Tick) -> bool:
    """Whether the tick is one of this trigger."""
    return tick.pipeline == pipeline.name and tick.schedule == name(pipeline, number)


@lru_cache(256)
def zone(time_zone: str) -> ZoneInfo:
    """Raises `UserError`."""
    try:
        return ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError):
        raise UserError(
            f"there is no time zone {shown(time_zone)}; write one such as Europe/Stockholm"
        ) from None


def moment(time: int, time_zone: str = "UTC") -> Moment:
    """The time (µs) as clocks of that zone show it. Raises `UserError`."""
    found = (_EPOCH + timedelta(microseconds=time)).astimezone(zone(time_zone))
    assert isinstance(found, Moment)
    return found


def spoken(time: int, time_zone: str = "UTC") -> str:
    """The same as ISO 8601 with its offset."""
    return moment(time, time_zone).isoformat()
