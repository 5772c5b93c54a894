"""The compiled step that drains a streaming job when another step has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onward.core.errors import Unavailable
from onward.core.events import JobState
from onward.core.pipeline import MINUTE, Drain
from onward.ports import Accepted, Busy, Clock, Declined, JobRef, JobRequest, Service, Status, Submission
from onward.services.clients import Clients
from onward.services.grpc_errors import said, submission
from onward.services.links import at
from onward.services.service import CALL_SECONDS, time_left

if TYPE_CHECKING:
    from google.cloud import dataflow_v1beta3 as df

_NOT_YET = frozenset(f"JOB_STATE_{state}" for state in ("UNKNOWN", "STOPPED", "PENDING", "QUEUED"))


class Drains:
    """See `ports.Service`. Its job is the drained one; `jobs` is the service that runs it."""

    def __init__(self, jobs: Service, clients: Clients, clock: Clock) -> None:
        self._jobs = jobs
        self._clients = clients
        self._clock = clock

    def submit(self, request: JobRequest) -> Submission:
        """See `ports.Service`. A job that does not run yet can't be drained, so that is waited for."""
        from google.api_core.exceptions import FailedPrecondition, GoogleAPICallError, NotFound

        does, target = request.step.does, request.target
        assert isinstance(does, Drain)
        time_left(request, self._clock)
        if target is not None and target.over:
            return Accepted(target.job or request.name, rings=False)
        job = (target.job or self._jobs.status(target).job) if target is not None else ""
        try:
            return self._drain(job, does.step, request) if job else _not_yet(does.step)
        except NotFound:
            return Accepted(job, rings=False)  # there is nothing to drain any more
        except FailedPrecondition as error:
            return Busy(f"Dataflow does not drain the job of step {does.step}: {said(error)}", MINUTE)
        except GoogleAPICallError as error:
            return submission("Dataflow", error)

    def status(self, ref: JobRef) -> Status:
        """See `ports.Service`. It is done once the job drains: its own step waits for its end."""
        from google.api_core.exceptions import GoogleAPICallError, NotFound

        if ref.job is None:
            return Status(JobState.NOT_FOUND)
        if ref.job == ref.name:  # there was no job
            return Status(JobState.SUCCEEDED, ref.job)
        try:
            found = self._get(ref.job, CALL_SECONDS)
        except NotFound:
            return Status(JobState.SUCCEEDED, ref.job)
        except GoogleAPICallError as error:
            raise Unavailable(f"Dataflow did not say how {ref.job} is: {said(error)}") from error
        runs = found.current_state.name == "JOB_STATE_RUNNING"
        waits = runs and found.requested_state.name != "JOB_STATE_DRAINED"
        return Status(JobState.RUNNING if waits else JobState.SUCCEEDED, ref.job)

    def cancel(self, ref: JobRef) -> None:
        """What drains can't be told to go on."""

    def _get(self, job: str, seconds: float) -> df.Job:
        from google.cloud import dataflow_v1beta3 as df

        project, region, job_id = at(job, "projects", "locations", "jobs")
        get = df.GetJobRequest(project_id=project, location=region, job_id=job_id)
        return self._clients.get(df.JobsV1Beta3Client).get_job(get, retry=None, timeout=seconds)

    def _drain(self, job: str, step: str, request: JobRequest) -> Submission:
        from google.cloud import dataflow_v1beta3 as df

        found = self._get(job, min(time_left(request, self._clock), CALL_SECONDS))
        if found.current_state.name in _NOT_YET:
            return _not_yet(step)
        if found.current_state == df.JobState.JOB_STATE_RUNNING:
            if found.type_ == df.JobType.JOB_TYPE_BATCH:
                return Declined(f"the job of step {step} is none that streams; remove its `until`")
            project, region, job_id = at(job, "projects", "locations", "jobs")
            update = df.UpdateJobRequest(
                project_id=project,
                location=region,
                job_id=job_id,
                job=df.Job(requested_state=df.JobState.JOB_STATE_DRAINED),
            )
            left = time_left(request, self._clock)
            self._clients.get(df.JobsV1Beta3Client).update_job(update, retry=None, timeout=left)
        return Accepted(job, rings=False)


def _not_yet(step: str) -> Busy:
    return Busy(f"the job of step {step} does not run yet", MINUTE)
