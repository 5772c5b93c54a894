"""Plans are stored once under their content's name, and a run never changes its plan."""

from __future__ import annotations

from random import Random

import pytest
from onward import plans as module
from onward.core.commands import Put
from onward.core.errors import Conflict, UserError
from onward.core.pipeline import Pipeline
from onward.core.plan import Plan, compile_plan
from onward.core.state import PlanKey, Run, RunKey, RunState
from onward.plans import Plans
from onward.ports import Write
from unit.shelf import JournalledStore, step


def plan(name: str = "p", **env: str) -> Plan:
    return compile_plan(Pipeline(name, (step("a"), step("b", "a"))), env)


def with_run(store: JournalledStore, run: str, name: str) -> None:
    store.commit([Write(Put(RunKey(run), Run("p", name, RunState.RUNNING, 1)), 0)])


def test_a_plan_comes_back_for_another_process_as_it_was() -> None:
    store = JournalledStore([])
    name = Plans(store).add(plan(work="w"))
    assert name == plan(work="w").name
    assert Plans(store).get(name) == plan(work="w")


def test_a_plan_is_written_once() -> None:
    store = JournalledStore([])
    for _ in range(3):
        Plans(store).add(plan())
    both = Plans(store)
    both.add(plan())
    both.add(plan())
    assert store.journal == ["commit"]


def test_who_stores_the_same_plan_at_the_same_time_does_not_mind() -> None:
    store = JournalledStore([])
    store.errors = [Conflict("somebody was faster")]
    assert Plans(store).add(plan()) == plan().name


def test_a_plan_that_was_read_is_not_read_again() -> None:
    store = JournalledStore([])
    Plans(store).add(plan())
    with_run(store, "r", plan().name)
    plans = Plans(store)
    store.reads.clear()
    for _ in range(5):
        assert plans.of_run("r") == plan()
    assert store.reads == [[RunKey("r")], [PlanKey(plan().name)]]


def test_what_is_not_there_is_none_and_asked_for_again() -> None:
    store = JournalledStore([])
    plans = Plans(store)
    assert plans.get("0" * 32) is None
    assert plans.of_run("r") is None
    name = Plans(store).add(plan())
    with_run(store, "r", name)
    assert plans.get(name) == plan()
    assert plans.of_run("r") == plan()


def test_a_run_whose_plan_is_lost_has_none() -> None:
    store = JournalledStore([])
    with_run(store, "r", "0" * 32)
    assert Plans(store).of_run("r") is None


def test_more_plans_and_runs_than_are_kept_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_PLANS", 2)
    monkeypatch.setattr(module, "_KEPT_RUNS", 2)
    store = JournalledStore([])
    plans = Plans(store)
    for n in range(6):
        with_run(store, f"r{n}", plans.add(plan(work=str(n))))
    for _ in range(2):
        assert [plans.of_run(f"r{n}") for n in range(6)] == [plan(work=str(n)) for n in range(6)]
    assert len(plans._plans) <= 2
    assert len(plans._of_run) <= 2


def test_a_plan_that_no_document_can_hold_is_refused_with_its_size_and_a_way_out() -> None:
    noise = Random(1).randbytes(1_000_000).hex()
    store = JournalledStore([])
    with pytest.raises(UserError, match=r"pipeline p is too large.*900,000; split it"):
        Plans(store).add(plan(work=noise))
    assert store.journal == []


def test_a_plan_of_ten_thousand_steps_fits() -> None:
    steps = (step("a"), *(step(f"s{n}", "a") for n in range(10_000)))
    Plans(JournalledStore([])).add(compile_plan(Pipeline("p", steps)))
