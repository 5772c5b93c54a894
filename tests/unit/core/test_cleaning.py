"""What cleans up after others runs in every ending; what was told to wait goes on when there is room."""

from __future__ import annotations

import pytest
from onward.core.commands import CancelJob, ReadStatus, Submit
from onward.core.events import CancelNode, CancelRun, JobState, Room
from onward.core.pipeline import MINUTE, SECOND, Cluster, Dataflow, Dataproc, Pipeline, Step
from onward.core.plan import Plan, StepNode, compile_plan
from onward.core.state import RunState
from unit.core.telling import RUN, Life, only, step


def on_cluster(name: str, *needs: str) -> Step:
    return Step(name, Dataproc("job.py", cluster="etl"), needs)


def lake(*steps: Step) -> Plan:
    return compile_plan(Pipeline("lake", steps, clusters=(Cluster("etl"), Cluster("unused"))))


def life(*steps: Step) -> Life:
    told = Life(plan=lake(*steps))
    told.start()
    return told


def test_a_cluster_that_a_step_runs_on_is_deleted_once_after_the_last_and_others_are_not_mentioned() -> None:
    plan = lake(on_cluster("a"), on_cluster("b", "a"), step("c", "b"))
    always = [name for name, node in plan.step_nodes() if node.always]
    assert always == ["~delete-etl"]
    delete = plan.step_node("~delete-etl")
    assert (delete.number, set(delete.step.needs)) == (3, {"a", "b"})


def test_a_streaming_job_is_drained_when_the_step_that_it_serves_has_ended() -> None:
    stream = Step("stream", Dataflow("s.py", until="load"))
    plan = compile_plan(Pipeline("p", (stream, step("load"))))
    node = plan.nodes["~drain-stream"]
    assert isinstance(node, StepNode)
    assert (node.after, node.always) == ("load", True)


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED])
def test_it_runs_however_its_users_ended_and_the_run_waits_for_it(state: JobState) -> None:
    told = life(on_cluster("a"))
    told.submitted("a")
    assert only(Submit, told.verdict("a", state))[0].node == "~delete-etl"  # type: ignore[attr-defined]
    assert told.run.state is RunState.RUNNING
    told.submitted("~delete-etl")
    told.verdict("~delete-etl", JobState.SUCCEEDED)
    assert told.run.state is (RunState.SUCCEEDED if state is JobState.SUCCEEDED else RunState.FAILED)


def test_it_runs_in_a_run_that_is_cancelled_and_is_not_cancelled_with_it() -> None:
    told = life(on_cluster("a"))
    told.submitted("a")
    told.follow(CancelRun(RUN))
    told.follow(CancelNode(RUN, "a"))
    told.verdict("a", JobState.CANCELLED)
    assert told.state("~delete-etl") == "submitting"
    assert only(CancelJob, told.follow(CancelNode(RUN, "~delete-etl"))) == []
    told.submitted("~delete-etl")
    told.verdict("~delete-etl", JobState.FAILED)
    assert told.state("~delete-etl") == "retrying"
    told.now += 2 * MINUTE
    told.wake("~delete-etl")
    told.submitted("~delete-etl", 2)
    told.verdict("~delete-etl", JobState.SUCCEEDED, 2)
    assert told.run.state is RunState.CANCELLED


def test_a_delete_of_which_nothing_is_heard_is_looked_at_as_early_as_a_job() -> None:
    told = life(on_cluster("a"))
    told.submitted("a")
    told.verdict("a", JobState.SUCCEEDED)
    told.submitted("~delete-etl")
    told.now += 2 * MINUTE
    assert only(ReadStatus, told.wake("~delete-etl"))
    told.verdict("~delete-etl", JobState.SUCCEEDED, belled=False)
    assert told.run.state is RunState.SUCCEEDED


def test_it_runs_although_none_of_its_users_ever_started() -> None:
    told = life(step("first"), on_cluster("a", "first"))
    told.submitted("first")
    told.verdict("first", JobState.FAILED)
    assert told.state("a") == "upstream_failed"
    assert told.state("~delete-etl") == "submitting"


def test_room_ends_the_wait_for_room_and_no_other() -> None:
    told = life(on_cluster("a"))
    told.delayed("a", "token1", 100 * SECOND)
    assert told.state("a") == "retrying"
    (submit,) = only(Submit, told.follow(Room(RUN, "a")))
    assert (submit.attempt, submit.again) == (1, True)  # type: ignore[attr-defined]
    assert told.follow(Room(RUN, "a")) == []


def test_an_attempt_does_not_know_the_job_of_the_attempt_before() -> None:
    from unit.core.telling import retried

    told = Life(step("a", retry=retried(2)))
    told.start()
    told.submitted("a")
    told.verdict("a", JobState.FAILED)
    told.now += 10 * MINUTE
    told.wake("a")
    assert (told.node("a").attempt, told.node("a").job) == (2, None)
    (cancel,) = only(CancelJob, told.follow(CancelRun(RUN)) + told.follow(CancelNode(RUN, "a")))
    assert cancel == CancelJob(RUN, "a", 2, None)


def test_every_step_is_found_by_its_number_whoever_wrote_it() -> None:
    plan = lake(on_cluster("a"), on_cluster("b", "a"), step("c", "b"))
    assert [plan.numbered(number) for number in range(5)] == ["a", "b", "c", "~delete-etl", None]
    assert all(plan.numbered(node.number) == name for name, node in plan.step_nodes())
