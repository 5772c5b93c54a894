"""What only Dataflow has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cloud.services.worlds import ClassicWorld, FlexWorld
from contract.service_contract import ref_of, request, submitted
from msgspec.structs import replace
from onward.core.errors import Unavailable
from onward.core.events import JobState
from onward.core.pipeline import Dataflow, Step
from onward.local.standins.dataflow import State
from onward.ports import Accepted, Busy, Declined


@pytest.fixture
def world() -> Iterator[FlexWorld]:
    with FlexWorld().open() as world:
        yield world


@pytest.fixture
def classic() -> Iterator[ClassicWorld]:
    with ClassicWorld().open() as world:
        yield world


def launched(world: FlexWorld, does: Dataflow, **resources: Any) -> Any:
    """The launch that this step becomes."""
    step = Step("clean", does, resources=resources)
    answer = world.service.submit(replace(request(world), step=step))
    assert isinstance(answer, Accepted), answer
    return world.dataflow.launched[-1]


def declined(world: FlexWorld, does: Dataflow, **resources: Any) -> str:
    answer = world.service.submit(replace(request(world), step=Step("clean", does, resources=resources)))
    assert isinstance(answer, Declined), answer
    assert world.dataflow.launched == []
    return answer.error


def test_a_beam_file_is_launched_from_the_template_that_was_built_of_it(world: FlexWorld) -> None:
    does = Dataflow(main="clean.py", args={"input": "gs://a/b", "n": 3, "on": True, "off": False, "no": None})
    launch = launched(
        world, does, max_workers=20, machine_type="n2-standard-2", autoscaling="AUTOSCALING_ALGORITHM_BASIC"
    )
    made = launch.launch_parameter
    assert (launch.project_id, launch.location) == ("proj", "europe-west1")
    assert made.container_spec_gcs_path == "gs://code/clean.py"
    assert made.job_name == request(world).name
    assert dict(made.parameters) == {"input": "gs://a/b", "n": "3", "on": "true"}
    environment = made.environment
    assert (environment.max_workers, environment.machine_type) == (20, "n2-standard-2")
    assert environment.autoscaling_algorithm.name == "AUTOSCALING_ALGORITHM_BASIC"
    assert environment.subnetwork == "regions/europe-west1/subnetworks/jobs"
    assert environment.service_account_email == "jobs@proj.iam.gserviceaccount.com"
    assert environment.temp_location == "gs://work/tmp"
    assert dict(environment.additional_user_labels)["onward-step"] == "daily-totals"


def test_an_existing_flex_template_is_launched_as_the_service_writes_it(world: FlexWorld) -> None:
    body = {
        "containerSpecGcsPath": "gs://templates/x.json",
        "parameters": {"a": "1", "b": "2"},
        "environment": {"maxWorkers": 5, "additionalUserLabels": {"mine": "too"}},
    }
    made = launched(world, Dataflow(launch=body, args={"b": "3"}), max_workers=20, workers=2).launch_parameter
    assert made.container_spec_gcs_path == "gs://templates/x.json"
    assert dict(made.parameters) == {"a": "1", "b": "3"}
    assert (made.environment.max_workers, made.environment.num_workers) == (5, 2)
    assert {"mine", "team", "onward-job"} <= set(made.environment.additional_user_labels)


def test_a_classic_template_is_launched_as_the_service_writes_it(classic: ClassicWorld) -> None:
    body = {"gcsPath": "gs://templates/x", "launchParameters": {"parameters": {"a": "1"}}}
    launch = launched(classic, Dataflow(launch=body, args={"b": 2}), max_workers=3, region="us-east1")
    made = launch.launch_parameters
    assert (launch.gcs_path, launch.location, made.job_name) == (
        "gs://templates/x",
        "us-east1",
        request(classic).name,
    )
    assert dict(made.parameters) == {"a": "1", "b": "2"}
    assert (made.environment.max_workers, made.environment.temp_location) == (3, "gs://work/tmp")


@pytest.mark.parametrize(
    ("state", "means"),
    [
        (State.JOB_STATE_DONE, JobState.SUCCEEDED),
        (State.JOB_STATE_UPDATED, JobState.SUCCEEDED),
        (State.JOB_STATE_DRAINED, JobState.SUCCEEDED),
        (State.JOB_STATE_FAILED, JobState.FAILED),
        (State.JOB_STATE_CANCELLED, JobState.CANCELLED),
        (State.JOB_STATE_UNKNOWN, JobState.RUNNING),
        (State.JOB_STATE_STOPPED, JobState.RUNNING),
        (State.JOB_STATE_QUEUED, JobState.RUNNING),
        (State.JOB_STATE_DRAINING, JobState.RUNNING),
        (State.JOB_STATE_CANCELLING, JobState.RUNNING),
        (State.JOB_STATE_RESOURCE_CLEANING_UP, JobState.RUNNING),
    ],
)
def test_only_a_final_state_ends_a_job(world: FlexWorld, state: State, means: JobState) -> None:
    ref = submitted(world)
    assert ref.job is not None
    world.dataflow.end(ref.job.rpartition("/")[2], state)
    assert world.service.status(ref).state is means


def test_a_launcher_that_failed_says_why(world: FlexWorld) -> None:
    ref = submitted(world)
    why = "Error occurred in the launcher container: Template launch failed."
    world.fail(str(ref.job), why)
    assert world.service.status(ref).error == f"first\n{why}"


def test_a_failure_whose_messages_cannot_be_read_is_a_failure_all_the_same(world: FlexWorld) -> None:
    ref = submitted(world)
    world.fail(str(ref.job), "lost")
    world.standin.fault("ListJobMessages", "PERMISSION_DENIED")
    status = world.service.status(ref)
    assert (status.state, status.error) == (JobState.FAILED, "")


def test_a_job_among_many_of_its_name_is_found_by_its_label(world: FlexWorld) -> None:
    name = request(world).name
    world.dataflow.page_size = 2
    for _ in range(5):
        job = world.dataflow.start(name, "europe-west1", {"team": "others"}, State.JOB_STATE_RUNNING)
        world.dataflow.end(job.id, State.JOB_STATE_DONE)
    ref = submitted(world)
    assert world.service.status(replace(ref, job=None)).job == ref.job
    assert world.service.submit(replace(request(world), again=True)) == Accepted(str(ref.job), rings=False)


def test_a_job_whose_name_only_begins_like_ours_is_not_read(world: FlexWorld) -> None:
    first = submitted(world)
    submitted(world, attempt=10)
    assert world.service.status(replace(first, job=None)).job == first.job
    assert world.reads == 1


def test_a_launch_that_is_not_labelled_yet_is_ours_by_its_name(world: FlexWorld) -> None:
    world.dataflow.start(request(world).name, "europe-west1", {}, State.JOB_STATE_QUEUED)
    (job,) = world.running()
    assert world.service.submit(request(world)) == Accepted(job, rings=False)


def test_of_two_jobs_the_older_counts_and_the_other_is_stopped(world: FlexWorld) -> None:
    first = submitted(world)
    (labels,) = (dict(job.labels) for job in world.dataflow.jobs.values())
    world.succeed(str(first.job))
    world.dataflow.start(first.name, "europe-west1", labels, State.JOB_STATE_RUNNING)
    assert len(world.running()) == 1
    assert world.service.submit(replace(request(world), again=True)) == Accepted(str(first.job), rings=False)
    assert world.running() == []


def test_a_cancel_reaches_every_job_of_the_attempt(world: FlexWorld) -> None:
    first = submitted(world)
    (labels,) = (dict(job.labels) for job in world.dataflow.jobs.values())
    world.succeed(str(first.job))
    world.dataflow.start(first.name, "europe-west1", labels, State.JOB_STATE_RUNNING)
    world.service.cancel(first)
    assert world.running() == []


def test_the_concurrent_jobs_of_a_project_are_waited_for(world: FlexWorld) -> None:
    message = "Dataflow quota error for jobs-per-project quota. Project proj is running 25 jobs."
    world.refuse("FAILED_PRECONDITION", message)
    assert isinstance(world.service.submit(request(world)), Busy)


def test_a_name_that_is_taken_but_not_shown_is_looked_at_again(world: FlexWorld) -> None:
    world.refuse("ALREADY_EXISTS")
    with pytest.raises(Unavailable, match="does not show it"):
        world.service.submit(request(world))


@pytest.mark.parametrize(
    ("does", "said"),
    [
        (Dataflow(launch={"jobName": "x"}), "remove `jobName`: Onward names its jobs"),
        (Dataflow(launch={"gcsPath": "gs://x", "launchParameters": {"job_name": "x"}}), "remove `job_name`"),
        (Dataflow(launch={"gcsPath": "gs://x", "location": "x"}), "remove `location`: `resources` say where"),
        (Dataflow(launch={"gcsPath": "gs://x", "launchParameters": 3}), "`launch` is no google.dataflow"),
        (Dataflow(launch={"parameters": {}}), "which template?"),
        (Dataflow(launch={"containerSpecGcsPath": 3}), "`launch` is no google.dataflow.v1beta3.LaunchFlex"),
        (Dataflow(main="clean.py", args={"a": [1]}), "takes no list or mapping for `a`"),
        (Dataflow(main="missing.py"), "missing.py was not deployed"),
    ],
)
def test_a_wrong_launch_is_declined_before_anything_is_sent(
    world: FlexWorld, does: Dataflow, said: str
) -> None:
    assert said in declined(world, does)


def test_a_resource_of_the_wrong_type_is_declined(world: FlexWorld) -> None:
    assert "`resources` is no" in declined(world, Dataflow(main="clean.py"), max_workers="many")


def test_a_job_without_a_known_id_is_looked_for_in_the_region_of_its_step(world: FlexWorld) -> None:
    step = replace(world.step, resources={"region": "us-east1"})
    asked = replace(request(world), step=step)
    answer = world.service.submit(asked)
    assert isinstance(answer, Accepted)
    assert world.service.status(ref_of(asked)).job == answer.job
    assert world.service.status(ref_of(request(world))).state is JobState.NOT_FOUND
