"""What the platform tells when a job has ended: its own words, about a double."""

from __future__ import annotations

from types import SimpleNamespace

from cloud.deployment import REGION
from onward.core.events import JobState
from onward.core.pipeline import Dataflow, Dataproc, Workflow
from onward.local.standins.notices import Notice, batch_ended, execution_ended, job_changed, job_ended
from scenarios.harness.jobs import Job

_BATCH = {JobState.SUCCEEDED: "SUCCEEDED", JobState.FAILED: "FAILED", JobState.CANCELLED: "CANCELLED"}
_JOB = {JobState.SUCCEEDED: "DONE", JobState.FAILED: "ERROR", JobState.CANCELLED: "CANCELLED"}
_FLOW = {state: f"JOB_STATE_{name}" for state, name in {**_BATCH, JobState.SUCCEEDED: "DONE"}.items()}


def ended(job: Job, project: str) -> Notice | None:
    """None: it rings by itself."""
    name, state = job.request.name, job.status.state
    place = f"projects/{project}/locations/{REGION}"
    operation = f"projects/{project}/regions/{REGION}/operations/{name}"
    match job.request.step.does:
        case Dataproc(cluster=str() as cluster):
            about = SimpleNamespace(
                reference=SimpleNamespace(job_id=name),
                placement=SimpleNamespace(cluster_name=cluster, cluster_uuid="c"),
                status=SimpleNamespace(state=SimpleNamespace(name=_JOB[state])),
            )
            return job_ended(project, REGION, about, operation)
        case Dataproc():
            return batch_ended(
                SimpleNamespace(
                    name=f"{place}/batches/{name}",
                    state=SimpleNamespace(name=_BATCH[state]),
                    operation=operation,
                )
            )
        case Dataflow():
            return job_changed(
                project,
                SimpleNamespace(
                    id=job.id,
                    name=name,
                    type_=None,
                    current_state=SimpleNamespace(name=_FLOW[state]),
                    location=REGION,
                    labels={},
                ),
            )
        case Workflow():
            return execution_ended(
                SimpleNamespace(
                    name=f"{place}/workflows/w/executions/{job.id}",
                    state=SimpleNamespace(name=_BATCH[state]),
                    result="{}",
                    error=SimpleNamespace(payload="", context=""),
                )
            )
        case _:
            return None
