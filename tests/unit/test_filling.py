"""What is seen of a set that fills."""

from __future__ import annotations

from typing import Any

from onward.core.matching import ObjectArrival
from onward.core.pipeline import MINUTE, BatchTrigger, ObjectsTrigger, Param, Part, Pipeline, Python, Step
from onward.core.plan import Plan, compile_plan
from onward.core.starting import Refused, starts
from onward.core.state import PlanKey
from onward.filling import Filling
from unit.shelf import Shelf

DAY = (Param("day", "string"),)
PARTS = (Part("orders", "orders/{day}.csv"), Part("rates", "rates/{day}.csv"))


class Set:
    """A pipeline with one trigger, and the objects that have come."""

    def __init__(self, trigger: Any, params: tuple[Param, ...] = DAY) -> None:
        steps = (Step("a", Python("steps.py", "a")),)
        self.plan_of = compile_plan(Pipeline("p", steps, triggers=(trigger,), params=params))
        self.pipelines = {"p": self.plan_of.pipeline}
        self.shelf = Shelf(pipeline=self.plan_of.pipeline)
        self.shelf.engine.plans.add(self.plan_of)

    def plan(self, _: str) -> Plan:
        return self.plan_of

    def come(self, *names: str, body: str = "1") -> None:
        for name in names:
            self.shelf.objects[f"gs://landing/{name}"] = body.encode()
            for event in starts(ObjectArrival("landing", name, "1", 10), self):
                assert not isinstance(event, Refused)
                self.shelf.engine.handle(event)
        while self.shelf.published:
            self.shelf.engine.handle(self.shelf.published.pop(0))

    def seen(self, pipeline: str | None = None) -> list[dict[str, Any]]:
        return Filling(self.shelf.store, self.shelf).sets(pipeline)


def objects(**fields: Any) -> ObjectsTrigger:
    return ObjectsTrigger("landing", PARTS, ("day",), **fields)


def test_a_set_shows_what_is_there_and_what_is_missing() -> None:
    filling = Set(objects())
    filling.come("orders/1.csv", "orders/2.csv")
    first, second = filling.seen()
    assert (first["key"], first["missing"], first["waiting"]) == ({"day": "1"}, ["rates/1.csv"], 1)
    assert [each["name"] for each in second["here"]] == ["orders/2.csv"]
    assert first["closes"] is None
    filling.come("rates/1.csv")
    assert [each["key"] for each in filling.seen()] == [{"day": "2"}]
    assert filling.seen("other") == []


def test_a_set_that_waits_for_quiet_and_a_batch_show_when_they_close() -> None:
    quiet = Set(objects(quiet=10 * MINUTE))
    quiet.come("orders/1.csv")
    assert quiet.seen()[0]["closes"] == "2023-11-14T22:23:20.000000Z"
    batch = Set(BatchTrigger("landing", ("*.csv",), 3, MINUTE), ())
    batch.come("a.csv", "b.csv")
    (found,) = batch.seen()
    assert (found["closes"], found["missing"]) == ("2023-11-14T22:14:20.000000Z", ["1 more"])


def test_what_a_list_names_is_missing_until_it_is_there() -> None:
    listed = Set(objects(manifest="{day}.txt"))
    listed.come("orders/1.csv")
    assert listed.seen()[0]["missing"] == ["1.txt"]
    listed.come("1.txt", body="orders/1.csv\nrates/1.csv\n")
    assert listed.seen()[0]["missing"] == ["rates/1.csv"]


def test_a_plan_that_is_gone_hides_its_sets_but_breaks_nothing() -> None:
    filling = Set(objects())
    filling.come("orders/1.csv")
    del filling.shelf.store.docs[PlanKey(filling.plan_of.name)]
    assert filling.seen() == []
