"""A schedule's times are those of a clock in its zone, whatever that clock is turned to."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onward.core.errors import UserError
from onward.core.schedules import EPOCH, following, moment, spoken

STOCKHOLM = "Europe/Stockholm"


def at(text: str, zone: str = "UTC") -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)) - EPOCH) // timedelta(microseconds=1)


def times(cron: str, zone: str, after: str, count: int) -> list[str]:
    found, last = [], at(after, zone)
    for _ in range(count):
        last = following(cron, zone, last) or 0
        found.append(spoken(last, zone))
    return found


def test_the_next_time_is_after_the_one_given_never_the_same() -> None:
    assert following("0 6 * * *", "UTC", at("2026-11-22T06:00:00")) == at("2026-11-23T06:00:00")
    assert following("0 6 * * *", "UTC", at("2026-11-22T05:59:59.999999")) == at("2026-11-22T06:00:00")
    assert following("0 6 * * *", "UTC", at("2026-11-22T06:00:00.000001")) == at("2026-11-23T06:00:00")


@pytest.mark.parametrize(
    ("cron", "found"),
    [
        ("*/20 8-9 * * *", ["T08:00", "T08:20", "T08:40", "T09:00"]),
        ("5,35 * * * MON-fri", ["T00:05", "T00:35", "T01:05", "T01:35"]),
    ],
)
def test_a_cron_expression_is_read_as_cron_does(cron: str, found: list[str]) -> None:
    assert times(cron, "UTC", "2026-11-23", 4) == [f"2026-11-23{each}:00+00:00" for each in found]


def test_of_a_day_of_the_month_and_one_of_the_week_either_counts() -> None:
    found = times("0 0 13 * 5", "UTC", "2026-11-12", 3)
    assert [each[:10] for each in found] == ["2026-11-13", "2026-11-20", "2026-11-27"]


def test_a_time_that_clocks_skip_comes_once_when_they_have() -> None:
    assert times("30 2 * * *", STOCKHOLM, "2026-03-28", 3) == [
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_a_time_that_clocks_show_twice_comes_once() -> None:
    assert times("30 2 * * *", STOCKHOLM, "2026-10-24", 3) == [
        "2026-10-24T02:30:00+02:00",
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]


def test_every_hour_comes_every_hour_although_clocks_show_one_twice() -> None:
    assert times("0 * * * *", STOCKHOLM, "2026-10-25T00:30", 4) == [
        "2026-10-25T01:00:00+02:00",
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


@given(
    st.sampled_from(["30 2 * * *", "0 * * * *", "*/7 1-3 * * *", "15 3 29 2 *", "59 1 * 3,10 sun"]),
    st.sampled_from(["UTC", STOCKHOLM, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
    st.integers(at("1999-01-01"), at("2040-01-01")),
)
@settings(deadline=None)
def test_time_only_goes_forward(cron: str, zone: str, after: int) -> None:
    found = following(cron, zone, after)
    assert found is not None
    assert found > after
    assert found % 60_000_000 == 0
    assert moment(found, zone).second == 0


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("", "is not"),
        ("0 6 * *", "is not"),
        ("0 0 6 * * *", "is not"),
        ("@daily", "is not"),
        ("0 0 L * *", "is not"),
        ("0 0 * * 5#2", "is not"),
        ("60 * * * *", "is not"),
        ("* 24 * * *", "is not"),
        ("*/0 * * * *", "is not"),
        ("0 0 * jam *", "is not"),
        ("0\n0 ! * *", "is not"),
        ("9" * 100_000 + " * * * *", "is not"),
        ("*" + ",*" * 1_000 + " * * * *", "is not"),
        ("5-1 * * * *", "Bad minute"),
        ("0 0 31 2 *", "Bad day-of-month"),
    ],
)
def test_a_bad_expression_is_refused_in_words(cron: str, why: str) -> None:
    with pytest.raises(UserError, match=why) as caught:
        following(cron, "UTC", 0)
    assert "such as `0 6 * * mon-fri`" in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "x" * 10_000, "Europe\0"]
)
def test_a_zone_that_is_not_there_is_refused_in_words(zone: str) -> None:
    with pytest.raises(UserError, match="there is no time zone"):
        following("0 6 * * *", zone, 0)


def test_a_leap_day_is_found_and_what_never_comes_is_none() -> None:
    assert times("0 0 29 2 *", "UTC", "2026-01-01", 2) == [
        "2028-02-29T00:00:00+00:00",
        "2032-02-29T00:00:00+00:00",
    ]


def test_in_the_hour_that_clocks_show_a_second_time_nothing_of_the_first_comes_again() -> None:
    second = at("2026-10-25T01:15")  # 02:15 in Stockholm, for the second time
    for cron in ("30 2 * * *", "*/30 2 * * *"):
        found = following(cron, STOCKHOLM, second)
        assert found is not None
        assert found > second
    assert spoken(following("30 2 * * *", STOCKHOLM, second) or 0, STOCKHOLM)[:10] == "2026-10-26"
