"""Streaming jobs: handed over once they run, or drained when another step has ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cloud.services.worlds import FlexWorld
from contract.service_contract import NOW, FixedClock, ref_of, request, submitted
from msgspec.structs import replace
from onward.core.errors import Unavailable
from onward.core.events import JobState
from onward.core.pipeline import MINUTE, Dataflow, Drain, Step, StepKind
from onward.local.standins.dataflow import State
from onward.local.standins.dataflow import df as service
from onward.ports import Accepted, Busy, Declined, JobRef, JobRequest, Service, Status
from onward.services.clients import Clients
from onward.services.dataflow_drains import Drains

NOT_YET = Busy("the job of step daily_totals does not run yet", MINUTE)


class StreamingWorld(FlexWorld):
    """A job that is drained when another step has ended. `drains` is the compiled step's service."""

    drains: Service
    does: StepKind = Dataflow(main="clean.py", until="publish")

    def connect(self, clients: Clients) -> Service:
        jobs = super().connect(clients)
        self.drains = Drains(jobs, clients, FixedClock())
        return jobs

    def turn(self, ref: JobRef, state: State) -> Any:
        """The job, in that state from now on."""
        job = self.dataflow.jobs[str(ref.job).rpartition("/")[2]]
        job.type_ = service.JobType.JOB_TYPE_STREAMING
        job.current_state = state
        return job


class DetachedWorld(StreamingWorld):
    """A job that is handed over once it runs."""

    does = Dataflow(main="clean.py", detached=True)


@pytest.fixture
def world() -> Iterator[StreamingWorld]:
    with StreamingWorld().open() as world:
        yield world


@pytest.fixture
def detached() -> Iterator[DetachedWorld]:
    with DetachedWorld().open() as world:
        yield world


def drain(world: StreamingWorld, target: JobRef | None) -> JobRequest:
    step = Step("~drain-daily_totals", Drain("daily_totals"))
    asked = request(world)
    return replace(asked, name="drain-x", node=step.name, step=step, target=target)


def drained(world: StreamingWorld, ref: JobRef) -> JobState:
    """The verdict of the step that drains."""
    return world.drains.status(ref_of(drain(world, ref), ref.job)).state


@pytest.mark.parametrize("state", [State.JOB_STATE_QUEUED, State.JOB_STATE_PENDING])
def test_a_detached_job_that_waits_to_run_is_waited_for(detached: DetachedWorld, state: State) -> None:
    ref = submitted(detached)
    detached.turn(ref, state)
    assert detached.service.status(ref) == Status(JobState.RUNNING, str(ref.job))


@pytest.mark.parametrize("state", [State.JOB_STATE_RUNNING, State.JOB_STATE_DONE, State.JOB_STATE_DRAINED])
def test_a_detached_job_is_a_success_once_it_runs_and_says_which_it_is(
    detached: DetachedWorld, state: State
) -> None:
    ref = submitted(detached)
    detached.turn(ref, state)
    said = Status(JobState.SUCCEEDED, str(ref.job), str(ref.job).rpartition("/")[2])
    assert detached.service.status(ref) == said
    assert detached.service.status(replace(ref, job=None)) == said


def test_a_detached_job_that_can_not_start_is_a_failure(detached: DetachedWorld) -> None:
    ref = submitted(detached)
    detached.fail(str(ref.job), "Template launch failed.")
    assert detached.service.status(ref).state is JobState.FAILED


def test_a_detached_job_is_cancelled_with_its_run(detached: DetachedWorld) -> None:
    ref = submitted(detached)
    detached.turn(ref, State.JOB_STATE_RUNNING)
    detached.service.cancel(ref)
    assert detached.running() == []


def test_a_job_that_runs_until_a_step_has_ended_is_no_success_when_it_runs(world: StreamingWorld) -> None:
    ref = submitted(world)
    world.turn(ref, State.JOB_STATE_RUNNING)
    assert world.service.status(ref) == Status(JobState.RUNNING, str(ref.job))


def test_a_running_job_is_drained_and_its_own_step_succeeds_in_the_end(world: StreamingWorld) -> None:
    ref = submitted(world)
    job = world.turn(ref, State.JOB_STATE_RUNNING)
    assert world.drains.submit(drain(world, ref)) == Accepted(str(ref.job), rings=False)
    assert job.current_state == State.JOB_STATE_DRAINING
    assert drained(world, ref) is JobState.SUCCEEDED
    assert world.service.status(ref).state is JobState.RUNNING
    world.turn(ref, State.JOB_STATE_DRAINED)
    assert world.service.status(ref).state is JobState.SUCCEEDED


def test_a_job_of_which_only_the_name_is_known_is_drained_too(world: StreamingWorld) -> None:
    ref = submitted(world)
    world.turn(ref, State.JOB_STATE_RUNNING)
    unnamed = replace(ref, job=None)
    assert world.drains.submit(drain(world, unnamed)) == Accepted(str(ref.job), rings=False)
    assert drained(world, ref) is JobState.SUCCEEDED


def test_a_job_that_does_not_run_yet_is_waited_for(world: StreamingWorld) -> None:
    assert world.drains.submit(drain(world, None)) == NOT_YET
    nowhere = ref_of(request(world))
    assert world.drains.submit(drain(world, nowhere)) == NOT_YET
    ref = submitted(world)
    for state in (State.JOB_STATE_QUEUED, State.JOB_STATE_PENDING, State.JOB_STATE_STOPPED):
        world.turn(ref, state)
        assert world.drains.submit(drain(world, ref)) == NOT_YET
    assert world.dataflow.calls["UpdateJob"] == 0


@pytest.mark.parametrize(
    "state", ["DONE", "FAILED", "CANCELLED", "UPDATED", "DRAINED", "DRAINING", "CANCELLING"]
)
def test_what_ends_or_has_ended_needs_no_draining(world: StreamingWorld, state: str) -> None:
    ref = submitted(world)
    world.turn(ref, State[f"JOB_STATE_{state}"])
    assert world.drains.submit(drain(world, ref)) == Accepted(str(ref.job), rings=False)
    assert world.dataflow.calls["UpdateJob"] == 0
    assert drained(world, ref) is JobState.SUCCEEDED


def test_a_step_that_has_ended_leaves_nothing_to_drain(world: StreamingWorld) -> None:
    never = drain(world, replace(ref_of(request(world)), over=True))
    assert world.drains.submit(never) == Accepted("drain-x", rings=False)
    assert world.drains.status(ref_of(never, "drain-x")).state is JobState.SUCCEEDED
    assert world.dataflow.calls == {}


def test_what_dataflow_has_forgotten_needs_no_draining(world: StreamingWorld) -> None:
    ref = submitted(world)
    world.dataflow.jobs.clear()
    assert world.drains.submit(drain(world, ref)) == Accepted(str(ref.job), rings=False)
    assert drained(world, ref) is JobState.SUCCEEDED


def test_a_batch_job_can_not_be_drained_and_the_step_says_so(world: StreamingWorld) -> None:
    ref = submitted(world)
    world.turn(ref, State.JOB_STATE_RUNNING).type_ = service.JobType.JOB_TYPE_BATCH
    assert world.drains.submit(drain(world, ref)) == Declined(
        "the job of step daily_totals is none that streams; remove its `until`"
    )


def test_a_drain_whose_answer_was_lost_may_be_repeated(world: StreamingWorld) -> None:
    ref = submitted(world)
    world.turn(ref, State.JOB_STATE_RUNNING)
    world.dataflow.fault("UpdateJob", "UNAVAILABLE", after=True)
    with pytest.raises(Unavailable):
        world.drains.submit(drain(world, ref))
    assert world.drains.status(ref_of(drain(world, ref))).state is JobState.NOT_FOUND
    assert world.drains.submit(drain(world, ref)) == Accepted(str(ref.job), rings=False)


def test_a_drain_that_was_accepted_but_does_not_show_yet_counts(world: StreamingWorld) -> None:
    ref = submitted(world)
    job = world.turn(ref, State.JOB_STATE_RUNNING)
    assert drained(world, ref) is JobState.RUNNING
    job.requested_state = State.JOB_STATE_DRAINED
    assert drained(world, ref) is JobState.SUCCEEDED


def test_trouble_at_a_drain_is_told_as_at_any_submit(world: StreamingWorld) -> None:
    ref = submitted(world)
    world.turn(ref, State.JOB_STATE_RUNNING)
    world.dataflow.fault("UpdateJob", "RESOURCE_EXHAUSTED", "quota")
    assert isinstance(world.drains.submit(drain(world, ref)), Busy)
    world.dataflow.fault("UpdateJob", "FAILED_PRECONDITION", "not now")
    answer = world.drains.submit(drain(world, ref))
    assert answer == Busy(
        "Dataflow does not drain the job of step daily_totals: not now (FAILED_PRECONDITION)", MINUTE
    )
    world.dataflow.fault("UpdateJob", "PERMISSION_DENIED", "no")
    assert isinstance(world.drains.submit(drain(world, ref)), Declined)
    world.dataflow.fault("GetJob", "UNAVAILABLE")
    with pytest.raises(Unavailable, match="did not say how"):
        drained(world, ref)
    with pytest.raises(Unavailable, match="the time to do so had passed"):
        world.drains.submit(replace(drain(world, ref), until=NOW))
    world.drains.cancel(ref)
    assert len(world.running()) == 1
