"""What Cloud Scheduler is to the cloud: rings at the times of the pipelines' schedules.

The state keeps the last time of each schedule that was dealt with. It is written after the runs of that time
are committed: what a crash left in between is rung again, and is the same runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from onward.core.commands import Put
from onward.core.facts import Tick
from onward.core.pipeline import MINUTE, SECOND, Pipeline, ScheduleTrigger
from onward.core.schedules import FRESH, due, following, name, timing
from onward.core.state import PipelineKey, PipelineState
from onward.ports import Clock, Store, Write

LONGEST = FRESH - MINUTE
"""The loop waits no longer: its clock stops while the machine sleeps, and hears of no new time."""


class _Schedule(NamedTuple):
    pipeline: str
    name: str
    cron: str
    time_zone: str
    catch_up: str


class Schedules:
    """`ring` takes each tick in, and calls back once all that it starts is committed."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        store: Store,
        pipelines: Callable[[], Iterable[Pipeline]],
        ring: Callable[[Tick, Callable[[], None]], None],
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._store = store
        self._pipelines = pipelines
        self._ring = ring
        self._dealt: dict[str, int] = {}
        """By name, up to when it was told in this process."""
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Ring what is due, and again when something will be."""
        self.stop()
        now = self._clock.now()
        schedules = list(_schedules(self._pipelines()))
        coming = [following(each.cron, each.time_zone, now) or now + LONGEST for each in schedules]
        if coming:
            wait = min(min(coming) - now, LONGEST) / SECOND
            self._timer = self._loop.call_later(wait, self.start)
        for each in schedules:
            self._tell(each, now)

    def stop(self) -> None:
        """Ring nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self, schedule: _Schedule, now: int) -> None:
        since = self._dealt.get(schedule.name)
        begins = since is None
        if since is None:
            ticks = self._state(schedule.pipeline)[0].ticks
            since = ticks.get(schedule.name, now)  # what came before it was there is none of its times
        # After a clock was set back, `since` is to come: nothing is due, and from here on `now` counts.
        times = due(schedule.cron, schedule.time_zone, since, now, schedule.catch_up)
        self._dealt[schedule.name] = now
        if begins and not times:
            self._save(schedule, now)
        for time in times:
            tick = Tick(schedule.pipeline, schedule.name, time)
            self._ring(tick, lambda tick=tick: self._save(schedule, tick.time))  # type: ignore[misc]

    def _state(self, pipeline: str) -> tuple[PipelineState, int]:
        key = PipelineKey(pipeline)
        found = self._store.read([key]).get(key)
        if found is None or not isinstance(found.doc, PipelineState):
            return PipelineState(), 0
        return found.doc, found.version

    def _save(self, schedule: _Schedule, time: int) -> None:
        state, version = self._state(schedule.pipeline)
        if state.ticks.get(schedule.name, 0) < time:
            ticks = {**state.ticks, schedule.name: time}
            write = Write(Put(PipelineKey(schedule.pipeline), replace(state, ticks=ticks)), version)
            self._store.commit([write])


def _schedules(pipelines: Iterable[Pipeline]) -> Iterator[_Schedule]:
    for pipeline in pipelines:
        for number, trigger in enumerate(pipeline.triggers):
            if (when := timing(trigger)) is not None:
                catch_up = trigger.catch_up if isinstance(trigger, ScheduleTrigger) else "last"
                yield _Schedule(pipeline.name, name(pipeline, number), *when, catch_up)
