from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from onward.core.backfill import Asked, Backfill
from onward.core.commands import SetTimer
from onward.core.errors import Unavailable
from onward.core.events import (
    Admitted,
    Announced,
    Arrive,
    Arrived,
    BeginBackfill,
    Bell,
    CancelNode,
    CancelRun,
    Event,
    Examined,
    Found,
    Frozen,
    Grant,
    HoldersGone,
    JobState,
    Joined,
    LookAtBackfill,
    ManifestRead,
    MembersFound,
    MembersSwept,
    PartitionsJudged,
    PartitionsListed,
    Room,
    RunEnded,
    SetPaused,
    SetRang,
    StartRun,
    StopBackfill,
    SubmitDelayed,
    SubmitRefused,
    Submitted,
    Sweep,
    TurnedAway,
    Verdict,
    WaitersFound,
    Wake,
)
from onward.core.facts import Tick
from onward.core.state import Waiter
from onward.ingress.envelope import Request
from onward.ingress.facts import Facts, Ignored, Poison, Rang, Result, Told
from onward.ingress.timers import parse_timer, parse_wake
from unit.ingress.envelopes import NOW, RUN, binary, payload, pushed, request

TOLD: list[Event] = [
    StartRun(RUN, "weather", "p" * 32, {"date": "2026-09-01"}, {"on": "hand"}),
    CancelRun(RUN),
    Sweep(RUN, "watch", 3),
    Wake(RUN, "clean", echo=True),
    Arrive(RUN, "~gather1", "clean"),
    CancelNode(RUN, "clean"),
    Room(RUN, "clean"),
    Bell(RUN, "clean", 2),
    RunEnded(RUN, "weather", "succeeded", {"date": "2026-09-01"}),
    Admitted(RUN, "clean", "pool:db"),
    SetRang("0" * 32),
    Grant("pool:warehouse", "left", net=True),
    TurnedAway(RUN, "runs:weather"),
    LookAtBackfill("b" * 12),
]
KEPT: list[Event] = [
    Arrived("0" * 32, "member", "weather", "p" * 32, 0),
    MembersFound("0" * 32, 1, 2),
    Frozen("0" * 32, 1),
    ManifestRead("0" * 32, 1, ("member",), 1, 1),
    MembersSwept("0" * 32, ("member",), False),
    WaitersFound("pool:warehouse", "left", False, 1, (("500", Waiter(RUN, 1)),)),
    HoldersGone("pool:warehouse", (RUN,)),
    SetPaused("weather", True, 5),
    BeginBackfill("b" * 12, Backfill("weather", "p" * 32, Asked("2026-09-01", "2026-09-02"), 1, 4)),
    StopBackfill("b" * 12, True),
    PartitionsListed("b" * 12, "0" * 16, 2),
    PartitionsJudged("b" * 12, 0, 2, ended={RUN: False}),
    Found(RUN, "watch", 1, ("clean",)),
    Submitted(RUN, "clean", 1, "job"),
    SubmitRefused(RUN, "clean", 1, "token", "no"),
    SubmitDelayed(RUN, "clean", 1, "token", "no", 5),
    Examined(RUN, "clean"),
    Joined(RUN, "clean"),
    Announced(RUN, "clean", "step_failed", 1),
    Verdict(RUN, "clean", 1, JobState.SUCCEEDED),
]


def wake(event: object) -> Result:
    return parse_wake(pushed(msgspec.json.encode(event)))


def timer(body: object) -> Result:
    return parse_timer(request(msgspec.json.encode(body)))


@pytest.mark.parametrize("event", TOLD)
def test_what_was_told_comes_back_as_it_was(event: Event):
    assert wake(event) == Facts((Told(event),))
    set_timer = SetTimer("0" * 32, 5, event)
    assert timer(set_timer) == Facts((Rang(set_timer),))


@pytest.mark.parametrize("event", KEPT)
def test_what_an_invocation_says_only_to_itself_is_not_taken_from_outside(event: Event):
    assert isinstance(wake(event), Poison)
    assert isinstance(timer(SetTimer("0" * 32, 5, event)), Poison)


def test_every_event_is_one_or_the_other():
    tags = {type(event) for event in TOLD} | {type(event) for event in KEPT}
    assert tags == set(Event.__args__)


@pytest.mark.parametrize(
    "newer",
    [
        {"event": "wake", "run": RUN, "node": "clean", "priority": 3},
        {"event": "pause", "run": RUN},
    ],
)
def test_what_a_newer_version_wrote_is_kept_until_that_version_runs(newer: dict[str, Any]):
    with pytest.raises(Unavailable, match="newer version"):
        wake(newer)
    with pytest.raises(Unavailable, match="newer version"):
        timer({"name": "n", "at": 1, "event": newer})


def test_a_timer_of_a_newer_version_is_kept():
    with pytest.raises(Unavailable, match="`zone` is of a newer version"):
        timer({"name": "n", "at": 1, "event": {}, "zone": "UTC"})


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"event": 3},
        {"event": "wake", "run": RUN},
        {"event": "wake", "run": RUN, "node": 7},
        {"event": "wake", "run": "a/b", "node": "clean"},
        {"event": "bell", "run": RUN, "node": "clean", "attempt": "2"},
    ],
)
def test_what_is_malformed_is_poison(broken: dict[str, Any]):
    assert isinstance(wake(broken), Poison)
    assert isinstance(timer({"name": "n", "at": 1, "event": broken}), Poison)


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[]", b"\xff", b" " * 15_000_001, b'{"name": "n", "at": "soon"}']
)
def test_a_body_that_is_no_timer_is_poison(body: bytes):
    assert isinstance(parse_timer(request(body)), Poison)


def test_an_event_of_eventarcs_is_no_wake():
    assert isinstance(parse_wake(binary(payload("gcs_object_finalized"))), Poison)


TICK = {"schedule": "weather-0a1b2c3d", "pipeline": "weather"}


def scheduled(time: str | None, body: object = TICK) -> Request:
    headers = {"content-type": "application/json", "x-cloudscheduler": "true"}
    return request(body, headers | ({} if time is None else {"x-cloudscheduler-scheduletime": time}))


@pytest.mark.parametrize(
    "time", ["2026-09-01T08:00:00Z", "2026-09-01T10:00:00+02:00", "2026-09-01T08:00:00.017Z"]
)
def test_a_schedules_post_is_a_tick_of_its_time_however_that_is_written(time):
    found = parse_timer(scheduled(time))
    assert found == Facts((Tick("weather", "weather-0a1b2c3d", 1_788_249_600_000_000),))


def test_a_schedule_that_is_rung_by_hand_does_not_take_the_next_times_run():
    later = (datetime.fromtimestamp(NOW / 1_000_000, UTC) + timedelta(hours=1)).isoformat()
    for time, why in ((later, "has not come"), (None, "not rung by its time")):
        found = parse_timer(scheduled(time))
        assert isinstance(found, Ignored)
        assert why in found.reason


@pytest.mark.parametrize(
    ("time", "body"),
    [
        ("yesterday", TICK),
        ("", TICK),
        ("2020-01-01T08:00:00Z", TICK),
        ("2026-09-01T08:00:00Z", {"schedule": 1, "pipeline": "weather"}),
        ("2026-09-01T08:00:00Z", {"schedule": "a"}),
        ("2026-09-01T08:00:00Z", b"no json"),
        ("2026-09-01T08:00:00Z", b"[" * 100_000),
    ],
)
def test_a_post_that_is_no_schedules_is_put_aside(time, body):
    assert isinstance(parse_timer(scheduled(time, body)), Poison)
