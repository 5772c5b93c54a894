"""What a compiled plan promises: bounded degree, exactly the user's needs, a name that is its content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from onward.core.pipeline import (
    Cluster,
    Dataflow,
    Dataproc,
    ObjectTrigger,
    Param,
    Pipeline,
    Python,
    Retry,
    Step,
    Workflow,
)
from onward.core.plan import END, WIDTH, End, Gather, Plan, Scatter, StepNode, compile_plan, decode_plan
from unit.core.graphs import pipelines
from unit.core.telling import step


def compiled(*steps: Step) -> Plan:
    return compile_plan(Pipeline("p", steps))


def waits_for(plan: Plan, source: str | None) -> set[str]:
    """The steps whose ends are needed for this node's."""
    match plan.nodes[source] if source is not None else None:
        case Gather(of=of):
            return set().union(*(waits_for(plan, child) for child in of))
        case StepNode():
            assert source is not None
            return {source}
        case None:
            return set()
        case other:
            raise AssertionError(f"nothing waits for {other}")


def told_by(plan: Plan, following: tuple[str, ...]) -> list[str]:
    """Whom a node's end reaches, through scatters."""
    reached: list[str] = []
    for name in following:
        node = plan.nodes[name]
        reached += told_by(plan, node.next) if isinstance(node, Scatter) else [name]
    return reached


def edges(plan: Plan) -> int:
    gathered = sum(len(node.of) for node in plan.nodes.values() if isinstance(node, Gather))
    return gathered + sum(1 for node in plan.nodes.values() if getattr(node, "after", None) is not None)


@given(pipelines())
def test_each_step_waits_for_exactly_what_it_needs(pipeline: Pipeline) -> None:
    plan = compile_plan(pipeline)
    for one in pipeline.steps:
        assert waits_for(plan, plan.step_node(one.name).after) == set(one.needs)


@given(pipelines())
def test_the_end_waits_for_every_step_whose_failure_no_other_step_would_pass_on(pipeline: Pipeline) -> None:
    end = compile_plan(pipeline).nodes[END]
    assert isinstance(end, End)
    needed = {need for one in pipeline.steps if one.when == "success" for need in one.needs}
    plan = compile_plan(pipeline)
    assert waits_for(plan, end.after) == {one.name for one in pipeline.steps} - needed


@given(pipelines())
def test_every_node_is_told_once_by_each_that_it_waits_for_and_by_nobody_else(pipeline: Pipeline) -> None:
    plan = compile_plan(pipeline)
    told = [(None, name) for name in told_by(plan, plan.roots)]
    for source, node in plan.nodes.items():
        if isinstance(node, StepNode | Gather):
            told += [(source, name) for name in told_by(plan, node.next)]  # type: ignore[misc]
    waiting: list[tuple[str | None, str]] = []
    for name, node in plan.nodes.items():
        match node:
            case StepNode(after=after) | End(after=after):
                waiting.append((after, name))
            case Gather(of=of):
                waiting += [(child, name) for child in of]
            case Scatter():
                pass
    assert sorted(told, key=str) == sorted(waiting, key=str)


@given(pipelines(most=200))
def test_no_node_has_more_neighbours_than_a_transition_may_touch(pipeline: Pipeline) -> None:
    plan = compile_plan(pipeline)
    assert len(plan.roots) <= WIDTH
    for node in plan.nodes.values():
        assert len(getattr(node, "next", ())) <= WIDTH
        assert len(getattr(node, "of", ())) <= WIDTH


def test_equal_needs_share_one_gather_so_300_by_300_is_no_90_000_edges() -> None:
    above = [step(f"a{n}") for n in range(300)]
    names = [one.name for one in above]
    plan = compiled(*above, *(step(f"b{n}", *(names if n % 2 else reversed(names))) for n in range(300)))
    helpers = [name for name in plan.nodes if name.startswith("~")]
    assert edges(plan) <= 1_000
    assert edges(plan) - 300 - 10 <= 690, "without the run's own end"
    assert len(helpers) < 50


def test_ten_thousand_steps_side_by_side_become_trees() -> None:
    names = [f"s{n}" for n in range(10_000)]
    plan = compiled(step("first"), *(step(name, "first") for name in names), step("last", *names))
    assert waits_for(plan, plan.step_node("last").after) == set(names)
    first = plan.step_node("first")
    assert set(told_by(plan, first.next)) == set(names)
    assert len(first.next) <= WIDTH


@pytest.mark.parametrize("count", [2, WIDTH, WIDTH + 1, WIDTH**2, WIDTH**2 + 1])
def test_trees_are_no_deeper_than_they_must_be(count: int) -> None:
    names = [f"s{n}" for n in range(count)]
    plan = compiled(*(step(name) for name in names), step("last", *names))

    def depth(source: str | None) -> int:
        node = plan.nodes[source or ""]
        return 1 + max(depth(child) for child in node.of) if isinstance(node, Gather) else 0

    assert depth(plan.step_node("last").after) == (1 if count <= WIDTH else 2 if count <= WIDTH**2 else 3)


def test_a_need_named_twice_is_one_need() -> None:
    plan = compiled(step("a"), step("b", "a", "a"))
    assert plan.step_node("b").after == "a"


def test_helpers_have_names_that_no_step_can_have() -> None:
    names = [f"s{n}" for n in range(40)]
    plan = compiled(step("a"), *(step(name, "a") for name in names))
    for name in set(plan.nodes) - {"a", *names}:
        assert name.startswith("~")


RICH = Pipeline(
    "rich",
    (
        Step("one", Dataflow("main.py", {"b": 1, "a": [True, None, {"x": 1.5}]}), retry=Retry(3), timeout=5),
        Step("two", Dataproc("job.py", args=("x", 1)), ("one",), outputs=("gs://b/{{ date }}*",)),
        Step("three", Workflow("w.yaml", {"date": "{{ date }}"}), ("one",), expect_within=7),
        Step("four", Python("s.py", "f", {"ü\n": "\x00'\""}), ("two", "three"), resources={"b": 1, "a": 2}),
    ),
    "All that a plan can hold.",
    (ObjectTrigger("landing", ("stations/{date}/*.csv",)),),
    (Param("date", "date"), Param("n", "int", False, 3)),
    (Cluster("etl", cluster={"config": {}}),),
)


def test_a_plan_comes_back_from_its_bytes_as_it_was() -> None:
    plan = compile_plan(RICH, {"work": "w"}, {"main.py": "abc"})
    assert decode_plan(plan.encode()) == plan


@given(pipelines())
def test_every_plan_comes_back_from_its_bytes_under_its_name(pipeline: Pipeline) -> None:
    plan = compile_plan(pipeline)
    back = decode_plan(plan.encode())
    assert back == plan
    assert back.name == plan.name


def test_a_plan_is_named_by_its_content_whatever_the_order_it_was_written_in() -> None:
    one = compile_plan(RICH, {"a": "1", "b": "2"}, {"x": "1", "y": "2"})
    first = replace(RICH.steps[0], does=Dataflow("main.py", {"a": [True, None, {"x": 1.5}], "b": 1}))
    again = replace(RICH, steps=(first, *RICH.steps[1:]))
    two = compile_plan(again, {"b": "2", "a": "1"}, {"y": "2", "x": "1"})
    assert one.name == two.name
    assert len(one.name) == 32


@pytest.mark.parametrize(
    "other",
    [
        compile_plan(RICH, {"work": "w2"}, {"main.py": "abc"}),
        compile_plan(RICH, {"work": "w"}, {"main.py": "abd"}),
        compile_plan(replace(RICH, description="Other."), {"work": "w"}, {"main.py": "abc"}),
        compile_plan(replace(RICH, steps=RICH.steps[:3]), {"work": "w"}, {"main.py": "abc"}),
    ],
)
def test_another_content_has_another_name(other: Plan) -> None:
    assert compile_plan(RICH, {"work": "w"}, {"main.py": "abc"}).name != other.name


@given(st.sampled_from([END, "~gather1", "nobody"]))
def test_only_steps_are_steps(name: str) -> None:
    plan = compile_plan(RICH)
    with pytest.raises(KeyError):
        plan.step_node(name)
