"""Dataproc whose jobs and batches really run: on local Spark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.cloud import dataproc_v1 as dp
from google.protobuf.json_format import MessageToDict

from onward.core import events
from onward.core.pipeline import Dataproc
from onward.local.standins.clusters import State
from onward.local.standins.dataproc import BatchState, JobState
from onward.local.standins.notices import Notice, batch_ended, cluster_changed, job_ended, workflow_ended
from onward.local.standins.runner import Runner
from onward.local.standins.templates import TemplatesStandIn
from onward.ports import JobRef, Status

_JOB = {events.JobState.SUCCEEDED: JobState.DONE, events.JobState.CANCELLED: JobState.CANCELLED}
_BATCH = {
    events.JobState.SUCCEEDED: BatchState.SUCCEEDED,
    events.JobState.CANCELLED: BatchState.CANCELLED,
}


BOOT = 2.0
"""Seconds until a cluster is there, or gone: less than a real one's, and more than it takes to ask for it."""


class WrappedDataproc(TemplatesStandIn):
    """`clusters` are there already; `tell` publishes what became of jobs, batches, workflows and clusters."""

    def __init__(self, runner: Runner, tell: Callable[[Notice], None], *clusters: str) -> None:
        super().__init__(*clusters)
        self._runner = runner
        self._tell = tell
        self._refs: dict[str, JobRef] = {}
        self._ended: dict[str, dict[str, str]] = {}
        """By workflow: its jobs that have ended, by step, each with its error."""

    def job_began(self, project: str, region: str, job: Any, operation: str) -> None:
        """See `DataprocStandIn`."""

        def ended(status: Status) -> None:
            with self._lock:
                self.end_job(name, _JOB.get(status.state, JobState.ERROR), status.error)
            self._tell(job_ended(project, region, job, operation))

        name = job.reference.job_id
        body = MessageToDict(dp.Job.pb(job))
        job.status = dp.JobStatus(state=JobState.RUNNING)
        self._start(
            name, name, Dataproc(job={kind: body[kind] for kind in body if kind.endswith("Job")}), job, ended
        )

    def batch_began(self, batch: Any) -> None:
        """See `DataprocStandIn`."""

        def ended(status: Status) -> None:
            with self._lock:
                self.end_batch(batch.name, _BATCH.get(status.state, BatchState.FAILED), status.error)
            self._tell(batch_ended(batch))

        body = MessageToDict(dp.Batch.pb(batch))
        job = {f"{kind.removesuffix('Batch')}Job": body[kind] for kind in body if kind.endswith("Batch")}
        batch.state = BatchState.RUNNING
        does = Dataproc(job=job, properties=dict(batch.runtime_config.properties))
        self._start(batch.name, batch.name.rpartition("/")[2], does, batch, ended)

    def creating(self, project: str, region: str, cluster: Any, operation: str) -> None:
        """See `ClustersStandIn`. It is a name for this machine, which runs its jobs."""

        def there() -> None:
            with self._lock:
                if cluster.status.state == State.CREATING:
                    self.turn(cluster.cluster_name, State.RUNNING)
            self._tell(cluster_changed(project, region, cluster, operation, "CreateCluster"))

        self._runner.later(BOOT, there)

    def deleting(self, project: str, region: str, cluster: Any, operation: str) -> None:
        """See `ClustersStandIn`."""

        def gone() -> None:
            with self._lock:
                self.vanish(cluster.cluster_name)
            self._tell(cluster_changed(project, region, cluster, operation, "DeleteCluster"))

        self._runner.later(BOOT, gone)

    def begin(self, name: str) -> None:
        """See `TemplatesStandIn`. A cluster of its own is a name for this machine, too."""
        self.run(name)
        self._ended[name] = {}
        self._go_on(name)

    def cancel_operation(self, request: Any) -> Any:
        """See `TemplatesStandIn`."""
        answer = super().cancel_operation(request)
        for step in self._running(request.name):
            self._runner.cancel(self._refs[f"{request.name}/{step}"])
        return answer

    def _go_on(self, name: str) -> None:
        """Start the jobs that wait for no other; without any, or after one that failed, the workflow ends."""
        template, ended = self.templates[name], self._ended[name]
        failed = {step: error for step, error in ended.items() if error}
        for job in () if failed or name in self.stopped else template.jobs:
            ready = all(step in ended for step in job.prerequisite_step_ids)
            if ready and f"{name}/{job.step_id}" not in self._refs:
                self._start_step(name, template, job)
        if self._running(name):
            return
        if name in self.stopped:
            self.finish(name, code=1, message="Cancelled by user")
        else:
            missing = [job.step_id for job in template.jobs if job.step_id not in ended]
            self.finish(name, failed | dict.fromkeys(missing, "a job failed before"))
        self._tell(workflow_ended(name))

    def _running(self, name: str) -> list[str]:
        steps = (job.step_id for job in self.templates[name].jobs) if name in self.templates else ()
        return [step for step in steps if f"{name}/{step}" in self._refs and step not in self._ended[name]]

    def _start_step(self, name: str, template: Any, job: Any) -> None:
        def ended(status: Status) -> None:
            with self._lock:
                well = status.state is events.JobState.SUCCEEDED
                self._ended[name][job.step_id] = "" if well else status.error or "the job failed"
                self._go_on(name)

        body = MessageToDict(dp.OrderedJob.pb(job))
        does = Dataproc(job={kind: body[kind] for kind in body if kind.endswith("Job")})
        self._start(f"{name}/{job.step_id}", job.step_id, does, template, ended)

    def stopping(self, job: Any) -> None:
        """See `DataprocStandIn`."""
        self._runner.cancel(self._refs[job.name if isinstance(job, dp.Batch) else job.reference.job_id])

    def _start(self, key: str, title: str, does: Dataproc, job: Any, ended: Callable[[Status], None]) -> None:
        # Every file is named by its URI: none is found by a relative name.
        self._refs[key] = self._runner.start(title, does, self._runner.buckets.root, job.labels, ended)
