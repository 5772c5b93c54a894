"""Dataflow: launches of both kinds of template, jobs and their messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.cloud import dataflow_v1beta3 as df

from onward.local.standins.rules import check, check_labels
from onward.local.standins.server import Method, Refusal, StandIn

_PACKAGE = "google.dataflow.v1beta3"
State = df.JobState
ENDED = {
    State.JOB_STATE_DONE,
    State.JOB_STATE_FAILED,
    State.JOB_STATE_CANCELLED,
    State.JOB_STATE_UPDATED,
    State.JOB_STATE_DRAINED,
}


class DataflowStandIn(StandIn):
    """Jobs by id. A name is unique among the active jobs of a region."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, Any] = {}
        self.messages: dict[str, list[str]] = {}
        self.launched: list[Any] = []
        self.page_size = 100

    def services(self) -> dict[str, dict[str, Method]]:
        """See `StandIn`."""
        flex, classic = df.LaunchFlexTemplateResponse, df.LaunchTemplateResponse
        messages = (self._list_messages, df.ListJobMessagesRequest, df.ListJobMessagesResponse)
        return {
            f"{_PACKAGE}.FlexTemplatesService": {
                "LaunchFlexTemplate": (self._flex, df.LaunchFlexTemplateRequest, flex),
            },
            f"{_PACKAGE}.TemplatesService": {
                "LaunchTemplate": (self._classic, df.LaunchTemplateRequest, classic),
            },
            f"{_PACKAGE}.JobsV1Beta3": {
                "GetJob": (self._get, df.GetJobRequest, df.Job),
                "ListJobs": (self._list, df.ListJobsRequest, df.ListJobsResponse),
                "UpdateJob": (self._update, df.UpdateJobRequest, df.Job),
            },
            f"{_PACKAGE}.MessagesV1Beta3": {"ListJobMessages": messages},
        }

    def end(self, job_id: str, state: int, *messages: str) -> None:
        """What becomes of a job; a launcher's failure is the job's own."""
        self.jobs[job_id].current_state = state
        self.messages[job_id] = list(messages)

    def start(
        self, name: str, location: str, labels: dict[str, str], state: int, *, streaming: bool = False
    ) -> Any:
        """A job of that name, unless an active one has it."""
        check("[a-z]([-a-z0-9]{0,1022}[a-z0-9])?", name, "job name")
        check_labels(labels, 64, strict=False)
        if any(job.name == name and job.location == location for job in self._active()):
            raise Refusal(
                "ALREADY_EXISTS",
                f"There is already an active job named {name}. If you want to submit a second job, try "
                "again by setting a different name.",
            )
        job: Any = df.Job(
            id=f"2026-11-22_{self.tick()}-1",
            name=name,
            location=location,
            labels=labels,
            current_state=state,
            type_=df.JobType.JOB_TYPE_STREAMING if streaming else df.JobType.JOB_TYPE_BATCH,
            create_time={"seconds": self.tick()},
        )
        self.jobs[job.id] = job
        return job

    def began(self, job: Any, template: str, parameters: Mapping[str, str], environment: Any) -> None:
        """A launch was accepted: for whoever wants to run it."""

    def stopping(self, job: Any) -> None:
        """A job was told to stop, or to drain."""

    def _active(self) -> list[Any]:
        return [job for job in self.jobs.values() if job.current_state not in ENDED]

    def _flex(self, request: df.LaunchFlexTemplateRequest) -> df.LaunchFlexTemplateResponse:
        launch = request.launch_parameter
        if not launch.container_spec_gcs_path.startswith("gs://"):
            raise Refusal("INVALID_ARGUMENT", "container_spec_gcs_path must be a Cloud Storage path")
        labels = dict(launch.environment.additional_user_labels)
        streams = _streams(launch.parameters, launch.environment)
        job = self.start(launch.job_name, request.location, labels, State.JOB_STATE_QUEUED, streaming=streams)
        self.launched.append(request)
        answer = df.LaunchFlexTemplateResponse(job=_summary(job))
        self.began(job, launch.container_spec_gcs_path, launch.parameters, launch.environment)
        return answer

    def _classic(self, request: df.LaunchTemplateRequest) -> df.LaunchTemplateResponse:
        launch = request.launch_parameters
        if not request.gcs_path.startswith("gs://"):
            raise Refusal("INVALID_ARGUMENT", "gcs_path must be a Cloud Storage path")
        labels = dict(launch.environment.additional_user_labels)
        streams = _streams(launch.parameters, launch.environment)
        job = self.start(
            launch.job_name, request.location, labels, State.JOB_STATE_PENDING, streaming=streams
        )
        self.launched.append(request)
        answer = df.LaunchTemplateResponse(job=_summary(job))
        self.began(job, request.gcs_path, launch.parameters, launch.environment)
        return answer

    def _get(self, request: df.GetJobRequest) -> df.Job:
        job = self.jobs.get(request.job_id)
        if job is None or job.location != request.location:
            raise Refusal("NOT_FOUND", f"(e5f2): Information about job {request.job_id} could not be found")
        return job if request.view == df.JobView.JOB_VIEW_DESCRIPTION else _summary(job)

    def _list(self, request: df.ListJobsRequest) -> df.ListJobsResponse:
        found = [
            _summary(job)
            for job in reversed(self.jobs.values())
            # Nobody documents how names are matched: the weaker reading.
            if job.location == request.location and job.name.startswith(request.name)
        ]
        start = int(request.page_token or 0)
        after = start + self.page_size
        token = str(after) if after < len(found) else ""
        return df.ListJobsResponse(jobs=found[start:after], next_page_token=token)

    def _update(self, request: df.UpdateJobRequest) -> Any:
        job: Any = self._get(df.GetJobRequest(job_id=request.job_id, location=request.location, view=3))
        if job.current_state in ENDED:
            message = "(f1e2): Could not modify workflow; workflow is in a terminal state"
            raise Refusal("FAILED_PRECONDITION", f"{message}: {job.current_state.name}")
        drains = request.job.requested_state == State.JOB_STATE_DRAINED
        if drains and job.current_state not in {State.JOB_STATE_RUNNING, State.JOB_STATE_DRAINING}:
            message = f"(a1b2): The job can't be drained in state {job.current_state.name}"
            raise Refusal("FAILED_PRECONDITION", message)
        if drains and job.type_ != df.JobType.JOB_TYPE_STREAMING:
            raise Refusal("FAILED_PRECONDITION", "(c3d4): Only a streaming job can be drained")
        job.requested_state = request.job.requested_state
        job.current_state = State.JOB_STATE_DRAINING if drains else State.JOB_STATE_CANCELLING
        self.stopping(job)
        return job

    def _list_messages(self, request: df.ListJobMessagesRequest) -> df.ListJobMessagesResponse:
        texts = self.messages.get(request.job_id, [])
        return df.ListJobMessagesResponse(job_messages=[df.JobMessage(message_text=text) for text in texts])


def _streams(parameters: Mapping[str, str], environment: Any) -> bool:
    """Nobody but its code knows whether a job streams; what says so as a rule is taken for it."""
    return parameters.get("streaming") == "true" or bool(environment.enable_streaming_engine)


def _summary(job: df.Job) -> df.Job:
    """A summary has no labels."""
    summary = df.Job(job)
    summary.labels = {}
    return summary
