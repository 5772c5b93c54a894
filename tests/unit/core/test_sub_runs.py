"""A run that is another's job: it starts only for a step that waits, and rings when it ends."""

from __future__ import annotations

from typing import Any

import pytest
from onward.core.draft import Context
from onward.core.events import Bell, CancelRun, Event, JobState, RunEnded, StartRun, Verdict, Wake
from onward.core.pipeline import HOUR, AbsentTrigger, Param, Pipeline, PipelineTrigger
from onward.core.plan import END, compile_plan
from onward.core.scope import scope
from onward.core.state import (
    Backoff,
    Cancelling,
    Document,
    Key,
    Node,
    NodeKey,
    Phase,
    Run,
    RunKey,
    Running,
    RunState,
    Submitting,
    Succeeded,
)
from onward.core.sub_runs import misfits
from onward.core.transition import transition
from unit.core.telling import NOON, step

PARENT, CHILD = "a" * 20, "b" * 20
PLAN = compile_plan(Pipeline("inner", (step("s"),)))
FACTS: dict[str, Any] = {"on": "run", "run": PARENT, "step": "inside", "attempt": 2, "hops": 1}
START = StartRun(CHILD, "inner", PLAN.name, {}, FACTS)
INSIDE = NodeKey(PARENT, "inside")
LATER = NOON + HOUR


def decide(event: Event, **docs: Document) -> Any:
    keys = scope(PLAN, event)
    known: dict[Key, Document | None] = dict.fromkeys(keys)
    names: dict[str, Key] = {"inside": INSIDE, "run": RunKey(CHILD), "s": NodeKey(CHILD, "s")}
    known |= {names[name]: doc for name, doc in docs.items()}
    assert {change.key for change in transition(PLAN, known, event, Context(NOON, "t")).changes} <= set(keys)
    return transition(PLAN, known, event, Context(NOON, "t"))


@pytest.mark.parametrize(
    ("phase", "starts"),
    [
        (Submitting("t", LATER, NOON), True),
        (Running(CHILD, NOON, LATER), True),
        (Backoff(LATER, 2, "no answer", NOON), True),
        (Backoff(LATER, 3, "it failed", NOON), False),
        (Cancelling(LATER, LATER, False, NOON), False),
        (Succeeded(), False),
    ],
)
def test_it_starts_only_while_its_step_waits_for_it_and_writes_that_step_with_it(phase: Phase, starts: bool):
    decision = decide(START, inside=Node(phase, attempt=2))
    changed = {change.key: change.doc for change in decision.changes}
    assert (RunKey(CHILD) in changed) == starts
    assert bool(decision.prepare or decision.commands) == starts
    if starts:
        assert changed[INSIDE] == Node(phase, attempt=2, job=CHILD)


def test_it_does_not_start_for_an_attempt_that_is_over_or_for_a_step_that_is_gone():
    assert decide(START, inside=Node(Running("x", NOON, LATER), attempt=3)).changes == ()
    assert decide(START).changes == ()


def test_it_is_tried_again_by_hand_whatever_its_step_does():
    decision = decide(StartRun(f"{CHILD}~2", "inner", PLAN.name, {}, FACTS))
    assert RunKey(f"{CHILD}~2") in {change.key for change in decision.changes}


def run(state: RunState) -> Run:
    return Run("inner", PLAN.name, state, NOON, {}, FACTS)


def test_its_end_rings_and_every_repeat_of_what_ended_it_rings_again():
    bell = Bell(PARENT, "inside", 2)
    ended = decide(
        Verdict(CHILD, "s", 1, JobState.SUCCEEDED),
        run=run(RunState.RUNNING),
        s=Node(Running("job", NOON, LATER), attempt=1),
    )
    told = [*ended.events]
    if Wake(CHILD, END) in told:
        told += decide(Wake(CHILD, END), run=run(RunState.RUNNING), s=Node(Succeeded(), attempt=1)).events
    assert bell in told
    for repeat in (Bell(CHILD, "s", 1), Wake(CHILD, END)):
        assert decide(repeat, run=run(RunState.SUCCEEDED), s=Node(Succeeded(), attempt=1)).events == (bell,)


# Who runs for what is absent --------------------------------------------------


def absent(on_absent: str, **params: Any) -> list[str]:
    trigger = AbsentTrigger("06:00", bucket="landing", match=("{date}",), params=params, on_absent=on_absent)
    chase = Pipeline("chase", (step("s"),), params=(Param("date", "date"), Param("n", "int", False)))
    found = misfits({"p": Pipeline("p", (step("s"),), triggers=(trigger,)), "chase": chase}, unread=False)
    return [finding.message for finding in found.get("p", [])]


def test_a_pipeline_that_runs_for_what_is_absent_is_there_and_gets_what_it_needs() -> None:
    assert absent("chase") == []
    assert absent("chas") == ["no pipeline is named `chas`"]
    assert absent("chase", day="{{ time }}") == ["the day does not say `date` (date), which `chase` needs"]


# A run that others wait for


PLAIN = {"on": "pipeline", "hops": 3}


def told(event: Event, followed: bool = True, **docs: Document) -> list[RunEnded]:
    keys = scope(PLAN, event)
    known: dict[Key, Document | None] = dict.fromkeys(keys)
    names: dict[str, Key] = {"run": RunKey(CHILD), "s": NodeKey(CHILD, "s")}
    known |= {names[name]: doc for name, doc in docs.items()}
    context = Context(NOON, "t", followed=lambda name: followed and name == "inner")
    return [each for each in transition(PLAN, known, event, context).events if isinstance(each, RunEnded)]


def of(state: RunState) -> Run:
    return Run("inner", PLAN.name, state, NOON, {"n": 1}, PLAIN)


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED])
def test_the_end_of_a_run_is_told_with_what_it_came_to_and_with_every_repeat_of_what_ended_it(
    state: RunState,
) -> None:
    end = RunEnded(CHILD, "inner", state.value, {"n": 1}, PLAIN)
    for repeat in (Bell(CHILD, "s", 1), Wake(CHILD, END), CancelRun(CHILD)):
        assert told(repeat, run=of(state), s=Node(Succeeded(), attempt=1)) == [end]


def test_the_end_of_a_run_is_told_once_it_has_ended() -> None:
    done = Node(Succeeded(), attempt=1)
    assert (
        told(Wake(CHILD, END), run=of(RunState.RUNNING), s=Node(Running("j", NOON, LATER), attempt=1)) == []
    )
    (end,) = told(Wake(CHILD, END), run=of(RunState.RUNNING), s=done)
    assert (end.state, end.params, end.trigger) == ("succeeded", {"n": 1}, PLAIN)


def test_a_run_that_is_cancelled_while_it_waits_has_ended_too() -> None:
    (end,) = told(CancelRun(CHILD), run=of(RunState.QUEUED))
    assert end.state == "cancelled"


def test_of_a_run_that_nobody_waits_for_nothing_is_told() -> None:
    done = Node(Succeeded(), attempt=1)
    assert told(Wake(CHILD, END), followed=False, run=of(RunState.RUNNING), s=done) == []
    assert told(Wake(CHILD, END), followed=False, run=of(RunState.FAILED), s=done) == []


def test_a_pipeline_that_waits_for_one_that_is_not_there_or_does_not_fit_is_a_misfit() -> None:
    day = Param("day", "date")
    known = {
        "extract": Pipeline("extract", (step("s"),), params=(Param("month", "string"),)),
        "report": Pipeline("report", (step("s"),), triggers=(PipelineTrigger(("extrat",)),)),
        "daily": Pipeline("daily", (step("s"),), params=(day,), triggers=(PipelineTrigger(("extract",)),)),
        "mapped": Pipeline(
            "mapped",
            (step("s"),),
            params=(day,),
            triggers=(PipelineTrigger(("extract",), params={"day": 1}),),
        ),
    }
    found = misfits(known, unread=False)
    assert {name: [(each.at, each.message, each.hint) for each in own] for name, own in found.items()} == {
        "report": [(("trigger", "pipeline"), "no pipeline is named `extrat`", "did you mean `extract`?")],
        "daily": [
            (
                ("trigger", "pipeline"),
                "no run could start: `extract` has no parameter `day`",
                "add `params` that give `day`",
            )
        ],
    }
    assert "report" not in misfits(known, unread=True)
