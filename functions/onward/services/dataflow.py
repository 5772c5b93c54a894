"""Dataflow: jobs launched from Flex Templates and classic templates.

A name is unique among active jobs only, so a repeated launch looks before it leaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from onward.core.events import JobState
from onward.core.pipeline import Dataflow as DataflowStep
from onward.ports import Clock, JobRef, JobRequest, Status
from onward.services import dataflow_launch
from onward.services.clients import Clients
from onward.services.labels import JOB
from onward.services.links import at
from onward.services.resources import check, is_classic
from onward.services.service import CloudService, Job
from onward.services.settings import Locate, Settings

if TYPE_CHECKING:
    from google.cloud import dataflow_v1beta3 as df

_ENDED = {
    "JOB_STATE_DONE": JobState.SUCCEEDED,
    "JOB_STATE_UPDATED": JobState.SUCCEEDED,
    "JOB_STATE_DRAINED": JobState.SUCCEEDED,
    "JOB_STATE_FAILED": JobState.FAILED,
    "JOB_STATE_CANCELLED": JobState.CANCELLED,
}
_LAST_MESSAGES = 3


def dataflow(settings: Settings, templates: Locate, clients: Clients, clock: Clock) -> CloudService:
    """The service. `templates` locates the Flex Template's spec that was built from a Beam file."""
    return Dataflow(Launches(settings, templates, clients), clock)


class Dataflow(CloudService):
    """See `ports.Service`."""

    def verdict(self, ref: JobRef, job: Job) -> Status:
        """A detached job is handed over once it is under way. The step's output is its id."""
        does = ref.step.does
        assert isinstance(does, DataflowStep)
        state = JobState.SUCCEEDED if job.under_way else job.status.state
        if not does.detached or state is not JobState.SUCCEEDED:
            return job.status
        return Status(state, job.status.job, output=job.status.job.rpartition("/")[2])


class Launches:
    """See `service.Api`."""

    title = "Dataflow"
    refuses_repeats = False

    def __init__(self, settings: Settings, templates: Locate, clients: Clients) -> None:
        self._settings = settings
        self._templates = templates
        self._clients = clients

    def create(self, request: JobRequest, seconds: float) -> str:
        """See `service.Api`."""
        from google.cloud import dataflow_v1beta3 as df

        does = request.step.does
        assert isinstance(does, DataflowStep)
        check(request.step)
        if is_classic(does.launch):
            classic = dataflow_launch.classic(request, self._settings)
            templates = self._clients.get(df.TemplatesServiceClient)
            launched = templates.launch_template(classic, retry=None, timeout=seconds).job
        else:
            spec = "" if does.main is None else self._templates(request.run, does.main)
            flex = dataflow_launch.flex(request, self._settings, spec)
            flexes = self._clients.get(df.FlexTemplatesServiceClient)
            launched = flexes.launch_flex_template(flex, retry=None, timeout=seconds).job
        project, region = self._settings.place(request.step)
        return f"projects/{project}/locations/{region}/jobs/{launched.id}"

    def read(self, job: str, seconds: float) -> Job:
        """See `service.Api`."""
        from google.cloud import dataflow_v1beta3 as df

        project, region, job_id = at(job, "projects", "locations", "jobs")
        # A summary, and so a listing, has no labels.
        get = df.GetJobRequest(
            project_id=project, location=region, job_id=job_id, view=df.JobView.JOB_VIEW_DESCRIPTION
        )
        found = self._jobs().get_job(get, retry=None, timeout=seconds)
        state = _ENDED.get(found.current_state.name, JobState.RUNNING)
        error = self._why(job, seconds) if state is JobState.FAILED else ""
        labels = dict(found.labels)
        if found.current_state == df.JobState.JOB_STATE_QUEUED:
            # A Flex Template's launcher may not have labelled its job yet; the name holds a hash of the run.
            labels.setdefault(JOB, found.name)
        under_way = found.current_state == df.JobState.JOB_STATE_RUNNING
        return Job(labels, Status(state, job, error=error), under_way)

    def named(self, ref: JobRef, seconds: float) -> Sequence[Job]:
        """See `service.Api`."""
        from google.cloud import dataflow_v1beta3 as df

        project, region = self._settings.place(ref.step)
        listing = df.ListJobsRequest(
            project_id=project, location=region, name=ref.name, filter=df.ListJobsRequest.Filter.ALL
        )
        pages = self._jobs().list_jobs(listing, retry=None, timeout=seconds)
        jobs = sorted((job.create_time, job.id) for job in pages if job.name == ref.name)
        return [self.read(f"projects/{project}/locations/{region}/jobs/{id_}", seconds) for _, id_ in jobs]

    def cancel(self, job: str, seconds: float) -> None:
        """See `service.Api`."""
        from google.cloud import dataflow_v1beta3 as df

        project, region, job_id = at(job, "projects", "locations", "jobs")
        update = df.UpdateJobRequest(
            project_id=project,
            location=region,
            job_id=job_id,
            job=df.Job(requested_state=df.JobState.JOB_STATE_CANCELLED),
        )
        self._jobs().update_job(update, retry=None, timeout=seconds)

    def _why(self, name: str, seconds: float) -> str:
        """The last errors that the job reported: the job itself says only that it failed."""
        from google.api_core.exceptions import GoogleAPICallError
        from google.cloud import dataflow_v1beta3 as df

        project, region, job_id = at(name, "projects", "locations", "jobs")
        listing = df.ListJobMessagesRequest(
            project_id=project,
            location=region,
            job_id=job_id,
            minimum_importance=df.JobMessageImportance.JOB_MESSAGE_ERROR,
        )
        try:
            client = self._clients.get(df.MessagesV1Beta3Client)
            found = list(client.list_job_messages(listing, retry=None, timeout=seconds))
        except GoogleAPICallError:
            return ""  # that it failed is known; why is in its log
        return "\n".join(each.message_text for each in found[-_LAST_MESSAGES:])

    def _jobs(self) -> df.JobsV1Beta3Client:
        from google.cloud import dataflow_v1beta3 as df

        return self._clients.get(df.JobsV1Beta3Client)
