"""A fact starts what waits for it, under an id of its own data; one's trouble is none of another's."""

from collections.abc import Mapping
from typing import Any

import pytest
from onward.core.errors import NotFound, UserError
from onward.core.events import RunEnded, StartRun
from onward.core.facts import ByHand, Message, Tick
from onward.core.matching import ObjectArrival
from onward.core.pipeline import (
    MessageTrigger,
    ObjectTrigger,
    Param,
    Pipeline,
    PipelineTrigger,
    Python,
    ScheduleTrigger,
    Step,
    Trigger,
)
from onward.core.plan import Plan, compile_plan
from onward.core.schedules import name
from onward.core.starting import MOST_HOPS, Fact, Refused, another_try, by_hand, starts
from onward.core.state import Run, RunState

MONDAY = 1_793_606_400_000_000
"""2026-11-02T03:00:00 in New York, the night after the one in which summer time ended there."""
DATE = Param("date", "date")
FILE = ObjectArrival("landing", "stations/2026-11-22/7.csv", "1", 10)


def pipeline(*triggers: Trigger, called: str = "weather", params: tuple[Param, ...] = (DATE,)) -> Pipeline:
    return Pipeline(called, (Step("only", Python("a.py", "f")),), triggers=triggers, params=params)


class Deployed:
    """Pipelines, and plans of those that have one."""

    def __init__(self, *pipelines: Pipeline, without: str = "") -> None:
        self.pipelines: Mapping[str, Pipeline] = {each.name: each for each in pipelines}
        self._without = without

    def plan(self, name: str) -> Plan:
        if name == self._without or name not in self.pipelines:
            raise NotFound(f"no pipeline is named {name}")
        return compile_plan(self.pipelines[name], {"zone": "north"}, {})


def started(fact: Fact, *pipelines: Pipeline, deployment: str = "") -> list[StartRun]:
    outcomes = list(starts(fact, Deployed(*pipelines), deployment))
    assert all(isinstance(each, StartRun) for each in outcomes), outcomes
    return [each for each in outcomes if isinstance(each, StartRun)]


def refused(fact: Fact, *pipelines: Pipeline) -> str:
    (only,) = starts(fact, Deployed(*pipelines))
    assert isinstance(only, Refused)
    return only.reason


STATIONS = ObjectTrigger("landing", ("stations/{date}/*.csv",))


def test_the_ids_of_runs_are_those_of_earlier_versions() -> None:
    """A redelivery after an upgrade must find the run that the version before has started."""
    by_object = pipeline(STATIONS)
    assert [each.run for each in started(FILE, by_object)] == ["38a827cf8e429a296e32"]
    assert [each.run for each in started(FILE, by_object, deployment="team")] == ["6ca7c0482bd2a49438c2"]
    asked = ByHand("weather", {"date": "2026-11-22"}, "k")
    assert by_hand(asked, Deployed(pipeline())).run == "74a93786bba9f8f45186"
    assert by_hand(asked, Deployed(pipeline()), "team").run == "d799d89ef6bca9f78c49"


def test_an_object_starts_every_pipeline_that_waits_for_it_each_with_what_it_captures() -> None:
    other = pipeline(ObjectTrigger("landing", ("**",)), called="audit", params=())
    elsewhere = pipeline(ObjectTrigger("work", ("**",)), called="elsewhere", params=())
    first, second = started(FILE, pipeline(STATIONS), other, elsewhere)
    assert (first.pipeline, first.params) == ("weather", {"date": "2026-11-22"})
    assert (second.pipeline, second.params) == ("audit", {})
    assert first.trigger == {
        "on": "object",
        "date": "2026-11-22",
        "uri": "gs://landing/stations/2026-11-22/7.csv",
        "bucket": "landing",
        "name": "stations/2026-11-22/7.csv",
        "generation": "1",
        "size": 10,
    }


def test_what_a_name_captures_never_hides_what_the_object_is() -> None:
    sly = pipeline(ObjectTrigger("landing", ("stations/{uri}/{on}.csv",)), params=())
    reason = refused(FILE, sly)  # neither is a parameter, so the loader refuses it before
    assert "no parameter is named `uri`" in reason
    texts = tuple(Param(name, "string") for name in ("uri", "on"))
    (only,) = started(FILE, pipeline(*sly.triggers, params=texts))
    assert only.trigger["uri"] == "gs://landing/stations/2026-11-22/7.csv"
    assert only.trigger["on"] == "object"


def test_one_pipelines_trouble_is_none_of_anothers() -> None:
    number = Param("date", "int")
    deployed = Deployed(
        pipeline(STATIONS, called="a", params=(number,)),
        pipeline(STATIONS, called="b"),
        pipeline(STATIONS, called="c"),
        without="c",
    )
    first, second, third = starts(FILE, deployed)
    assert first == Refused(
        "a",
        "`gs://landing/stations/2026-11-22/7.csv` does not start a: "
        "the parameter `date` must be a whole number, not `2026-11-22`",
    )
    assert isinstance(second, StartRun)
    assert isinstance(third, Refused)


def test_a_pipeline_nobody_asked_for_is_refused_by_hand() -> None:
    with pytest.raises(UserError, match="no pipeline is named wether"):
        by_hand(ByHand("wether"), Deployed(pipeline()))


def test_a_run_by_hand_keeps_whether_it_was_forced() -> None:
    deployed = Deployed(pipeline())
    assert by_hand(ByHand("weather", {"date": "2026-11-22"}, "k", force=True), deployed).trigger == {
        "on": "hand",
        "key": "k",
        "force": True,
    }
    assert "force" not in by_hand(ByHand("weather", {"date": "2026-11-22"}, "k"), deployed).trigger


ORDERS = MessageTrigger("orders", {"kind": "new", "source": "*"})


def message(data: bytes, id: str = "17", **attributes: str) -> Message:  # noqa: A002
    return Message("orders", id, data, {"kind": "new", "source": "shop", **attributes})


def test_a_message_starts_a_run_with_the_fields_that_are_parameters() -> None:
    given = message(b'{"date": "2026-11-22", "total": 3, "note": null, "deep": {"a": [1]}}', limit="5")
    params = (DATE, Param("limit", "int"), Param("note", "string", required=False))
    (start,) = started(given, pipeline(ORDERS, params=params))
    assert start.params == {"date": "2026-11-22", "limit": 5, "note": None}
    assert start.trigger == {"on": "message", "topic": "orders", "id": "17", "key": "17"}


def test_the_body_counts_before_the_attributes() -> None:
    (start,) = started(message(b'{"date": "2026-11-22"}', date="2020-01-01"), pipeline(ORDERS))
    assert start.params == {"date": "2026-11-22"}


def test_a_message_starts_those_whose_filter_it_passes() -> None:
    passing = message(b'{"date": "2026-11-22"}')
    changed = pipeline(MessageTrigger("orders", {"kind": "changed"}), called="changed")
    more = pipeline(MessageTrigger("orders", {"missing": "*"}), called="more")
    other = pipeline(MessageTrigger("sales"), called="sales")
    all_of_it = pipeline(MessageTrigger("orders"), called="all")
    runs = started(passing, changed, more, other, pipeline(ORDERS), all_of_it)
    assert [each.pipeline for each in runs] == ["weather", "all"]


def test_the_publishers_key_is_the_same_run_and_no_messages_id() -> None:
    def run(given: Message) -> str:
        return started(given, pipeline(ORDERS))[0].run

    data = b'{"date": "2026-11-22"}'
    assert run(message(data, "1", key="k")) == run(message(data, "2", key="k"))
    assert run(message(data, "1")) != run(message(data, "2"))
    assert run(message(data, "1")) == run(message(b'{"date": "2020-01-01"}', "1"))
    assert run(message(data, "1")) != run(message(data, "2", key="1"))


def test_params_are_templates_over_the_message() -> None:
    trigger = MessageTrigger(
        "orders", params={"date": "{{ data.day }}", "where": "{{ attributes.source }}-{{ env.zone }}"}
    )
    where = Param("where", "string")
    (start,) = started(message(b'{"day": "20261122"}'), pipeline(trigger, params=(DATE, where)))
    assert start.params == {"date": "2026-11-22", "where": "shop-north"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"no json", "the message's data must be JSON"),
        (b"\xff\xfe", "the message's data must be JSON"),
        (b"[" * 100_000, "the message's data must be JSON"),
        (b"[1]", "the message's data must be a JSON object, not a list"),
        (b'"text"', "the message's data must be a JSON object"),
        (b"{}", "the parameter `date` (date) is missing"),
        (b"", "the parameter `date` (date) is missing"),
        (b'{"date": null}', "the parameter `date` (date) is missing"),
        (b'{"date": "yesterday"}', "the parameter `date` must be a date such as 2026-11-22"),
        (b'{"date": {"year": 2026}}', "the parameter `date` must be a date such as 2026-11-22"),
        (b'{"date": 1e999}', "the message's data must be JSON"),
        (b'{"date": "' + b"x" * 10_000_000 + b'"}', "the parameter `date` must be a date"),
    ],
)
def test_a_body_that_fits_none_is_refused_with_its_reason(data: bytes, why: str) -> None:
    reason = refused(message(data), pipeline(ORDERS))
    assert why in reason
    assert reason.startswith("message `17` of `orders` does not start weather: ")
    assert len(reason) < 1_000


def test_a_template_that_the_body_does_not_fit_is_refused_with_its_reason() -> None:
    trigger = MessageTrigger("orders", params={"date": "{{ data.day }}"})
    assert "there is no `day` in `data`" in refused(message(b"{}"), pipeline(trigger))


def test_of_a_field_that_is_there_twice_the_last_counts() -> None:
    (start,) = started(message(b'{"date": "2020-01-01", "date": "2026-11-22"}'), pipeline(ORDERS))
    assert start.params == {"date": "2026-11-22"}


DAILY = ScheduleTrigger("0 9 * * *", "America/New_York", {"date": "{{ (time - timedelta(days=1)).date() }}"})


def test_a_schedule_starts_a_run_of_its_time_as_clocks_there_show_it() -> None:
    daily = pipeline(DAILY)
    tick = Tick("weather", name(daily, 0), MONDAY)
    (start,) = started(tick, daily, pipeline(DAILY, called="other"))
    assert start.params == {"date": "2026-11-01"}
    assert start.trigger == {
        "on": "schedule",
        "schedule": name(daily, 0),
        "time": "2026-11-02T03:00:00-05:00",
    }
    assert started(tick, daily)[0].run == start.run
    assert started(Tick("weather", name(daily, 0), MONDAY + 1), daily)[0].run != start.run


def test_a_schedules_name_stays_the_same_when_others_come_and_go() -> None:
    hourly = ScheduleTrigger("0  * * * *")
    alone = pipeline(DAILY)
    among = pipeline(STATIONS, hourly, DAILY, DAILY)
    assert name(alone, 0) == name(among, 2)
    assert len({name(among, number) for number in (1, 2, 3)}) == 3
    assert name(among, 1) == name(pipeline(ScheduleTrigger("0 * * * *")), 0)


def test_the_end_of_a_run_starts_those_that_wait_for_it() -> None:
    ended = RunEnded("0" * 20, "weather", "succeeded", {"date": "2026-11-22", "limit": 3}, {"on": "hand"})
    source = pipeline()
    follower = pipeline(PipelineTrigger(("weather",)), called="report")
    failing = pipeline(PipelineTrigger(("weather",), ("failed", "cancelled")), called="clean-up")
    (start,) = started(ended, source, follower, failing)
    assert (start.pipeline, start.params) == ("report", {"date": "2026-11-22"})
    assert start.trigger == {
        "on": "pipeline",
        "run": "0" * 20,
        "pipeline": "weather",
        "state": "succeeded",
        "hops": 1,
    }


def test_params_are_templates_over_the_run_that_ended() -> None:
    ended = RunEnded("0" * 20, "weather", "failed", {"date": "2026-11-22"})
    given: dict[str, Any] = {"year": "{{ params.date.year }}", "why": "{{ run.id }} {{ run.state }}"}
    params = (Param("year", "int"), Param("why", "string"))
    follower = pipeline(PipelineTrigger(("weather",), ("failed",), given), called="tell", params=params)
    (start,) = started(ended, pipeline(), follower)
    assert start.params == {"year": 2026, "why": f"{'0' * 20} failed"}


def test_each_try_of_a_run_ends_for_itself() -> None:
    follower = pipeline(PipelineTrigger(("weather",)), called="report", params=())
    first, second = (RunEnded("0" * 20 + n, "weather", "succeeded") for n in ("", "~2"))
    assert started(first, follower)[0].run != started(second, follower)[0].run


@pytest.mark.parametrize("hops", [MOST_HOPS - 1, MOST_HOPS])
def test_the_16th_run_in_a_row_is_started_and_the_17th_is_not(hops: int) -> None:
    follower = pipeline(PipelineTrigger(("weather",)), called="report", params=())
    ended = RunEnded("0" * 20, "weather", "succeeded", {}, {"on": "pipeline", "hops": hops})
    (only,) = starts(ended, Deployed(follower))
    assert isinstance(only, StartRun if hops < MOST_HOPS else Refused)


# Another try --------------------------------------------------------------

RUN = "a" * 20
AS_IT_WAS = compile_plan(Pipeline("p", (Step("a", Python("a.py", "a")),), params=(DATE, Param("old", "int"))))


def ended(state: RunState = RunState.FAILED, **params: object) -> Run:
    given = {"date": "2026-11-22", "old": 3} | params
    return Run("p", AS_IT_WAS.name, state, 1, given, {"on": "hand", "force": True}, ended=2)


def test_another_try_is_the_same_run_again_by_its_own_plan() -> None:
    assert another_try(RUN, ended()) == StartRun(
        f"{RUN}~2", "p", AS_IT_WAS.name, {"date": "2026-11-22", "old": 3}, {"on": "hand", "force": True}
    )


def test_another_try_by_the_newest_plan_has_the_parameters_of_that() -> None:
    rows = Param("rows", "int", required=False, default=5)
    newest = compile_plan(Pipeline("p", (Step("a", Python("a.py", "a")),), params=(DATE, rows)))
    start = another_try(f"{RUN}~2", ended(), newest)
    assert (start.run, start.plan) == (f"{RUN}~3", newest.name)
    assert start.params == {"date": "2026-11-22", "rows": 5}


def test_another_try_by_a_newest_plan_that_asks_for_more_is_refused() -> None:
    newest = compile_plan(
        Pipeline("p", (Step("a", Python("a.py", "a")),), params=(DATE, Param("by", "string")))
    )
    with pytest.raises(UserError, match=r"the parameter `by` \(string\) is missing"):
        another_try(RUN, ended(), newest)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (RunState.RUNNING, "it can be tried again when it has ended"),
        (RunState.CANCELLING, "it can be tried again when it has ended"),
        (RunState.SUCCEEDED, "there is nothing to try again"),
    ],
)
def test_only_a_run_that_ended_otherwise_is_tried_again(state: RunState, why: str) -> None:
    with pytest.raises(UserError, match=why):
        another_try(RUN, ended(state))


def test_of_several_triggers_of_a_pipeline_that_fit_a_fact_the_first_starts_its_run() -> None:
    urgent = MessageTrigger("orders", {"kind": "new"}, {"date": "2020-01-01"})
    several = pipeline(MessageTrigger("orders", {"kind": "old"}), urgent, ORDERS)
    (start,) = started(message(b'{"date": "2026-11-22"}'), several)
    assert start.params == {"date": "2020-01-01"}


def test_a_pipeline_with_triggers_of_several_kinds_is_started_by_each_of_them() -> None:
    several = pipeline(STATIONS, ORDERS, DAILY, PipelineTrigger(("extract",)))
    ended = RunEnded("0" * 20, "extract", "succeeded", {"date": "2026-11-22"})
    tick = Tick("weather", name(several, 2), MONDAY)
    facts: list[Fact] = [FILE, message(b'{"date": "2026-11-22"}'), tick, ended]
    runs = [start for fact in facts for start in started(fact, several)]
    assert [start.trigger["on"] for start in runs] == ["object", "message", "schedule", "pipeline"]
    assert len({start.run for start in runs}) == 4
