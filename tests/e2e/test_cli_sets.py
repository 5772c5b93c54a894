"""`onward sets`: what fills, as people and as scripts see it."""

from __future__ import annotations

from pathlib import Path

import pytest
from onward.core.commands import Put
from onward.core.pipeline import ObjectsTrigger, Param, Part, Pipeline, Python, Step
from onward.core.plan import compile_plan
from onward.core.state import Member, MemberKey, Set, SetKey
from onward.plans import Plans
from onward.ports import Write
from onward.stores.sqlite import SqliteStore

from e2e.cli_harness import Project

AT = 1_700_000_000_000_000
TRIGGER = ObjectsTrigger("landing", (Part("orders", "{day}.csv"), Part("rates", "{day}.json")), ("day",))
PLAN = compile_plan(
    Pipeline("join", (Step("a", Python("a.py", "a")),), triggers=(TRIGGER,), params=(Param("day", "string"),))
)


@pytest.fixture
def filling(project: Project) -> Project:
    project.state.mkdir(parents=True, exist_ok=True)
    store = SqliteStore(Path(project.state / "state.db"))
    Plans(store).add(PLAN)
    found = Set("join", PLAN.name, 0, {"day": "monday\x1b[31m"}, AT, parts=("orders",), due=AT)
    member = Member(AT, {"name": "monday.csv"}, "orders")
    store.commit([Write(Put(SetKey("s"), found), 0), Write(Put(MemberKey("s", "m"), member), 0)])
    store.close()
    return project


def test_a_set_that_fills_is_listed_with_what_is_missing(filling: Project) -> None:
    shown = filling.command("sets").stdout
    assert "join" in shown
    assert "monday" in shown
    assert ".json" in shown
    assert "\x1b" not in shown


def test_scripts_get_all_of_it(filling: Project) -> None:
    (found,) = filling.json("sets", "join")
    assert (found["waiting"], found["trigger"], found["round"]) == (1, "objects", 1)
    assert found["here"] == [{"part": "orders", "name": "monday.csv", "at": "2023-11-14T22:13:20.000000Z"}]
    assert filling.json("sets", "other") == []


def test_where_nothing_fills_that_is_said(project: Project) -> None:
    assert project.command("sets").stdout.startswith("no set is filling")
    assert project.json("sets") == []
