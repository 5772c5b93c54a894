"""What a backfill is about."""

from __future__ import annotations

import pytest
from onward.core.backfill import Asked
from onward.core.errors import UserError
from onward.core.events import StartRun
from onward.core.facts import ByHand, Tick
from onward.core.matching import ObjectArrival
from onward.core.partitions import Found, Partition, checked, partitions
from onward.core.pipeline import (
    BatchTrigger,
    ObjectTrigger,
    Param,
    Pipeline,
    Python,
    ScheduleTrigger,
    Step,
    Trigger,
)
from onward.core.plan import Plan, compile_plan
from onward.core.schedules import name
from onward.core.starting import by_hand, starts

DATE = Param("date", "date")
DAILY = ScheduleTrigger("0 6 * * *", "Europe/Stockholm", {"date": "{{ time.date() }}"})
OBJECTS = ObjectTrigger("landing", ("stations/{date}/*.csv",))


def plan(*triggers: Trigger, params: tuple[Param, ...] = (DATE,), uses: str = "{{ date }}") -> Plan:
    step = Step("a", Python("steps.py", "a", {"x": uses}))
    return compile_plan(Pipeline("p", (step,), triggers=triggers, params=params), {})


class Deployed:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.pipelines = {"p": plan.pipeline}

    def plan(self, name: str) -> Plan:  # noqa: ARG002 - there is one
        return self._plan


def of(plan: Plan, asked: Asked, *found: Found) -> list[Partition]:
    return partitions(plan, checked(asked, plan), found, "")


def started(partition: Partition) -> StartRun:
    assert partition.start is not None
    return partition.start


def days(first: str, last: str, **others: object) -> Asked:
    return Asked(first=first, last=last, **others)  # type: ignore[arg-type]


def test_without_a_schedule_each_day_is_a_run_as_by_hand_under_its_date() -> None:
    p = plan()
    found = of(p, days("2026-02-27", "2026-03-01"))
    assert [each.name for each in found] == ["2026-02-27", "2026-02-28", "2026-03-01"]
    natural = by_hand(ByHand("p", {"date": "2026-02-28"}, "date=2026-02-28"), Deployed(p))
    assert started(found[1]) == natural


def test_a_schedule_gives_its_times_of_these_days_as_it_would_have_started_them() -> None:
    p = plan(DAILY)
    found = of(p, days("2026-03-28", "2026-03-30"))
    assert [each.name for each in found] == [
        "2026-03-28T06:00:00+01:00",
        "2026-03-29T06:00:00+02:00",
        "2026-03-30T06:00:00+02:00",
    ]
    tick = Tick("p", name(p.pipeline, 0), 1_774_756_800_000_000)
    assert [started(found[1])] == list(starts(tick, Deployed(p)))
    assert started(found[1]).params == {"date": "2026-03-29"}


def test_a_day_belongs_to_the_zone_of_its_schedule() -> None:
    p = plan(ScheduleTrigger("0 0 * * *", "Pacific/Kiritimati", {"date": "{{ time.date() }}"}))
    assert [each.name for each in of(p, days("2026-01-01", "2026-01-01"))] == ["2026-01-01T00:00:00+14:00"]


def test_with_each_a_schedule_is_left_aside_and_other_parameters_may_be_given() -> None:
    p = plan(DAILY, params=(DATE, Param("region", "string")))
    found = of(p, days("2026-03-01", "2026-03-02", each="date", params={"region": "eu"}))
    assert [started(each).params for each in found] == [
        {"date": "2026-03-01", "region": "eu"},
        {"date": "2026-03-02", "region": "eu"},
    ]
    assert started(found[0]).trigger["key"] == "date=2026-03-01 region=eu"


def test_objects_that_match_are_the_runs_that_their_arrivals_would_have_started() -> None:
    p = plan(OBJECTS)
    there = [
        Found(ObjectArrival("landing", "stations/2026-03-01/a.csv", "7", 10), 5),
        Found(ObjectArrival("landing", "elsewhere/b.csv", "8", 10), 6),
        Found(ObjectArrival("landing", "stations/someday/c.csv", "9", 10), 6),
    ]
    found = of(p, Asked(objects="gs://landing/**"), *there)
    assert [each.name for each in found] == [
        "gs://landing/stations/2026-03-01/a.csv",
        "gs://landing/stations/someday/c.csv",
    ]
    assert [started(found[0])] == list(starts(there[0].object, Deployed(p)))
    assert found[0].updated == 5
    assert found[1].start is None
    assert "must be a date" in found[1].why


def test_two_deployments_backfill_to_runs_of_their_own() -> None:
    p = plan()
    asked = checked(days("2026-03-01", "2026-03-01"), p)
    assert started(partitions(p, asked, (), "a")[0]).run != started(partitions(p, asked, (), "b")[0]).run


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (Asked(), "needs the first and the last day"),
        (days("2026-03-01", ""), "needs the first and the last day"),
        (days("soon", "2026-03-01"), "must be a date such as"),
        (days("2026-03-02", "2026-03-01"), "the range begins after its end"),
        (days("2026-03-01", "9999-12-31"), "the end of all days"),
        (days("2026-03-01", "2026-03-02", each="day"), "no date parameter `day`; there are `date`"),
        (Asked(objects="landing/**"), "write gs://bucket/**"),
        (Asked(objects="gs://landing/**", first="2026-03-01"), "--objects goes alone"),
        (Asked(objects="gs://landing/**"), "has no object trigger"),
    ],
)
def test_what_can_not_be_backfilled_is_refused_with_what_to_do(asked: Asked, why: str) -> None:
    with pytest.raises(UserError) as refused:
        checked(asked, plan())
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("found", "asked", "why"),
    [
        (plan(params=()), days("2026-03-01", "2026-03-02"), "neither a schedule nor a date parameter"),
        (plan(params=(DATE, Param("to", "date"))), days("2026-03-01", "2026-03-02"), "say with --each"),
        (plan(DAILY), days("2026-03-01", "2026-03-02", params={"a": 1}), "gives its runs their parameters"),
        (
            plan(BatchTrigger("landing", ("*.csv",), 10, 60)),
            Asked(objects="gs://landing/**"),
            "starts once for several objects",
        ),
        (plan(uses="{{ trigger.uri }}"), days("2026-03-01", "2026-03-02"), "--objects"),
    ],
)
def test_a_pipeline_that_can_not_be_backfilled_so_is_told_why(found: Plan, asked: Asked, why: str) -> None:
    with pytest.raises(UserError) as refused:
        checked(asked, found)
    assert why in str(refused.value)


def test_a_range_of_too_many_partitions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onward.core.partitions.MOST", 50)
    p = plan()
    assert len(of(p, days("2026-01-01", "2026-02-19"))) == 50
    with pytest.raises(UserError, match="at most 50 partitions"):
        of(p, days("2026-01-01", "2026-02-20"))
    p = plan(ScheduleTrigger("* * * * *", "UTC", {"date": "{{ time.date() }}"}))
    asked = checked(days("2026-01-01", "2036-01-01"), p)
    with pytest.raises(UserError, match="at most 50 partitions"):
        partitions(p, asked, (), "")
