"""From an attempt to a job request, and from a status to a verdict."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from onward.core.commands import Put, Submit
from onward.core.errors import UserError
from onward.core.events import JobState
from onward.core.naming import JobName, next_try, parse_job_name
from onward.core.pipeline import Cluster, Dataproc, Param, Pipeline, Python, Step
from onward.core.state import Node, NodeKey, Run, RunKey, RunState, Succeeded
from onward.jobs import LARGEST_OUTPUT, LONGEST_ERROR, Jobs
from onward.ports import JobRequest, Status, Write
from unit.shelf import NOON, RUN, Shelf, step


def shelf(*steps: Step, params: tuple[Param, ...] = (), run: str = RUN, **given: Any) -> Shelf:
    """With a run that was started by a file."""
    made = Shelf(pipeline=Pipeline("p", steps, params=params))
    doc = Run("p", made.plan.name, RunState.RUNNING, NOON, given, {"on": "object", "name": "x.csv"})
    made.store.commit([Write(Put(RunKey(run), doc), 0)])
    return made


def succeeded(made: Shelf, name: str, output: Any = None, uri: str | None = None) -> None:
    made.store.commit([Write(Put(NodeKey(RUN, name), Node(Succeeded(output, uri), 1)), 0)])


def request(made: Shelf, name: str, attempt: int = 1, run: str = RUN) -> JobRequest:
    submit = Submit(run, name, attempt, "token", NOON + 60, again=True)
    return Jobs(made.store, made).request(made.plan, submit)


def args(made: Shelf, name: str, **which: Any) -> dict[str, Any]:
    does = request(made, name, **which).step.does
    assert isinstance(does, Python)
    return does.args


def verdict(made: Shelf, name: str, status: Status) -> Any:
    jobs = Jobs(made.store, made)
    return jobs.verdict(made.plan, jobs.ref(made.plan, RUN, name, 1, None), status)


# Requests ---------------------------------------------------------------


def test_a_request_says_whose_it_is_in_its_name_and_beside_it() -> None:
    asked = request(shelf(step("a"), step("b_c")), "b_c", attempt=3)
    assert parse_job_name(asked.name) == JobName(RUN, 1, 3)
    assert (asked.run, asked.node, asked.attempt, asked.pipeline) == (RUN, "b_c", 3, "p")
    assert (asked.until, asked.again) == (NOON + 60, True)


def test_the_cluster_of_a_step_is_rendered_as_the_step_is() -> None:
    body = {"config": {"tempBucket": "{{ day }}-{{ trigger.name }}", "workerConfig": {"numInstances": 3}}}
    own = Cluster("etl", autoscaling="{{ run.id }}", cluster=body)
    steps = tuple(Step(name, Dataproc("a.py", cluster="etl")) for name in ("a", "b"))
    made = Shelf(pipeline=Pipeline("p", steps, params=(Param("day", "string"),), clusters=(own,)))
    doc = Run("p", made.plan.name, RunState.RUNNING, NOON, {"day": "monday"}, {"name": "x.csv"})
    made.store.commit([Write(Put(RunKey(RUN), doc), 0)])
    asked = request(made, "a").cluster
    assert asked == request(made, "b", attempt=2).cluster
    assert asked is not None
    assert asked.cluster.autoscaling == RUN
    assert asked.cluster.cluster == {
        "config": {"tempBucket": "monday-x.csv", "workerConfig": {"numInstances": 3}}
    }
    deletion = request(made, "~delete-etl").cluster
    assert deletion is not None
    assert (deletion.cluster, deletion.number) == (own, asked.number), "it needs no more than its name"


def test_a_reference_has_the_name_of_the_request() -> None:
    made = shelf(step("a"))
    ref = Jobs(made.store, made).ref(made.plan, RUN, "a", 2, "id")
    assert (ref.name, ref.job) == (request(made, "a", attempt=2).name, "id")


def test_a_step_without_templates_reads_nothing() -> None:
    made = shelf(step("a", args={"x": 1}))
    made.store.reads.clear()
    request(made, "a")
    assert made.store.reads == []


def test_templates_see_parameters_trigger_env_run_and_step() -> None:
    template = {
        "x": "{{ date.year }} {{ params.n + 1 }} {{ env.work }} {{ trigger.name }}",
        "y": "{{ run.id }} {{ run.try }} {{ run.pipeline }} {{ run.started.year }}",
        "z": ["{{ step.name }}", {"deep": "{{ step.attempt }}"}],
    }
    made = shelf(
        step("a", args=template),
        params=(Param("date", "date"), Param("n", "int")),
        date="2026-11-22",
        n=4,
    )
    assert args(made, "a", attempt=2) == {
        "x": "2026 5 w x.csv",
        "y": f"{RUN} 1 p 2023",
        "z": ["a", {"deep": 2}],
    }


def test_a_template_that_names_nothing_is_rendered_too() -> None:
    assert args(shelf(step("a", args={"x": "{{ 1 + 1 }} {{ 'a' ~ 'b' }}"})), "a") == {"x": "2 ab"}


def test_a_later_try_knows_its_number() -> None:
    again = next_try(RUN)
    made = shelf(step("a", args={"x": "try {{ run.try }}"}), run=again)
    assert args(made, "a", run=again) == {"x": "try 2"}


def test_templates_see_what_the_steps_before_returned() -> None:
    made = shelf(step("a"), step("b", "a", args={"x": "{{ steps.a.output.rows }} rows"}))
    succeeded(made, "a", {"rows": 3})
    assert args(made, "b") == {"x": "3 rows"}


def test_a_large_output_is_fetched_from_its_object() -> None:
    made = shelf(step("a"), step("b", "a", args={"x": "{{ steps.a.output[1] }}!"}))
    uri = made.put("outputs/x.json", msgspec.json.encode(["one", "two"]))
    succeeded(made, "a", uri=uri)
    assert args(made, "b") == {"x": "two!"}


def test_outputs_and_resources_are_rendered_too() -> None:
    made = shelf(step("a", outputs=("gs://{{ env.work }}/a",), resources={"workers": "{{ 1 + 1 }}"}))
    rendered = request(made, "a").step
    assert rendered.outputs == ("gs://w/a",)
    assert str(rendered.resources["workers"]) == "2"


@pytest.mark.parametrize("template", ["{{ steps.a.output.rows }}", "{{ 1 // 0 }}", "{{ trigger.uri.x }}"])
def test_what_can_not_be_rendered_is_the_users_to_mend(template: str) -> None:
    with pytest.raises(UserError):
        request(shelf(step("a"), step("b", "a", args={"x": template})), "b")


# Verdicts ---------------------------------------------------------------


@pytest.mark.parametrize("state", list(JobState))
def test_a_verdict_says_what_the_status_said(state: JobState) -> None:
    said = verdict(shelf(step("a")), "a", Status(state, "id", {"x": 1}, "why"))
    assert (said.state, said.job, said.error) == (state, "id", "why")
    assert said.output == ({"x": 1} if state is JobState.SUCCEEDED else None)


def test_a_success_without_its_declared_outputs_is_none() -> None:
    made = shelf(step("a", outputs=("gs://{{ env.work }}/a", "gs://w/b")))
    made.objects["gs://w/a"] = b""
    said = verdict(made, "a", Status(JobState.SUCCEEDED, "id", 1))
    assert said.state is JobState.FAILED
    assert said.error == "the job succeeded, but its declared output gs://w/b is not there"
    made.objects["gs://w/b"] = b""
    assert verdict(made, "a", Status(JobState.SUCCEEDED, "id", 1)).state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    "output", ["x" * LARGEST_OUTPUT, ["x"] * LARGEST_OUTPUT, {"x": "y" * LARGEST_OUTPUT}]
)
def test_a_large_output_is_an_object_and_the_state_holds_its_uri(output: Any) -> None:
    made = shelf(step("a"))
    said = verdict(made, "a", Status(JobState.SUCCEEDED, "id", output))
    assert said.output is None
    assert msgspec.json.decode(made.objects[said.output_uri]) == output


@pytest.mark.parametrize("output", [None, 0, 1.5, True, "", "x" * (LARGEST_OUTPUT - 2), [], {}])
def test_a_small_output_is_in_the_state(output: Any) -> None:
    made = shelf(step("a"))
    said = verdict(made, "a", Status(JobState.SUCCEEDED, "id", output))
    assert (said.output, said.output_uri, made.objects) == (output, None, {})


def test_of_a_long_error_the_first_part_is_kept() -> None:
    said = verdict(shelf(step("a")), "a", Status(JobState.FAILED, "id", None, "x" * 1_000_000))
    assert len(said.error) == LONGEST_ERROR
