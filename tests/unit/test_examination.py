"""What is seen of a step that may begin."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from onward.core.commands import Examine, Put
from onward.core.events import Bell, Event, Examined, JobState, StartRun, Submitted
from onward.core.naming import next_try
from onward.core.pipeline import Dataproc, Param, Pipeline, Python, Step
from onward.core.plan import Plan, compile_plan
from onward.core.state import Node, NodeKey, Run, RunKey, RunState, Skipped, Succeeded
from onward.examination import examine, same
from onward.ports import Status, Write
from unit.shelf import NOON, RUN, Shelf, step

URI = "gs://work/a"
RUN2 = "b" * 20


def shelf(*steps: Step, **params: Any) -> Shelf:
    """With a run that has these parameters."""
    made = Shelf(pipeline=Pipeline("p", steps, params=tuple(Param(name, "string") for name in params)))
    begin(made, RUN, params)
    return made


def begin(made: Shelf, run: str, params: dict[str, Any], trigger: dict[str, Any] | None = None) -> None:
    doc = Run("p", made.plan.name, RunState.RUNNING, NOON, params, trigger or {"on": "hand"})
    made.store.commit([Write(Put(RunKey(run), doc), 0)])


def seen(made: Shelf, name: str, run: str = RUN, earlier: str | None = None) -> Examined:
    return examine(Examine(run, name, earlier), made.engine.plans, made.engine.jobs)


def put(made: Shelf, name: str, node: Node) -> None:
    made.store.commit([Write(Put(NodeKey(RUN, name), node), 0)])


# `if` -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ("{{ day == 'monday' }}", True),
        ("{{ day == 'tuesday' }}", False),
        ("{% if day == 'monday' %}true{% else %}false{% endif %}", True),
        ("{% if day == 'tuesday' %}\n true\n{% else %}\n False\n{% endif %}", False),
        ("{{ steps.a.output.rows > 0 }}", True),
        ("{{ steps.a.output.rows > 9 }}", False),
        ("{{ steps.b.output.rows | default(0) > 0 }}", False),
        ("{{ steps.c.output is defined }}", False),
        ("true", True),
    ],
)
def test_an_if_may_name_parameters_and_what_earlier_steps_gave(template: str, wanted: bool) -> None:
    made = shelf(step("a"), step("b"), step("c"), step("d", "a", "b", "c", condition=template), day="monday")
    put(made, "a", Node(Succeeded({"rows": 3}), 1))
    put(made, "b", Node(Skipped("its `if` is false")))
    assert seen(made, "d") == Examined(RUN, "d", wanted=wanted)


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ("{{ steps.b.output.rows > 0 }}", "there is no `output` in `steps.b`"),
        ("{{ 1 }}", "`if` must give true or false, and gives `1`"),
        ("{{ none }}", "`if` must give true or false, and gives `null`"),
        ("yes", "`if` must give true or false, and gives `yes`"),
        ("{{ 1 // 0 }}", "can't be rendered"),
    ],
)
def test_an_if_that_is_neither_true_nor_false_says_so(template: str, error: str) -> None:
    made = shelf(step("b"), step("d", "b", condition=template))
    put(made, "b", Node(Skipped("its `if` is false")))
    assert error in seen(made, "d").error


# What is there ------------------------------------------------------------


def test_a_step_is_done_when_all_of_its_outputs_are_there() -> None:
    made = shelf(step("a", outputs=(URI, f"{URI}2"), unless_exists="exists"))
    made.objects[URI] = b""
    assert seen(made, "a") == Examined(RUN, "a")
    made.objects[f"{URI}2"] = b""
    assert seen(made, "a") == Examined(RUN, "a", done=True)


@pytest.mark.parametrize(
    ("outputs", "inputs", "done"),
    [
        ({"a": 5, "b": 9}, {"x": 4, "y": 5}, True),
        ({"a": 5, "b": 9}, {"x": 4, "y": 6}, False),
        ({"a": 5}, {"x": 4, "y": 4}, False),
        ({"a": 5, "b": 9}, {"x": 4}, False),
    ],
)
def test_a_step_is_done_when_its_oldest_output_is_not_older_than_its_newest_input(
    outputs: dict[str, int], inputs: dict[str, int], done: bool
) -> None:
    made = shelf(
        step("a", outputs=("gs://w/a", "gs://w/b"), inputs=("gs://w/x", "gs://w/y"), unless_exists="newer")
    )
    for name, at in (outputs | inputs).items():
        made.objects[f"gs://w/{name}"], made.written[f"gs://w/{name}"] = b"", at
    assert seen(made, "a") == Examined(RUN, "a", done=done)


@pytest.mark.parametrize(("uri", "done"), [("gs://w/old", True), ("gs://w/new", False), (None, False)])
def test_without_inputs_the_outputs_are_held_against_the_object_that_started_the_run(
    uri: str | None, done: bool
) -> None:
    made = Shelf(step("a", outputs=(URI,), unless_exists="newer"))
    begin(made, RUN, {}, {"on": "object", "uri": uri} if uri else {"on": "hand"})
    made.objects |= dict.fromkeys((URI, "gs://w/old", "gs://w/new"), b"")
    made.written |= {URI: 5, "gs://w/old": 5, "gs://w/new": 6}
    assert seen(made, "a") == Examined(RUN, "a", done=done)


@pytest.mark.parametrize("asked", ["exists", "newer"])
def test_a_run_that_is_forced_does_it_all_the_same(asked: str) -> None:
    made = Shelf(step("a", outputs=(URI,), inputs=(URI,), unless_exists=asked))
    made.objects[URI] = b""
    begin(made, RUN, {}, {"on": "hand", "force": True})
    begin(made, RUN2, {}, {"on": "hand"})
    assert seen(made, "a") == Examined(RUN, "a")
    assert seen(made, "a", RUN2) == Examined(RUN2, "a", done=True)


def test_outputs_that_can_not_be_named_fail_the_step_before_it_begins() -> None:
    made = shelf(step("b"), step("a", "b", outputs=("gs://{{ steps.b.output }}/x",), unless_exists="exists"))
    put(made, "b", Node(Skipped("its `if` is false")))
    assert "there is no `output` in `steps.b`" in seen(made, "a").error


def test_an_if_that_is_false_looks_no_further() -> None:
    made = shelf(step("a", condition="false", outputs=("gs://{{ nowhere }}",), unless_exists="exists"))
    assert seen(made, "a") == Examined(RUN, "a", wanted=False)


# An earlier try -----------------------------------------------------------


def tried_again(*outputs: str) -> Shelf:
    made = shelf(step("a", outputs=outputs, condition="false"))
    begin(made, next_try(RUN), {})
    return made


@pytest.mark.parametrize("there", [True, False])
def test_what_an_earlier_try_achieved_holds_while_its_outputs_are_there(there: bool) -> None:
    made = tried_again(URI)
    if there:
        made.objects[URI] = b""
    again = next_try(RUN)
    assert seen(made, "a", again, RUN) == Examined(again, "a", adopt=there, wanted=there)


def test_an_earlier_try_of_which_nothing_is_left_is_as_none() -> None:
    assert not seen(tried_again(), "a", next_try(RUN), "b" * 20).adopt


CLEAN = Step("a", Python("a.py", "run", {"to": "{{ env.work }}/{{ params.day }}"}), outputs=("gs://x/a",))
OTHER = Step("b", Dataproc("b.py"))


@pytest.mark.parametrize(
    ("change", "alike"),
    [
        ({}, True),
        ({"step": replace(CLEAN, timeout=5, needs=("b",))}, True),
        ({"env": {"work": "w", "other": "y"}}, True),
        ({"files": {"a.py": "1", "b.py": "2"}}, True),
        ({"step": replace(CLEAN, outputs=("gs://x/b",))}, False),
        ({"step": replace(CLEAN, does=Python("a.py", "run", {}))}, False),
        ({"env": {"work": "v", "other": "x"}}, False),
        ({"files": {"a.py": "2", "b.py": "1"}}, False),
        ({"step": replace(CLEAN, name="c")}, False),
    ],
)
def test_a_newer_plan_means_the_same_by_a_step_that_does_the_same(change: Any, alike: bool) -> None:
    given: Any = {"env": {"work": "w", "other": "x"}, "files": {"a.py": "1", "b.py": "1"}}
    before = compile_plan(Pipeline("p", (CLEAN, OTHER)), **given)
    steps = (change.pop("step", CLEAN), OTHER)
    after = compile_plan(Pipeline("p", steps, description="newer"), **given | change)
    name = steps[0].name
    assert same(before, after, name) is alike


# By the newest plan, from start to end --------------------------------------


def plan_of(*steps: Step) -> Plan:
    return compile_plan(Pipeline("p", steps), {"work": "w"})


@pytest.mark.parametrize(
    ("changed", "does"),
    [
        ("", "c d"),
        ("a", "a b c d"),  # what rests on it is made again
        ("b", "b c d"),
        ("c", "c d"),
    ],
)
def test_another_try_by_the_newest_plan_takes_over_only_what_means_the_same(changed: str, does: str) -> None:
    """`c` failed; a and b had succeeded, and d is new."""
    steps = {"a": step("a"), "b": step("b", "a"), "c": step("c", "b")}
    made = Shelf(*steps.values(), alone=True)
    made.service.states["c"] = Status(JobState.FAILED, "", None, "no")
    play(made, StartRun(RUN, "p", plan_of(*steps.values()).name))
    assert made.run().state is RunState.FAILED
    if changed:
        steps[changed] = step(changed, *steps[changed].needs, args={"new": 1})
    newest = plan_of(*steps.values(), step("d", "c"))
    made.engine.plans.add(newest)
    made.service.states.clear()
    made.service.requests.clear()
    play(made, StartRun(next_try(RUN), "p", newest.name))
    assert made.run(next_try(RUN)).state is RunState.SUCCEEDED
    assert " ".join(request.node for request in made.service.requests) == does


def play(made: Shelf, event: Event) -> None:
    """Each job ends at once."""
    waiting: list[Event] = [event]
    while waiting:
        turn = made.engine.turn([waiting.pop(0)])
        for report in turn.reports:
            waiting.append(report)
            if isinstance(report, Submitted):
                waiting.append(Bell(report.run, report.node, report.attempt))
