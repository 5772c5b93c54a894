"""Dataproc, Dataflow and Cloud Workflows as stand-ins, whose jobs end as a scenario says, and tell it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from cloud.deployment import REGION
from onward.core.events import JobState
from onward.core.pipeline import Dataflow, Dataproc
from onward.local.standins import clusters, dataflow, dataproc, notices, templates, workflows
from scenarios.harness.jobs import Job

Tell = Callable[[notices.Notice], None]
Stop = Callable[[str], None]
"""A job of this id is told to stop."""
_BATCH = {
    JobState.SUCCEEDED: dataproc.BatchState.SUCCEEDED,
    JobState.FAILED: dataproc.BatchState.FAILED,
    JobState.CANCELLED: dataproc.BatchState.CANCELLED,
}
_JOB = {
    JobState.SUCCEEDED: dataproc.JobState.DONE,
    JobState.FAILED: dataproc.JobState.ERROR,
    JobState.CANCELLED: dataproc.JobState.CANCELLED,
}
_FLOW = {
    JobState.SUCCEEDED: dataflow.State.JOB_STATE_DONE,
    JobState.FAILED: dataflow.State.JOB_STATE_FAILED,
    JobState.CANCELLED: dataflow.State.JOB_STATE_CANCELLED,
}
_EXECUTION = {
    JobState.SUCCEEDED: workflows.State.SUCCEEDED,
    JobState.FAILED: workflows.State.FAILED,
    JobState.CANCELLED: workflows.State.CANCELLED,
}


class Platform:
    """`definitions`: the full names of those of Cloud Workflows that are deployed."""

    def __init__(self, project: str, definitions: Iterable[str], tell: Tell, stop: Stop) -> None:
        self._project = project
        self._tell = tell
        self.dataproc = _Dataproc(tell, stop)
        self.dataflow = _Dataflow(project, tell, stop)
        self.workflows = _Workflows(definitions, stop)
        self.standins = (self.dataproc, self.dataflow, self.workflows)

    def began(self, job: Job) -> None:
        """A streaming job runs, and is told to do so."""
        if isinstance(job.request.step.does, Dataflow):
            found = self.dataflow.jobs[_last(job.id)]
            found.current_state = dataflow.State.JOB_STATE_RUNNING
            if streams(job):
                found.type_ = dataflow.df.JobType.JOB_TYPE_STREAMING
                self._tell(notices.job_changed(self._project, found))

    def ended(self, job: Job) -> None:
        """As its status says."""
        match job.request.step.does:
            case Dataproc(template=template) if template:
                failed = job.status.state is not JobState.SUCCEEDED
                self.dataproc.finish(job.id, code=10 if failed else 0, message=job.status.error)
                self._tell(notices.workflow_ended(job.id))
            case Dataproc() if "/batches/" in job.id:
                self.dataproc.end_batch(job.id, _BATCH[job.status.state], job.status.error)
                self._tell(notices.batch_ended(self.dataproc.batches[job.id]))
            case Dataproc():
                self.dataproc.end_job(_last(job.id), _JOB[job.status.state], job.status.error)
                found = self.dataproc.jobs[_last(job.id)]
                operation = f"projects/{self._project}/regions/{REGION}/operations/{_last(job.id)}"
                self._tell(notices.job_ended(self._project, REGION, found, operation))
            case Dataflow():
                self.dataflow.end(_last(job.id), _FLOW[job.status.state], job.status.error)
                self._tell(notices.job_changed(self._project, self.dataflow.jobs[_last(job.id)]))
            case _:
                result, error = json.dumps(job.status.output), json.dumps(job.status.error)
                self.workflows.end(job.id, _EXECUTION[job.status.state], result, error)
                self._tell(notices.execution_ended(self.workflows.executions[job.id]))


def streams(job: Job) -> bool:
    """Whether it never ends by itself."""
    does = job.request.step.does
    return isinstance(does, Dataflow) and (does.until is not None or does.detached)


class _Dataproc(templates.TemplatesStandIn):
    """Every cluster that is named is there; one that is made runs at once, a deleted one is gone."""

    def __init__(self, tell: Tell, stop: Stop) -> None:
        super().__init__()
        self._tell = tell
        self._stop = stop
        self.created = 0

    def stopping(self, job: Any) -> None:
        self._stop(job.reference.job_id if isinstance(job, dataproc.dp.Job) else _last(job.name))

    def cancel_operation(self, request: Any) -> Any:
        answer = super().cancel_operation(request)
        if request.name in self.stopped:
            self._stop(_last(request.name))
        return answer

    def check_cluster(self, name: str) -> None:
        if name in self.made:
            super().check_cluster(name)

    def creating(self, project: str, region: str, cluster: Any, operation: str) -> None:
        self.created += 1
        self.turn(cluster.cluster_name, clusters.State.RUNNING)
        self._tell(notices.cluster_changed(project, region, cluster, operation, "CreateCluster"))

    def deleting(self, project: str, region: str, cluster: Any, operation: str) -> None:
        self.vanish(cluster.cluster_name)
        self._tell(notices.cluster_changed(project, region, cluster, operation, "DeleteCluster"))


class _Dataflow(dataflow.DataflowStandIn):
    """A job that is drained has drained at once."""

    def __init__(self, project: str, tell: Tell, stop: Stop) -> None:
        super().__init__()
        self._project = project
        self._tell = tell
        self._stop = stop

    def stopping(self, job: Any) -> None:
        if job.current_state == dataflow.State.JOB_STATE_CANCELLING:
            self._stop(job.id)
        elif job.current_state == dataflow.State.JOB_STATE_DRAINING:
            job.current_state = dataflow.State.JOB_STATE_DRAINED
            self._tell(notices.job_changed(self._project, job))


class _Workflows(workflows.WorkflowsStandIn):
    def __init__(self, definitions: Iterable[str], stop: Stop) -> None:
        super().__init__(*definitions)
        self._stop = stop

    def stopping(self, execution: Any) -> None:
        self._stop(_last(execution.name))


def _last(name: str) -> str:
    return name.rpartition("/")[2]
