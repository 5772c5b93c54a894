"""Runs that wait for `max_runs_per_hour` are told of: once when they begin to wait, not for each."""

from __future__ import annotations

import json

import pytest
from onward import wiring
from onward.core.errors import Conflict
from onward.core.events import Grant
from onward.core.pipeline import HOUR, MINUTE
from onward.core.state import RunState
from unit.shelf import Shelf, step

RUNS = [f"{number:020d}" for number in range(9)]


class Crowd:
    """A pipeline that may start two runs in an hour, and what is told of it."""

    def __init__(self, *, alone: bool) -> None:
        self.shelf = Shelf(step("a"), alone=alone)
        self.shelf.engine.limit = {"hour:p": 2}.get
        self.told: list[str] = []
        self.shelf.engine.on_crowded = self.told.append

    def start(self, *runs: str) -> None:
        for run in runs:
            self.shelf.engine.handle(self.shelf.start_event(run))
            self.follow()

    def follow(self) -> None:
        """What was published comes."""
        while self.shelf.published:
            self.shelf.engine.handle(self.shelf.published.pop(0))

    def ring(self) -> None:
        """Every timer whose time has come rings, those that rang before, too."""
        for timer in [each for each in self.shelf.timers if each.at <= self.shelf.time]:
            self.shelf.engine.handle(timer.event)
            self.follow()

    def states(self, *runs: str) -> list[RunState]:
        return [self.shelf.run(run).state for run in runs]


@pytest.fixture(params=[True, False], ids=["embedded", "cloud"])
def crowd(request: pytest.FixtureRequest) -> Crowd:
    return Crowd(alone=request.param)


def test_nothing_is_told_while_the_hour_has_room(crowd: Crowd) -> None:
    crowd.start(*RUNS[:2])
    assert crowd.told == []


def test_that_runs_wait_for_the_hour_is_told_once_and_not_for_each(crowd: Crowd) -> None:
    crowd.start(*RUNS[:6])
    assert crowd.states(*RUNS[2:6]) == [RunState.QUEUED] * 4
    assert crowd.told == ["p"]


def test_redelivered_events_tell_it_no_second_time(crowd: Crowd) -> None:
    crowd.start(*RUNS[:3])
    crowd.start(*RUNS[:3])
    crowd.shelf.engine.handle(Grant("runs:p", RUNS[2]))
    crowd.shelf.time += 30 * MINUTE
    crowd.ring()
    crowd.start(RUNS[2])
    assert crowd.states(RUNS[2]) == [RunState.QUEUED]
    assert crowd.told == ["p"]


def test_what_was_not_committed_is_not_told(crowd: Crowd) -> None:
    crowd.start(*RUNS[:2])
    crowd.shelf.store.errors += [Conflict("another was faster")]
    crowd.start(RUNS[2])
    assert crowd.told == ["p"]


def test_runs_that_wait_again_later_are_told_of_again(crowd: Crowd) -> None:
    crowd.start(*RUNS[:3])
    crowd.shelf.time += 2 * HOUR
    crowd.ring()
    assert crowd.states(RUNS[2]) == [RunState.RUNNING]
    assert crowd.told == ["p"]
    crowd.start(*RUNS[3:6])
    assert crowd.told == ["p", "p"]


def test_the_line_names_the_pipeline_and_is_one_that_the_alert_waits_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wiring._tell_crowded("p")
    line = json.loads(capsys.readouterr().out)
    assert (line["run_state"], line["pipeline"], line["severity"]) == ("crowded", "p", "WARNING")
    assert line["message"].startswith("runs of p wait")
