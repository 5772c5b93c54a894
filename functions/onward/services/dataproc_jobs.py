"""Jobs on a Dataproc cluster that exists: `SubmitJobAsOperation`, whose operation ends with the job."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from onward.core.errors import Refused
from onward.core.events import JobState
from onward.core.pipeline import Dataproc, Step
from onward.ports import JobRef, JobRequest, Status
from onward.services.bodies import message, reserve
from onward.services.clients import Clients
from onward.services.labels import labels
from onward.services.links import at
from onward.services.resources import check
from onward.services.service import Job
from onward.services.settings import Files, Settings
from onward.services.spark import properties, short_form

if TYPE_CHECKING:
    from google.cloud import dataproc_v1

# A failed attempt of a restartable job is no end: the service tries again.
_ENDED = {"DONE": JobState.SUCCEEDED, "ERROR": JobState.FAILED, "CANCELLED": JobState.CANCELLED}


def endpoint(region: str) -> str:
    """Dataproc answers for a region only there."""
    return f"{region}-dataproc.googleapis.com:443"


def request_id(name: str) -> str:
    """At most 40 characters of the service's alphabet, the same for every submit of a name."""
    return hashlib.sha256(name.encode()).hexdigest()[:40]


class ClusterJobs:
    """See `service.Api`."""

    title = "Dataproc"
    refuses_repeats = True

    def __init__(self, settings: Settings, files: Files, clients: Clients) -> None:
        self._settings = settings
        self._files = files
        self._clients = clients

    def create(self, request: JobRequest, seconds: float) -> str:
        """See `service.Api`."""
        from google.cloud import dataproc_v1

        check(request.step)
        parent = self._parent(request.step)
        project, region = at(parent, "projects", "regions")
        submit = dataproc_v1.SubmitJobRequest(
            project_id=project, region=region, job=self.job(request), request_id=request_id(request.name)
        )
        self._client(region).submit_job_as_operation(submit, retry=None, timeout=seconds)
        return f"{parent}/jobs/{request.name}"

    def read(self, job: str, seconds: float) -> Job:
        """See `service.Api`."""
        from google.cloud import dataproc_v1

        project, region, job_id = at(job, "projects", "regions", "jobs")
        get = dataproc_v1.GetJobRequest(project_id=project, region=region, job_id=job_id)
        found = self._client(region).get_job(get, retry=None, timeout=seconds)
        state = _ENDED.get(found.status.state.name, JobState.RUNNING)
        error = "" if state in {JobState.RUNNING, JobState.SUCCEEDED} else found.status.details
        return Job(found.labels, Status(state, job, error=error))

    def named(self, ref: JobRef, seconds: float) -> Sequence[Job]:
        """See `service.Api`."""
        return (self.read(f"{self._parent(ref.step)}/jobs/{ref.name}", seconds),)

    def cancel(self, job: str, seconds: float) -> None:
        """See `service.Api`."""
        from google.cloud import dataproc_v1

        project, region, job_id = at(job, "projects", "regions", "jobs")
        cancel = dataproc_v1.CancelJobRequest(project_id=project, region=region, job_id=job_id)
        self._client(region).cancel_job(cancel, retry=None, timeout=seconds)

    def _parent(self, step: Step) -> str:
        project, region = self._settings.place(step)
        return f"projects/{project}/regions/{region}"

    def _client(self, region: str) -> dataproc_v1.JobControllerClient:
        from google.cloud import dataproc_v1

        return self._clients.get(dataproc_v1.JobControllerClient, endpoint(region))

    def job(self, request: JobRequest) -> dataproc_v1.Job:
        """The job to submit. Raises `Refused` for what can be none."""
        from google.cloud import dataproc_v1

        does = request.step.does
        assert isinstance(does, Dataproc)
        reserve("job", does.job, ("reference", "status"), "Onward names its jobs")
        body = short_form(request, "Job", self._files) or does.job
        said = properties(request.step)
        own: dict[str, Any] = {
            "reference": {"jobId": request.name},
            "labels": labels(request, self._settings.labels),
        }
        if does.cluster is not None:
            own["placement"] = {"clusterName": does.cluster}
        job = message(
            dataproc_v1.Job,
            ("properties", {_kind(body): {"properties": said}} if said else {}),
            ("job", body),
            ("job", own),
        )
        if not job.placement.cluster_name and not job.placement.cluster_labels:
            raise Refused("`job`: on which cluster? Name it with `cluster`")
        return job


def _kind(body: Mapping[str, Any]) -> str:
    for key in body:
        if key.endswith(("Job", "_job")):
            return key
    raise Refused("`job`: which kind? It needs one of `pysparkJob`, `sparkJob`, `hiveJob` and so on")
