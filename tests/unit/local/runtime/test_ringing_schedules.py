"""The laptop's schedules: no time is missed that its file asks for, and none is rung for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from onward.core.facts import Tick
from onward.core.pipeline import DAY, HOUR, MINUTE, Pipeline, ScheduleTrigger
from onward.core.schedules import name, spoken
from onward.local.schedules import LONGEST, Schedules
from onward.stores.memory import MemoryStore

NOON = 1_793_620_800_000_000
"""2026-11-02T12:00:00Z."""


class World:
    """A loop that only takes note, a clock that is set by hand, and the ticks that were rung."""

    def __init__(self, *triggers: ScheduleTrigger, now: int = NOON) -> None:
        self.pipelines = [Pipeline("p", (), triggers=triggers)]
        self.store = MemoryStore()
        self.at = now
        self.rung: list[Tick] = []
        self.waits: list[float] = []
        self.dies = False
        self.begin()

    def begin(self) -> None:
        self.schedules = Schedules(self, self, self.store, lambda: self.pipelines, self.ring)  # type: ignore[arg-type]
        self.schedules.start()

    def now(self) -> int:
        return self.at

    def call_later(self, wait: float, _: Callable[[], None]) -> asyncio.TimerHandle:
        self.waits.append(wait)
        return _Handle()  # type: ignore[return-value]

    def ring(self, tick: Tick, done: Callable[[], None]) -> None:
        self.rung.append(tick)
        if not self.dies:
            done()

    def times(self) -> list[str]:
        found, self.rung = self.rung, []
        return [spoken(tick.time)[5:16] for tick in found]

    def look(self, at: int) -> list[str]:
        self.at = at
        self.schedules.start()
        return self.times()


class _Handle:
    def cancel(self) -> None:
        pass


def hourly(catch_up: str = "last") -> ScheduleTrigger:
    return ScheduleTrigger("0 * * * *", catch_up=catch_up)


def test_a_time_is_rung_once_when_it_has_come() -> None:
    world = World(hourly(), now=NOON - MINUTE)
    assert world.look(NOON - 1) == []
    assert world.look(NOON) == ["11-02T12:00"]
    assert world.look(NOON + 1) == []
    assert world.look(NOON + HOUR + 1) == ["11-02T13:00"]


def test_a_new_schedule_begins_now() -> None:
    assert World(hourly("all")).times() == []


def test_the_loop_waits_for_the_next_time_but_not_longer_than_its_own_clock_is_trusted() -> None:
    assert World(hourly(), now=NOON + 59 * MINUTE).waits == [60.0]
    assert World(hourly()).waits == [LONGEST / 1_000_000]
    assert World().waits == []


@pytest.mark.parametrize(
    ("catch_up", "found"),
    [("all", ["11-02T13:00", "11-02T14:00", "11-02T15:00"]), ("last", ["11-02T15:00"]), ("none", [])],
)
def test_what_was_missed_while_it_was_down_is_made_up_for_as_the_file_says(
    catch_up: str, found: list[str]
) -> None:
    world = World(hourly(catch_up))
    world.at += 3 * HOUR + 30 * MINUTE
    world.begin()
    assert world.times() == found
    world.begin()
    assert world.times() == []


@pytest.mark.parametrize("catch_up", ["all", "last", "none"])
def test_a_start_at_the_very_time_is_no_miss(catch_up: str) -> None:
    world = World(hourly(catch_up), now=NOON - 1)
    world.at = NOON + 1
    world.begin()
    assert world.times() == ["11-02T12:00"]


def test_a_machine_that_slept_makes_up_for_it_likewise() -> None:
    assert World(hourly("all")).look(NOON + 2 * HOUR) == ["11-02T13:00", "11-02T14:00"]
    assert World(hourly("last")).look(NOON + 2 * HOUR + 30 * MINUTE) == ["11-02T14:00"]


def test_of_very_many_the_last_thousand_are_made_up_for() -> None:
    world = World(ScheduleTrigger("* * * * *", catch_up="all"))
    world.at += 30 * DAY
    world.begin()
    assert len(world.rung) == 1_000
    assert (world.rung[0].time, world.rung[-1].time) == (world.at - 999 * MINUTE, world.at)


def test_what_a_crash_left_uncommitted_is_rung_again() -> None:
    world = World(hourly("all"))
    world.dies = True
    assert world.look(NOON + HOUR) == ["11-02T13:00"]
    world.dies = False
    world.begin()
    assert world.times() == ["11-02T13:00"]
    world.begin()
    assert world.times() == []


def test_a_clock_that_is_set_back_stops_no_schedule() -> None:
    """The times that come again are the same runs."""
    world = World(hourly("all"), now=NOON + 365 * DAY)
    assert world.look(NOON) == []
    assert world.look(NOON + HOUR) == ["11-02T13:00"]
    world.begin()
    assert world.look(NOON + 2 * HOUR) == ["11-02T14:00"]


def test_each_schedule_of_a_file_is_on_its_own() -> None:
    world = World(hourly(), ScheduleTrigger("30 * * * *"), ScheduleTrigger("0 * * * *", "Asia/Kolkata"))
    assert world.look(NOON + 30 * MINUTE) == ["11-02T12:30", "11-02T12:30"]
    assert world.look(NOON + HOUR) == ["11-02T13:00"]


def test_an_edit_counts_from_the_next_look_on() -> None:
    world = World(hourly())
    world.pipelines = [Pipeline("p", (), triggers=(ScheduleTrigger("15 * * * *"),))]
    assert world.look(NOON + 10 * MINUTE) == []
    assert world.look(NOON + HOUR) == ["11-02T12:15"]
    assert dict.fromkeys(_ticks(world)) == {
        name(Pipeline("p", (), triggers=(trigger,)), 0): None
        for trigger in (hourly(), ScheduleTrigger("15 * * * *"))
    }


def _ticks(world: World) -> Any:
    return world.schedules._state("p")[0].ticks
