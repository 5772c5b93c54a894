"""Times: when a trigger's next one is, what it is called, and how it is told.

A cron expression has five fields, as Cloud Scheduler takes them, and is read as cron itself does: where both
days of the month and of the week are restricted, either counts. A time that clocks skip in spring comes when
they have; one that they show twice in autumn comes the first time.
"""

from __future__ import annotations

import re
from collections import deque
from datetime import UTC, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from onward.core.errors import UserError
from onward.core.facts import Tick
from onward.core.naming import schedule_name
from onward.core.params import Moment
from onward.core.pipeline import HOUR, MINUTE, AbsentTrigger, Pipeline, ScheduleTrigger, Trigger
from onward.core.problems import shown

EPOCH = Moment(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_UNITS = (
    "0?[0-9]|[1-5][0-9]",
    "0?[0-9]|1[0-9]|2[0-3]",
    "0?[1-9]|[12][0-9]|3[01]",
    "0?[1-9]|1[0-2]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec",
    "[0-7]|sun|mon|tue|wed|thu|fri|sat",
)
_TERMS = (rf"(\*|({unit})(-({unit}))?)(/[1-9][0-9]?)?" for unit in _UNITS)
CRON = re.compile(r"\s+".join(f"{term}(,{term})*" for term in _TERMS), re.IGNORECASE)
"""What Terraform and Cloud Scheduler take: neither seconds, nor the extensions of some crons."""
LONGEST = 500
FRESH = 5 * MINUTE
MOST_FRESH = 8
MOST_MISSED = 1_000
SUCH_CRON = "write minute, hour, day, month, day of the week, such as `0 6 * * mon-fri`"


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


def following(cron: str, time_zone: str, after: int) -> int | None:
    """The first time (µs) after that one; None: there is none any more. Raises `UserError`."""
    from cronsim import CronSim, CronSimError

    if len(cron) > LONGEST or not CRON.fullmatch(cron.strip()):
        raise UserError(f"{shown(cron)} is not a cron expression; {SUCH_CRON}")
    start = moment(after, time_zone)
    try:
        # In the hour that autumn repeats, the expression's own clock has not told it apart from the first.
        later = (int((each - EPOCH) / MICROSECOND) for each in CronSim(cron, start))
        return next((time for time in later if time > after), None)
    except CronSimError as error:
        raise UserError(f"{shown(cron)} is not a cron expression: {error}; {SUCH_CRON}") from None
    except OverflowError:
        return None


def between(cron: str, time_zone: str, since: int, until: int, most: int) -> list[int]:
    """The last `most` times after `since`, up to and with `until`, in order. Raises `UserError`."""
    look = HOUR
    while True:
        start = max(since, until - look)
        found: deque[int] = deque(maxlen=most)
        time = following(cron, time_zone, start)
        while time is not None and time <= until:
            found.append(time)
            time = following(cron, time_zone, time)
        if start == since or len(found) == most:
            return list(found)
        look *= 4  # so that a dense schedule is not walked through from long ago


def due(cron: str, time_zone: str, since: int, now: int, catch_up: str) -> list[int]:
    """Of the times after `since` those to act on now. One that is hardly late was not missed.

    `catch_up` says what of the others: `all` (at most 1,000, the latest), the `last`, or `none`.
    """
    times = between(cron, time_zone, since, now, MOST_MISSED if catch_up == "all" else MOST_FRESH)
    fresh = [time for time in times if now - time <= FRESH]
    match catch_up:
        case "all":
            return times
        case "last":
            return fresh or times[-1:]
        case _:
            return fresh


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
    found = (EPOCH + timedelta(microseconds=time)).astimezone(zone(time_zone))
    assert isinstance(found, Moment)
    return found


def spoken(time: int, time_zone: str = "UTC") -> str:
    """The same as ISO 8601 with its offset."""
    return moment(time, time_zone).isoformat()
