"""Pipelines that would start each other without end are found, and no others."""

import pytest
from onward.core.loops import loops
from onward.core.pipeline import (
    BatchTrigger,
    ObjectsTrigger,
    ObjectTrigger,
    Param,
    Part,
    Pipeline,
    PipelineTrigger,
    Python,
    Step,
    SubRun,
    Trigger,
)

ENV = {"work": "work-bucket", "landing": "in"}


def pipeline(
    name: str, match: str | tuple[str, ...], *outputs: str, params: tuple[Param, ...] = ()
) -> Pipeline:
    patterns = (match,) if isinstance(match, str) else match
    step = Step("make", Python("make.py", "make"), outputs=outputs)
    return Pipeline(name, (step,), triggers=(ObjectTrigger("in", patterns),), params=params)


def refused(*pipelines: Pipeline) -> dict[str, list[str]]:
    found = loops(pipelines, ENV)
    return {name: [finding.message for finding in findings] for name, findings in found.items()}


def leads_back(output: str, match: str | tuple[str, ...] = "{day}/{file}.csv", *params: Param) -> bool:
    return bool(loops([pipeline("a", match, output, params=params)], ENV))


def test_a_pipeline_that_starts_itself_is_refused_at_the_output_with_the_way_and_the_cure() -> None:
    [finding] = loops([pipeline("a", "*/x.csv", "gs://work-bucket/y", "gs://in/day/*.csv")], ENV)["a"]
    assert finding.at == ("steps", "make", "outputs", 1)
    assert finding.message == "`gs://in/day/*.csv` could start runs without end: a → a"
    assert finding.hint == "write to another bucket or prefix than `gs://in/*/x.csv`"


def test_a_loop_over_several_pipelines_is_said_of_each_of_them_and_of_no_other() -> None:
    before = pipeline("before", "0", "gs://in/1")
    a, b, c = (
        pipeline("a", "1", "gs://in/2"),
        pipeline("b", "2", "gs://in/3"),
        pipeline("c", "3", "gs://in/1"),
    )
    after = pipeline("after", "3", "gs://in/4")
    assert refused(before, a, b, c, after) == {
        "a": ["`gs://in/2` could start runs without end: a → b → c → a"],
        "b": ["`gs://in/3` could start runs without end: b → c → a → b"],
        "c": ["`gs://in/1` could start runs without end: c → a → b → c"],
    }


def test_the_shortest_way_is_shown_and_every_output_that_leads_back() -> None:
    a = pipeline("a", "1", "gs://in/2", "gs://in/[13]", "gs://in/9")
    assert refused(a, pipeline("b", "2", "gs://in/1"))["a"] == [
        "`gs://in/2` could start runs without end: a → b → a",
        "`gs://in/[13]` could start runs without end: a → a",
    ]


def test_an_output_that_starts_its_own_pipeline_among_others_shows_that() -> None:
    b = pipeline("b", "1", "gs://in/*")
    assert refused(pipeline("a", "2", "gs://in/1"), b)["b"] == [
        "`gs://in/*` could start runs without end: b → b"
    ]


def test_a_chain_that_ends_is_no_loop() -> None:
    assert not refused(pipeline("a", "1", "gs://in/2"), pipeline("b", "2", "gs://in/3"), pipeline("c", "3"))


def test_a_pipeline_that_no_object_starts_is_in_no_loop() -> None:
    by_hand = Pipeline("hand", (Step("make", Python("m.py", "m"), outputs=("gs://in/1",)),))
    assert not refused(by_hand, pipeline("a", "1", "gs://in/2"))


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("gs://in/day/x.csv", True),
        ("gs://in/day/x.json", False),
        ("gs://other/day/x.csv", False),
        ("gs://{{ env.landing }}/day/x.csv", True),
        ("gs://{{ env.work }}/day/x.csv", False),
        ("gs://{{ env.work | replace('work-bucket', 'in') }}/day/x.csv", True),
        ("gs://{{ trigger.bucket }}/day/x.csv", True),
        ("gs://in/day/", True),  # whatever is below
        ("gs://in/", True),
        ("gs://in/out/{{ trigger.day }}/x.csv", False),
        ("gs://in/{{ run.id }}/x.csv", True),
        ("gs://in/out/{{ run.id }}/x.csv", False),
        ("gs://in/{{ trigger.name }}", True),
        ("{{ trigger.uri }}.done", False),
        ("{{ trigger.uri }}.csv", True),
        ("gs://in/{% if trigger.size > 1 %}day{% endif %}/x.csv", True),
        ("gs://{{ steps.first.output }}/out", False),
        ("{{ steps.first.output }}", True),
    ],
)
def test_of_a_template_counts_what_its_text_could_be(output: str, expected: bool) -> None:
    assert leads_back(output) == expected


@pytest.mark.parametrize(
    ("param", "expected"),
    [
        (Param("p", "date"), False),
        (Param("p", "int"), False),
        (Param("file", "string"), False),
        (Param("p", "list"), True),
        (Param("p", "string", required=False), True),
        (Param("p", "string", required=False, default="a"), False),
        (Param("p", "string", required=False, default="a/b"), True),
    ],
)
def test_a_parameter_counts_as_what_an_arrival_could_make_of_it(param: Param, expected: bool) -> None:
    output = "gs://in/{{ %s }}/x.csv" % param.name  # noqa: UP031 - braces
    assert leads_back(output, "{file}/b/x.csv", param) == expected


def test_a_name_that_only_some_patterns_capture_may_be_any_text() -> None:
    param = Param("p", "string", required=False, default="x")
    assert not leads_back("gs://in/{{ p }}.csv", ("a/b/{p}.csv",), param)
    assert leads_back("gs://in/{{ p }}.csv", ("a/b/{p}.csv", "c.csv"), param)


def test_a_name_that_some_pattern_does_not_capture_may_have_slashes() -> None:
    param = Param("p", "string", required=False)
    assert not leads_back("gs://in/{{ p }}.csv", ("a/b/{p}.csv",), param)
    assert leads_back("gs://in/{{ p }}.csv", ("a/b/{p}.csv", "c/d.csv"), param)


def test_a_captured_name_does_not_hide_the_object_s_own() -> None:
    assert leads_back("gs://in/{{ trigger.name }}", "a/{name}.csv", Param("name", "string"))
    assert leads_back("{{ trigger.uri }}", "a/{uri}.csv", Param("uri", "string"))


def parent(name: str, *children: str, match: str | None = None) -> Pipeline:
    steps = tuple(Step(f"sub{n}", SubRun(child)) for n, child in enumerate(children))
    return Pipeline(name, steps, triggers=() if match is None else (ObjectTrigger("in", (match,)),))


def test_a_pipeline_that_is_its_own_sub_run_is_refused_at_that_step() -> None:
    [finding] = loops([parent("a", "other", "a"), parent("other")], ENV)["a"]
    assert finding.at == ("steps", "sub1", "pipeline")
    assert finding.message == "a run of `a` could start runs without end: a → a"
    assert finding.hint == "remove this step, or the one that leads back"


def test_a_loop_of_sub_runs_is_said_of_each_of_them_and_not_of_who_starts_it() -> None:
    found = refused(parent("before", "a"), parent("a", "b"), parent("b", "a", "leaf"), parent("leaf"))
    assert found == {
        "a": ["a run of `b` could start runs without end: a → b → a"],
        "b": ["a run of `a` could start runs without end: b → a → b"],
    }


def test_a_loop_may_lead_through_objects_and_sub_runs() -> None:
    a = parent("a", "b", match="x/{name}.csv")
    assert loops([a, child("gs://in/x/{{ name }}.csv")], ENV).keys() == {"a", "b"}
    assert not loops([a, child("gs://in/y/{{ name }}.csv")], ENV)


def child(output: str) -> Pipeline:
    step = Step("make", Python("make.py", "make"), outputs=(output,))
    return Pipeline("b", (step,), params=(Param("name", "string"),))


def test_what_a_sub_run_is_given_may_be_any_text() -> None:
    b = pipeline("b", "{name}.csv", "gs://in/{{ name }}.txt", params=(Param("name", "string"),))
    assert not loops([b, parent("a", match="*/x.txt")], ENV)
    assert loops([b, parent("a", "b", match="*/x.txt")], ENV).keys() == {"a", "b"}


def test_sub_runs_that_nobody_deployed_lead_nowhere() -> None:
    assert not loops([parent("a", "gone")], ENV)


@pytest.mark.parametrize(
    "trigger",
    [
        BatchTrigger("in", ("*/x.csv",), 3, 1),
        ObjectsTrigger("in", (Part("a", "*/x.csv"), Part("b", "*/y.csv")), count=3),
        ObjectsTrigger("in", (Part("a", "{d}/a.csv"),), ("d",), marker="{d}/x.csv"),
        ObjectsTrigger("in", (Part("a", "{d}/a.csv"),), ("d",), manifest="{d}/x.csv"),
    ],
)
def test_an_output_that_is_a_member_of_a_set_of_its_own_pipeline_is_refused(trigger: Trigger) -> None:
    step = Step("make", Python("make.py", "make"), outputs=("gs://in/{{ date }}/x.csv",))
    assert refused(Pipeline("a", (step,), triggers=(trigger,))).keys() == {"a"}
    elsewhere = Step("make", Python("make.py", "make"), outputs=("gs://out/{{ date }}/x.csv",))
    assert refused(Pipeline("a", (elsewhere,), triggers=(trigger,))) == {}


def follower(name: str, *of: str, output: str | None = None) -> Pipeline:
    step = Step("make", Python("make.py", "make"), outputs=(output,) if output else ())
    return Pipeline(name, (step,), triggers=(PipelineTrigger(of),))


def test_a_pipeline_that_waits_for_its_own_end_is_refused_at_its_trigger() -> None:
    [finding] = loops([follower("a", "a")], ENV)["a"]
    assert finding.at == ("trigger", "pipeline")
    assert finding.message == "the end of `a` could start runs without end: a → a"
    assert finding.hint == "remove this trigger, or what leads back"


def test_a_loop_of_ends_is_said_of_each_trigger_of_it_and_of_no_other() -> None:
    found = refused(follower("a", "c", "other"), follower("b", "a"), follower("c", "b"), follower("d", "c"))
    assert found == {
        "a": ["the end of `c` could start runs without end: c → a → b → c"],
        "b": ["the end of `a` could start runs without end: a → b → c → a"],
        "c": ["the end of `b` could start runs without end: b → c → a → b"],
    }


def test_a_loop_may_lead_through_objects_and_ends() -> None:
    found = refused(pipeline("a", "1", "gs://in/9"), follower("b", "a", output="gs://in/1"))
    assert found == {
        "b": [
            "the end of `a` could start runs without end: a → b → a",
            "`gs://in/1` could start runs without end: b → a → b",
        ]
    }
