"""Services whose jobs really run, through Google's clients: what they tell at each end, and to whom."""

from __future__ import annotations

import asyncio
import hashlib
import queue
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.cloud import dataflow_v1beta3 as df
from google.cloud import dataproc_v1 as dp
from google.cloud.workflows import executions_v1 as wf
from onward.core.naming import JobName, cluster_name, job_name, run_id
from onward.ingress import completions, storage
from onward.ingress.facts import Facts, ObjectFinalized, Result
from onward.local.buckets import Buckets
from onward.local.standins import wrapped_dataproc
from onward.local.standins.notices import (
    Notice,
    batch_ended,
    execution_ended,
    job_changed,
    job_ended,
    object_final,
)
from onward.local.standins.runner import Runner
from onward.local.standins.storage import resource
from onward.local.standins.wrapped_dataflow import WrappedDataflow
from onward.local.standins.wrapped_dataproc import WrappedDataproc
from onward.local.standins.wrapped_workflows import WrappedWorkflows
from unit.ingress.envelopes import NOW, doorbell, payload, pushed, request

RUN = run_id("p", "hand", "k")
NAME = job_name("clean", RUN, 3, 2)
OWNER = JobName(RUN, 3, 2)
LABELS = {"onward-job": NAME, "onward-step": "clean"}
PARENT = "projects/p/locations/r/workflows"
FOLDER = hashlib.sha256(b"x").hexdigest()
TOOLS = Path(__file__).parents[2] / "e2e/scenarios/tools"
PATIENCE_S = 60


class World:
    """A loop in a thread that runs the jobs, and the notices that came of them."""

    def __init__(self, folder: Path) -> None:
        self.buckets = Buckets(folder / "buckets")
        self.code = folder / "buckets/code/files" / FOLDER
        self.definitions = folder / "definitions"
        for each in (self.code, self.definitions):
            each.mkdir(parents=True)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.runner = asyncio.run_coroutine_threadsafe(self._runner(folder), self.loop).result()
        self.notices: queue.Queue[Notice] = queue.Queue()
        self.tell = self.notices.put

    async def _runner(self, folder: Path) -> Runner:
        return Runner(folder / "jobs", self.buckets, self.loop)

    def told(self) -> Notice:
        return self.notices.get(timeout=PATIENCE_S)

    def close(self) -> None:
        """Returns when nothing runs, and so nothing is told, any more."""
        if self.loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self.runner.stop(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def heard(notice: Notice) -> Result:
    """What `on_job_event` makes of it, as it is delivered: Eventarc's attributes are headers."""
    if "ce-type" in notice.attributes:
        headers = {name.lower(): value for name, value in notice.attributes.items()}
        return completions.parse(request(notice.data, headers))
    return completions.parse(pushed(notice.data, dict(notice.attributes)))


# Dataflow


@pytest.fixture
def launch(world: World) -> Iterator[Callable[..., Any]]:
    with WrappedDataflow(world.runner, "p", world.tell).serving() as connect:

        def launched(script: str, **parameters: str) -> Any:
            (world.code / "clean.py").write_text(script)
            parameter = df.LaunchFlexTemplateParameter(
                job_name=NAME,
                container_spec_gcs_path=f"gs://code/templates/{FOLDER}/clean.py.json",
                parameters=parameters,
                environment={"additional_user_labels": LABELS},
            )
            templates = connect(df.FlexTemplatesServiceClient, "")
            job = templates.launch_flex_template(
                df.LaunchFlexTemplateRequest(project_id="p", location="r", launch_parameter=parameter)
            ).job
            assert doorbell(heard(world.told())).begins
            jobs = connect(df.JobsV1Beta3Client, "")
            get = df.GetJobRequest(project_id="p", location="r", job_id=job.id)
            return job.id, partial(jobs.get_job, get), jobs

        yield launched


def test_a_flex_template_runs_its_file_with_its_parameters_and_rings(world: World, launch: Any) -> None:
    script = (
        "import sys; o = dict(a[2:].split('=', 1) for a in sys.argv[1:]); open(o['out'], 'w').write(o['x'])"
    )
    job, get, _ = launch(script, out="gs://work/a/b", x="1")
    bell = doorbell(heard(world.told()))
    assert (bell.service, bell.id, bell.owner) == ("dataflow", job, OWNER)
    assert get().current_state == df.JobState.JOB_STATE_DONE
    assert world.buckets.path("gs://work/a/b").read_text() == "1"


def test_a_launch_that_fails_rings_too(world: World, launch: Any) -> None:
    _, get, _ = launch("import sys; sys.exit('no such thing')")
    assert doorbell(heard(world.told())).owner == OWNER
    assert get().current_state == df.JobState.JOB_STATE_FAILED


@pytest.mark.parametrize("requested", ["CANCELLED", "DRAINED"])
def test_a_job_that_is_told_to_stop_says_how_it_stopped(world: World, launch: Any, requested: str) -> None:
    job, get, jobs = launch("import time; time.sleep(1000)", streaming="true")
    update = df.Job(requested_state=f"JOB_STATE_{requested}")
    jobs.update_job(df.UpdateJobRequest(project_id="p", location="r", job_id=job, job=update))
    assert doorbell(heard(world.told())).owner == OWNER
    assert get().current_state.name == f"JOB_STATE_{requested}"


# Dataproc


@pytest.fixture
def dataproc(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    import pyspark

    monkeypatch.setattr(pyspark, "__file__", str(TOOLS / "pyspark/__init__.py"))
    with WrappedDataproc(world.runner, world.tell, "etl").serving() as connect:
        yield connect


def submit(world: World, connect: Any, script: str, *args: str) -> Any:
    (world.code / "total.py").write_text(script)
    job = dp.Job(
        reference={"job_id": NAME},
        placement={"cluster_name": "etl"},
        labels=LABELS,
        pyspark_job={"main_python_file_uri": f"gs://code/files/{FOLDER}/total.py", "args": args},
    )
    client = connect(dp.JobControllerClient, "")
    client.submit_job_as_operation(dp.SubmitJobRequest(project_id="p", region="r", job=job))
    return client, dp.GetJobRequest(project_id="p", region="r", job_id=NAME)


@pytest.mark.parametrize(("script", "state"), [("", "DONE"), ("import sys; sys.exit(3)", "ERROR")])
def test_a_job_on_a_cluster_runs_and_rings(world: World, dataproc: Any, script: str, state: str) -> None:
    client, get = submit(world, dataproc, script)
    bell = doorbell(heard(world.told()))
    assert (bell.kind, bell.id, bell.owner) == ("job", NAME, OWNER)
    assert client.get_job(get).status.state.name == state


def test_a_job_that_is_cancelled_rings_when_it_has_stopped(world: World, dataproc: Any) -> None:
    client, get = submit(world, dataproc, "import time; time.sleep(1000)")
    client.cancel_job(dp.CancelJobRequest(project_id="p", region="r", job_id=NAME))
    assert doorbell(heard(world.told())).owner == OWNER
    assert client.get_job(get).status.state == dp.JobStatus.State.CANCELLED


def test_a_batch_runs_with_its_arguments_and_rings(world: World, dataproc: Any) -> None:
    (world.code / "total.py").write_text("import sys; open(sys.argv[1], 'w').write('done')")
    batch = {
        "labels": LABELS,
        "pyspark_batch": {
            "main_python_file_uri": f"gs://code/files/{FOLDER}/total.py",
            "args": ["gs://work/x"],
        },
    }
    client = dataproc(dp.BatchControllerClient, "")
    client.create_batch(dp.CreateBatchRequest(parent="projects/p/locations/r", batch=batch, batch_id=NAME))
    bell = doorbell(heard(world.told()))
    assert (bell.kind, bell.id, bell.owner) == ("batch", NAME, OWNER)
    assert client.get_batch(name=f"projects/p/locations/r/batches/{NAME}").state.name == "SUCCEEDED"
    assert world.buckets.path("gs://work/x").read_text() == "done"


def instantiated(world: World, connect: Any, first: str) -> tuple[Any, str]:
    """A workflow of two jobs, the second of which writes a file; its operation's name."""
    out = world.buckets.path("gs://work/x")
    out.parent.mkdir(parents=True, exist_ok=True)
    for name, script in (("first", first), ("second", "open('OUT', 'w').write('x')")):
        (world.code / f"{name}.py").write_text(script.replace("OUT", str(out)))
    jobs = [
        {
            "step_id": step,
            "prerequisite_step_ids": needs,
            "pyspark_job": {"main_python_file_uri": f"gs://code/files/{FOLDER}/{step}.py"},
        }
        for step, needs in (("second", ["first"]), ("first", []))
    ]
    placement = {"managed_cluster": {"cluster_name": "daily"}}
    client = connect(dp.WorkflowTemplateServiceClient, "")
    started = client.instantiate_inline_workflow_template(
        parent="projects/p/regions/r", template={"labels": LABELS, "jobs": jobs, "placement": placement}
    )
    return client, started.operation.name


def workflow(client: Any, name: str) -> tuple[Any, dict[str, str]]:
    """The operation, and the state of each of its nodes."""
    operation = client.get_operation({"name": name})
    found = dp.WorkflowMetadata.pb(dp.WorkflowMetadata())
    assert operation.metadata.Unpack(found)
    return operation, {node.step_id: dp.WorkflowNode.NodeState(node.state).name for node in found.graph.nodes}


def test_a_workflow_runs_its_jobs_in_order_and_rings(world: World, dataproc: Any) -> None:
    client, name = instantiated(world, dataproc, "import os; assert not os.path.exists('OUT')")
    bell = doorbell(heard(world.told()))
    assert (bell.kind, bell.id, bell.owner) == ("template", name.rpartition("/")[2], None)
    operation, nodes = workflow(client, name)
    assert (operation.done, operation.error.code) == (True, 0)
    assert nodes == {"first": "COMPLETED", "second": "COMPLETED"}
    assert world.buckets.path("gs://work/x").read_text() == "x"


def test_a_workflow_ends_with_the_first_job_that_fails(world: World, dataproc: Any) -> None:
    client, name = instantiated(world, dataproc, "import sys; sys.exit(3)")
    world.told()
    operation, nodes = workflow(client, name)
    assert (operation.done, nodes) == (True, {"first": "FAILED", "second": "FAILED"})
    assert not world.buckets.path("gs://work/x").exists()


def test_a_workflow_that_is_cancelled_rings_when_it_has_stopped(world: World, dataproc: Any) -> None:
    client, name = instantiated(world, dataproc, "import time; time.sleep(1000)")
    client.cancel_operation({"name": name})
    world.told()
    operation, _ = workflow(client, name)
    assert (operation.done, operation.error.message) == (True, "Cancelled by user")


def test_a_cluster_comes_and_goes_and_rings(
    world: World, dataproc: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrapped_dataproc, "BOOT", 0.0)
    client, name = dataproc(dp.ClusterControllerClient, ""), cluster_name("etl", RUN, 3, 1)
    cluster = {"cluster_name": name, "config": {"worker_config": {"num_instances": 2}}}
    client.create_cluster(project_id="p", region="r", cluster=cluster)
    assert doorbell(heard(world.told())).id == name
    (made,) = client.list_clusters(project_id="p", region="r")
    assert made.status.state == dp.ClusterStatus.State.RUNNING
    client.delete_cluster(project_id="p", region="r", cluster_name=name)
    assert doorbell(heard(world.told())).id == name
    assert list(client.list_clusters(project_id="p", region="r")) == []


def test_what_can_not_run_here_fails_with_the_reason_and_rings(world: World, dataproc: Any) -> None:
    client = dataproc(dp.JobControllerClient, "")
    job = dp.Job(
        reference={"job_id": NAME}, placement={"cluster_name": "etl"}, pig_job={"query_file_uri": "x"}
    )
    client.submit_job_as_operation(dp.SubmitJobRequest(project_id="p", region="r", job=job))
    assert doorbell(heard(world.told())).owner == OWNER
    found = client.get_job(dp.GetJobRequest(project_id="p", region="r", job_id=NAME))
    assert "pigJob runs only in the cloud" in found.status.details


# Cloud Workflows


@pytest.fixture
def executions(world: World) -> Iterator[Any]:
    returns = "main: {params: [args], steps: [{done: {return: '${args.x + 1}'}}]}"
    (world.definitions / "onward-1.yaml").write_text(returns)
    sleeps = "main: {steps: [{wait: {call: sys.sleep, args: {seconds: 1000}}}]}"
    (world.definitions / "onward-2.yaml").write_text(sleeps)
    standin = WrappedWorkflows(world.runner, world.definitions, PARENT, world.tell)
    with standin.serving() as connect:
        yield connect(wf.ExecutionsClient, "")


@pytest.mark.parametrize(("argument", "state"), [('{"x": 1}', "SUCCEEDED"), ('{"x": "a"}', "FAILED")])
def test_an_execution_runs_and_rings(world: World, executions: Any, argument: str, state: str) -> None:
    made = executions.create_execution(
        parent=f"{PARENT}/onward-1", execution={"argument": argument, "labels": LABELS}
    )
    bell = doorbell(heard(world.told()))
    assert f"{PARENT}/{bell.parent}/executions/{bell.id}" == made.name
    found = executions.get_execution(name=made.name)
    assert found.state.name == state
    assert found.result == ("2" if state == "SUCCEEDED" else "")


def test_a_cancelled_execution_rings_once(world: World, executions: Any) -> None:
    made = executions.create_execution(parent=f"{PARENT}/onward-2")
    executions.cancel_execution(name=made.name)
    assert doorbell(heard(world.told())).kind == "execution"
    world.close()
    assert world.notices.empty()


def paths(value: Any, above: str = "") -> set[str]:
    """Every member, by its path."""
    if not isinstance(value, dict):
        return {above}
    return {path for name, each in value.items() for path in paths(each, f"{above}/{name}")}


EXAMPLES = {
    "job": "dataproc_submit_job_last_done.logentry",
    "batch": "dataproc_create_batch_last_succeeded.logentry",
    "execution": "workflows_execution_succeeded.logentry",
}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_entry_has_no_member_that_the_platforms_own_has_not(kind: str) -> None:
    match kind:
        case "job":
            job = dp.Job(reference={"job_id": "j"}, status={"state": "DONE"})
            notice = job_ended("p", "r", job, "projects/p/regions/r/operations/o")
        case "batch":
            name, operation = "projects/p/locations/r/batches/b", "projects/p/regions/r/operations/o"
            notice = batch_ended(dp.Batch(name=name, state="SUCCEEDED", operation=operation))
        case _:
            name = f"{PARENT}/w/executions/e"
            notice = execution_ended(wf.Execution(name=name, state="SUCCEEDED", result="1"))
    assert paths(msgspec.json.decode(notice.data)) <= paths(payload(EXAMPLES[kind]))


def test_a_changed_jobs_event_has_no_member_that_the_platforms_own_has_not() -> None:
    notice = job_changed("p", df.Job(id="1", name="n", location="r", current_state="JOB_STATE_DONE"))
    example = payload("dataflow_status_changed_done")
    assert paths(msgspec.json.decode(notice.data)) - {"/payload/labels"} <= paths(example["data"])
    told = {name.removeprefix("ce-") for name in notice.attributes if name.startswith("ce-")}
    assert told <= example.keys()


def test_an_object_that_is_final_is_told_of_as_its_bucket_would() -> None:
    notice = object_final(resource("landing", "a/b c.csv", "17", 5, NOW))
    found = storage.parse(pushed(notice.data, dict(notice.attributes)))
    assert isinstance(found, Facts)
    (fact,) = found.facts
    assert isinstance(fact, ObjectFinalized)
    assert (fact.object.bucket, fact.object.name, fact.object.generation) == ("landing", "a/b c.csv", "17")
    assert payload("gcs_object_finalized")["data"].keys() >= resource("b", "n", "1", 0, 0).keys()
