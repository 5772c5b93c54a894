"""What only Dataproc's jobs and batches have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cloud.services.worlds import BatchWorld, ClusterJobWorld, Files
from contract.service_contract import request, submitted
from msgspec.structs import replace
from onward.core import events
from onward.core.pipeline import HOUR, MINUTE, Dataproc, Step
from onward.local.standins.dataproc import BatchState, JobState
from onward.ports import Accepted, Busy, Declined
from onward.services.settings import Bell


@pytest.fixture
def cluster() -> Iterator[ClusterJobWorld]:
    with ClusterJobWorld().open() as world:
        yield world


@pytest.fixture
def serverless() -> Iterator[BatchWorld]:
    with BatchWorld().open() as world:
        yield world


def job(world: ClusterJobWorld, does: Dataproc, **resources: Any) -> Any:
    """The job that this step becomes."""
    asked = replace(request(world), step=Step("daily_totals", does, resources=resources))
    answer = world.service.submit(asked)
    assert isinstance(answer, Accepted), answer
    return world.dataproc.jobs[asked.name]


def batch(world: BatchWorld, does: Dataproc, timeout: int | None = None, **resources: Any) -> Any:
    """The batch that this step becomes."""
    step = Step("daily_totals", does, timeout=timeout, resources=resources)
    answer = world.service.submit(replace(request(world), step=step))
    assert isinstance(answer, Accepted), answer
    return world.dataproc.batches[answer.job]


def declined(world: Any, does: Dataproc, **resources: Any) -> str:
    step = Step("daily_totals", does, resources=resources)
    answer = world.service.submit(replace(request(world), step=step))
    assert isinstance(answer, Declined), answer
    assert world.submits == 0
    return answer.error


def test_a_pyspark_file_becomes_a_job_on_its_cluster(cluster: ClusterJobWorld) -> None:
    does = Dataproc(
        pyspark="totals.py",
        args=("gs://work/a", 3, True),
        properties={"spark.executor.memory": "8g", "spark.x": 1},
        cluster="etl",
    )
    made = job(cluster, does, executor_memory="4g", driver_cores=2)
    assert made.placement.cluster_name == "etl"
    assert made.pyspark_job.main_python_file_uri == "gs://code/totals.py"
    assert list(made.pyspark_job.python_file_uris) == ["gs://code/helpers.py"]
    assert list(made.pyspark_job.args) == ["gs://work/a", "3", "true"]
    assert dict(made.pyspark_job.properties) == {
        "spark.executor.memory": "8g",
        "spark.x": "1",
        "spark.driver.cores": "2",
    }


def test_a_main_that_rings_is_run_by_the_program_that_rings(
    cluster: ClusterJobWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Files, "rings", Bell("gs://code/ringing.py", "projects/p/topics/t"))
    made = job(cluster, Dataproc(pyspark="totals.py", args=("x",), cluster="etl")).pyspark_job
    assert made.main_python_file_uri == "gs://code/ringing.py"
    assert list(made.python_file_uris) == ["gs://code/totals.py", "gs://code/helpers.py"]
    assert list(made.args) == ["projects/p/topics/t", request(cluster).name, "totals.py", "x"]


def test_a_sql_file_becomes_a_job(cluster: ClusterJobWorld) -> None:
    made = job(cluster, Dataproc(spark_sql="totals.sql", cluster="etl"))
    assert made.spark_sql_job.query_file_uri == "gs://code/totals.sql"


@pytest.mark.parametrize(
    "kind", ["hadoopJob", "sparkJob", "hiveJob", "pigJob", "sparkRJob", "prestoJob", "trinoJob", "flinkJob"]
)
def test_every_kind_of_job_is_taken_as_the_service_writes_it(cluster: ClusterJobWorld, kind: str) -> None:
    body = {kind: {"properties": {"a": "b"}}, "scheduling": {"maxFailuresPerHour": 2}}
    made = job(cluster, Dataproc(job=body, cluster="etl", properties={"c": "d"}))
    snake = "".join(f"_{char.lower()}" if char.isupper() else char for char in kind)
    assert dict(getattr(made, snake).properties) == {"a": "b", "c": "d"}
    assert made.scheduling.max_failures_per_hour == 2


def test_a_job_says_whose_it_is_in_its_labels(cluster: ClusterJobWorld) -> None:
    made = job(
        cluster, Dataproc(job={"labels": {"onward-run": "mine", "a": "b"}, "pigJob": {}}, cluster="etl")
    )
    assert dict(made.labels) == {
        "a": "b",
        "team": "weather",
        "onward-job": request(cluster).name,
        "onward-run": "run-0123456789abcdef0123",
        "onward-step": "daily-totals",
        "onward-attempt": "attempt-1",
        "onward-pipeline": "weather",
    }


@pytest.mark.parametrize("state", [JobState.ATTEMPT_FAILURE, JobState.CANCEL_STARTED, JobState.SETUP_DONE])
def test_a_job_between_its_states_has_not_ended(cluster: ClusterJobWorld, state: JobState) -> None:
    ref = submitted(cluster)
    cluster.dataproc.end_job(ref.name, state, "attempt 1 of 3 failed")
    status = cluster.service.status(ref)
    assert (status.state, status.error) == (events.JobState.RUNNING, "")


def test_a_job_that_cannot_be_cancelled_in_its_state_is_asked_again_after_the_verdict(
    cluster: ClusterJobWorld,
) -> None:
    ref = submitted(cluster)
    cluster.dataproc.end_job(ref.name, JobState.SETUP_DONE)
    cluster.service.cancel(ref)
    assert cluster.service.status(ref).state is events.JobState.RUNNING
    cluster.dataproc.end_job(ref.name, JobState.RUNNING)
    cluster.service.cancel(ref)
    cluster.stop()
    assert cluster.service.status(ref).state is events.JobState.CANCELLED


def test_a_cluster_that_is_not_there_is_named(cluster: ClusterJobWorld) -> None:
    step = Step("daily_totals", Dataproc(pyspark="totals.py", cluster="gone"))
    answer = cluster.service.submit(replace(request(cluster), step=step))
    assert answer == Declined(
        "Dataproc refused the job: Not found: Cluster gone (NOT_FOUND); "
        "check that it exists, in this project and region"
    )


def test_a_job_goes_to_the_project_and_region_of_its_step(cluster: ClusterJobWorld) -> None:
    step = replace(cluster.step, resources={"project": "other", "region": "us-east1"})
    answer = cluster.service.submit(replace(request(cluster), step=step))
    assert answer == Accepted(f"projects/other/regions/us-east1/jobs/{request(cluster).name}")


def test_a_pyspark_file_without_a_cluster_becomes_a_batch(serverless: BatchWorld) -> None:
    does = Dataproc(pyspark="totals.py", args=(1,), properties={"spark.x": "y"})
    made = batch(serverless, does, workers=3, version="2.2", network="default")
    assert made.pyspark_batch.main_python_file_uri == "gs://code/totals.py"
    assert list(made.pyspark_batch.python_file_uris) == ["gs://code/helpers.py"]
    assert list(made.pyspark_batch.args) == ["1"]
    assert made.runtime_config.version == "2.2"
    assert dict(made.runtime_config.properties) == {"spark.x": "y", "spark.executor.instances": "3"}
    execution = made.environment_config.execution_config
    assert execution.service_account == "jobs@proj.iam.gserviceaccount.com"
    assert (execution.network_uri, execution.subnetwork_uri) == ("default", "")


def test_a_batch_is_taken_as_the_service_writes_it_before_any_setting(serverless: BatchWorld) -> None:
    body = {
        "sparkBatch": {"mainClass": "a.B"},
        "environment_config": {"executionConfig": {"networkUri": "own", "serviceAccount": "me@x"}},
    }
    made = batch(serverless, Dataproc(batch=body), version="2.2")
    execution = made.environment_config.execution_config
    assert (execution.network_uri, execution.subnetwork_uri, execution.service_account) == ("own", "", "me@x")
    assert (made.spark_batch.main_class, made.runtime_config.version) == ("a.B", "2.2")


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(2 * HOUR, 7_500), (MINUTE, 600), (100 * 24 * HOUR, 14 * 86_400), (None, 0)]
)
def test_a_batch_ends_by_itself_a_little_after_its_time_limit(
    serverless: BatchWorld, timeout: int | None, seconds: int
) -> None:
    made = batch(serverless, Dataproc(spark_sql="totals.sql"), timeout)
    assert made.environment_config.execution_config.ttl.total_seconds() == seconds


def test_a_batch_that_is_being_cancelled_has_not_ended(serverless: BatchWorld) -> None:
    ref = submitted(serverless)
    assert ref.job is not None
    serverless.dataproc.end_batch(ref.job, BatchState.CANCELLING)
    assert serverless.service.status(ref).state is events.JobState.RUNNING


def test_what_compute_engine_has_no_quota_for_is_waited_for(serverless: BatchWorld) -> None:
    message = "Insufficient 'CPUS' quota. Requested 12.0, available 4.0."
    serverless.refuse("INVALID_ARGUMENT", message)
    answer = serverless.service.submit(request(serverless))
    assert isinstance(answer, Busy)
    assert message in answer.error


@pytest.mark.parametrize(
    ("does", "said"),
    [
        (
            Dataproc(job={"pysparkjob": {}}, cluster="etl"),
            "`job` is no google.cloud.dataproc.v1.Job: Message",
        ),
        (Dataproc(job={"pysparkJob": {"args": 3}}, cluster="etl"), "args"),
        (
            Dataproc(job={"pysparkJob": "totals.py"}, cluster="etl"),
            "`job` is no google.cloud.dataproc.v1.Job",
        ),
        (
            Dataproc(job={"reference": {"jobId": "x"}}, cluster="etl"),
            "remove `reference`: Onward names its jobs",
        ),
        (Dataproc(job={"pigJob": {}}), "on which cluster? Name it with `cluster`"),
        (Dataproc(job={"labels": {}}, cluster="etl", properties={"a": "b"}), "which kind?"),
        (Dataproc(pyspark="missing.py", cluster="etl"), "missing.py was not deployed"),
    ],
)
def test_a_wrong_job_is_declined_before_anything_is_sent(
    cluster: ClusterJobWorld, does: Dataproc, said: str
) -> None:
    assert said in declined(cluster, does)


def test_a_wrong_batch_is_declined_before_anything_is_sent(serverless: BatchWorld) -> None:
    assert "remove `name`" in declined(serverless, Dataproc(batch={"name": "x", "sparkBatch": {}}))
    assert "`batch` is no google.cloud.dataproc.v1.Batch" in declined(serverless, Dataproc(batch={"x": 1}))


def test_a_resource_that_the_service_lacks_is_declined_with_what_it_takes(serverless: BatchWorld) -> None:
    said = declined(serverless, Dataproc(pyspark="totals.py"), machine_type="n2-standard-2", ttll="1h")
    assert "a Dataproc batch takes no `machine_type`; it takes `container_image`, " in said
    assert "takes no `ttll`; did you mean `ttl`?" in said
    assert "`resources` is no google.cloud.dataproc.v1.Batch" in declined(
        serverless, Dataproc(pyspark="totals.py"), ttl="1h"
    )
