"""Each cloud service in a world of its own: the adapter, Google's client, and a stand-in behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from contract.service_contract import RUN, FixedClock
from onward.core.errors import NotFound
from onward.core.pipeline import Cluster, Dataflow, Dataproc, Step, StepKind, Workflow
from onward.local.standins import clusters as cl_standin
from onward.local.standins import dataflow as df_standin
from onward.local.standins import dataproc as dp_standin
from onward.local.standins import templates as tp_standin
from onward.local.standins import workflows as wf_standin
from onward.local.standins.server import StandIn
from onward.ports import EphemeralCluster, Service
from onward.services.clients import Clients
from onward.services.clusters import body
from onward.services.dataflow import dataflow
from onward.services.dataproc import Dataproc as DataprocService
from onward.services.settings import Bell, Settings
from onward.services.workflows import workflows

SETTINGS = Settings(
    "proj",
    "europe-west1",
    subnetwork="regions/europe-west1/subnetworks/jobs",
    service_account="jobs@proj.iam.gserviceaccount.com",
    temp_location="gs://work/tmp",
    staging_bucket="staging",
    labels={"team": "weather"},
)
WORKFLOWS = "projects/proj/locations/europe-west1/workflows"


def deployed(_run: str, file: str) -> str:
    """Where the deployment put a file, a template built from it, or a definition."""
    if file.startswith("missing"):
        raise NotFound(f"{file} was not deployed")
    return f"gs://code/{file}"


class Files:
    """Job files, of which `totals.py` has a module beside it."""

    rings: Bell | None = None

    def file(self, run: str, name: str) -> str:
        return deployed(run, name)

    def modules(self, run: str, main: str) -> list[str]:
        return [deployed(run, "helpers.py")] if main == "totals.py" else []

    def bell(self) -> Bell | None:
        return self.rings


class CloudWorld:
    """What the worlds have in common. The methods' names are those of the stand-in's calls."""

    standin: StandIn
    service: Service
    create: str
    read: str
    output: Any = None
    unique = True
    cluster: EphemeralCluster | None = None
    does: StepKind

    @property
    def step(self) -> Step:
        return Step("daily_totals", self.does)

    def refuse(self, code: str, message: str = "injected") -> None:
        self.standin.fault(self.create, code, message)

    def lose_answer(self, code: str | None) -> None:
        self.standin.fault(self.create, code, after=True)

    def refuse_read(self, code: str) -> None:
        self.standin.fault(self.read, code)

    @property
    def submits(self) -> int:
        return self.standin.calls[self.create]

    @property
    def reads(self) -> int:
        return self.standin.calls[self.read]

    @property
    def longest_wait(self) -> float:
        waits = [seconds for name, seconds in self.standin.seconds if name == self.create]
        return max(waits, default=0.0)

    def connect(self, clients: Clients) -> Service:
        raise NotImplementedError

    @contextmanager
    def open(self) -> Iterator[Any]:
        with self.standin.serving() as connect:
            self.service = self.connect(Clients(connect))
            yield self


class ClusterJobWorld(CloudWorld):
    create, read = "SubmitJobAsOperation", "GetJob"
    does = Dataproc(pyspark="totals.py", args=("gs://work/a", 3), cluster="etl")

    def __init__(self) -> None:
        self.standin = self.dataproc = dp_standin.DataprocStandIn("etl")

    def connect(self, clients: Clients) -> Service:
        return DataprocService(SETTINGS, Files(), clients, FixedClock())

    def running(self) -> list[str]:
        live = {dp_standin.JobState.PENDING, dp_standin.JobState.RUNNING}
        return [f"{_JOBS}/{key}" for key, job in self.dataproc.jobs.items() if job.status.state in live]

    def succeed(self, job: str) -> None:
        self.dataproc.end_job(job.rpartition("/")[2], dp_standin.JobState.DONE)

    def fail(self, job: str, error: str) -> None:
        self.dataproc.end_job(job.rpartition("/")[2], dp_standin.JobState.ERROR, error)

    def stop(self) -> None:
        for key, job in self.dataproc.jobs.items():
            if job.status.state == dp_standin.JobState.CANCEL_PENDING:
                self.dataproc.end_job(key, dp_standin.JobState.CANCELLED, "Job cancelled by user")

    def plant(self, name: str) -> None:
        status = dp_standin.dp.JobStatus(state=dp_standin.JobState.RUNNING)
        self.dataproc.jobs[name] = dp_standin.dp.Job(labels={"team": "others"}, status=status)


class OwnClusterWorld(ClusterJobWorld):
    """A job on a run's own cluster, which runs already."""

    cluster = EphemeralCluster(RUN, "weather", Cluster("etl"), 9)

    def __init__(self) -> None:
        self.standin = self.dataproc = self.clusters = cl_standin.ClustersStandIn()
        self.clusters.put(body(self.cluster, 1, SETTINGS), cl_standin.State.RUNNING)


_JOBS = "projects/proj/regions/europe-west1/jobs"
_BATCHES = "projects/proj/locations/europe-west1/batches"


class BatchWorld(CloudWorld):
    create, read = "CreateBatch", "GetBatch"
    does = Dataproc(pyspark="totals.py", args=("gs://work/a", 3))

    def __init__(self) -> None:
        self.standin = self.dataproc = dp_standin.DataprocStandIn()

    def connect(self, clients: Clients) -> Service:
        return DataprocService(SETTINGS, Files(), clients, FixedClock())

    def running(self) -> list[str]:
        live = {dp_standin.BatchState.PENDING, dp_standin.BatchState.RUNNING}
        return [name for name, batch in self.dataproc.batches.items() if batch.state in live]

    def succeed(self, job: str) -> None:
        self.dataproc.end_batch(job, dp_standin.BatchState.SUCCEEDED)

    def fail(self, job: str, error: str) -> None:
        self.dataproc.end_batch(job, dp_standin.BatchState.FAILED, error)

    def stop(self) -> None:
        for name, batch in self.dataproc.batches.items():
            if batch.state == dp_standin.BatchState.CANCELLING:
                self.dataproc.end_batch(name, dp_standin.BatchState.CANCELLED)

    def plant(self, name: str) -> None:
        batch = dp_standin.dp.Batch(name=f"{_BATCHES}/{name}", state=dp_standin.BatchState.RUNNING)
        self.dataproc.batches[batch.name] = batch


class TemplateWorld(CloudWorld):
    create, read = "InstantiateInlineWorkflowTemplate", "GetOperation"
    does = Dataproc(
        template={
            "placement": {"clusterSelector": {"clusterLabels": {"team": "weather"}}},
            "jobs": [
                {"stepId": "clean", "pysparkJob": {"mainPythonFileUri": "gs://code/clean.py"}},
                {"stepId": "totals", "prerequisiteStepIds": ["clean"], "sparkSqlJob": {}},
            ],
        }
    )
    unique = False

    def __init__(self) -> None:
        self.standin = self.dataproc = tp_standin.TemplatesStandIn()

    def connect(self, clients: Clients) -> Service:
        return DataprocService(SETTINGS, Files(), clients, FixedClock())

    def running(self) -> list[str]:
        operations, stopped = self.dataproc.operations, self.dataproc.stopped
        return [name for name, each in operations.items() if not each.done and name not in stopped]

    def succeed(self, job: str) -> None:
        self.dataproc.finish(job)

    def fail(self, job: str, error: str) -> None:
        self.dataproc.finish(job, {"totals": error})

    def stop(self) -> None:
        for name in self.dataproc.stopped:
            if not self.dataproc.operations[name].done:
                self.dataproc.finish(name, code=1, message="Cancelled by user")

    def plant(self, name: str) -> None:
        self.dataproc.plant("projects/proj/regions/europe-west1", {"team": "others", "name": name})


class FlexWorld(CloudWorld):
    create, read = "LaunchFlexTemplate", "GetJob"
    does: StepKind = Dataflow(main="clean.py", args={"input": "gs://landing/a.csv", "limit": 3})

    def __init__(self) -> None:
        self.standin = self.dataflow = df_standin.DataflowStandIn()

    def connect(self, clients: Clients) -> Service:
        return dataflow(SETTINGS, deployed, clients, FixedClock())

    def running(self) -> list[str]:
        live = self.dataflow.jobs.values()
        stopping = df_standin.ENDED | {df_standin.State.JOB_STATE_CANCELLING}
        return [f"{_DATAFLOW}/{job.id}" for job in live if job.current_state not in stopping]

    def succeed(self, job: str) -> None:
        self.dataflow.end(job.rpartition("/")[2], df_standin.State.JOB_STATE_DONE)

    def fail(self, job: str, error: str) -> None:
        self.dataflow.end(job.rpartition("/")[2], df_standin.State.JOB_STATE_FAILED, "first", error)

    def stop(self) -> None:
        for key, job in self.dataflow.jobs.items():
            if job.current_state == df_standin.State.JOB_STATE_CANCELLING:
                self.dataflow.end(key, df_standin.State.JOB_STATE_CANCELLED)

    def plant(self, name: str) -> None:
        self.dataflow.start(name, "europe-west1", {"team": "others"}, df_standin.State.JOB_STATE_RUNNING)


_DATAFLOW = "projects/proj/locations/europe-west1/jobs"


class ClassicWorld(FlexWorld):
    create = "LaunchTemplate"
    does = Dataflow(launch={"gcsPath": "gs://templates/word-count"}, args={"input": "gs://landing/a.csv"})


class ExecutionWorld(CloudWorld):
    create, read = "CreateExecution", "GetExecution"
    does = Workflow("publish.yaml", {"date": "2026-11-22", "rows": [1, 2]})
    unique = False

    def __init__(self) -> None:
        self.output = {"report": "gs://reports/a.md", "rows": 3}
        self.standin = self.workflows = wf_standin.WorkflowsStandIn(f"{WORKFLOWS}/publish-1")

    def connect(self, clients: Clients) -> Service:
        return workflows(SETTINGS, lambda _run, _source: "publish-1", clients, FixedClock())

    def running(self) -> list[str]:
        executions = self.workflows.executions.items()
        return [name for name, each in executions if each.state == wf_standin.State.ACTIVE]

    def succeed(self, job: str) -> None:
        result = '{"report": "gs://reports/a.md", "rows": 3}'
        self.workflows.end(job, wf_standin.State.SUCCEEDED, result)

    def fail(self, job: str, error: str) -> None:
        self.workflows.end(job, wf_standin.State.FAILED, "", f'"{error}"', "in step x")

    def stop(self) -> None:
        """An execution stops at once."""

    def plant(self, name: str) -> None:
        del name  # executions have no names of ours to take
        other = wf_standin.wf.Execution(name=f"{WORKFLOWS}/publish-1/executions/0", labels={"team": "others"})
        other.state = wf_standin.State.ACTIVE
        self.workflows.executions[other.name] = other
