"""Dataproc's serverless batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from onward.core.events import JobState
from onward.core.pipeline import DAY, MINUTE, SECOND, Dataproc, Step
from onward.ports import JobRef, JobRequest, Status
from onward.services.bodies import message, reserve
from onward.services.clients import Clients
from onward.services.dataproc_jobs import endpoint, request_id
from onward.services.labels import labels
from onward.services.links import at
from onward.services.resources import BATCH, check, fields
from onward.services.service import Job
from onward.services.settings import Files, Settings
from onward.services.spark import properties, short_form

if TYPE_CHECKING:
    from google.cloud import dataproc_v1

_ENDED = {"SUCCEEDED": JobState.SUCCEEDED, "FAILED": JobState.FAILED, "CANCELLED": JobState.CANCELLED}


class Batches:
    """See `service.Api`. The verdict is the batch's own state: the operation of a cancelled one succeeds."""

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
        project, region = self._settings.place(request.step)
        parent = f"projects/{project}/locations/{region}"
        create = dataproc_v1.CreateBatchRequest(
            parent=parent,
            batch=self.batch(request),
            batch_id=request.name,
            request_id=request_id(request.name),
        )
        self._client(region).create_batch(create, retry=None, timeout=seconds)
        return f"{parent}/batches/{request.name}"

    def read(self, job: str, seconds: float) -> Job:
        """See `service.Api`."""
        batch = self._get(job, seconds)
        state = _ENDED.get(batch.state.name, JobState.RUNNING)
        error = "" if state in {JobState.RUNNING, JobState.SUCCEEDED} else batch.state_message
        return Job(batch.labels, Status(state, job, error=error))

    def named(self, ref: JobRef, seconds: float) -> Sequence[Job]:
        """See `service.Api`."""
        project, region = self._settings.place(ref.step)
        return (self.read(f"projects/{project}/locations/{region}/batches/{ref.name}", seconds),)

    def cancel(self, job: str, seconds: float) -> None:
        """See `service.Api`."""
        # A batch is cancelled through the operation that created it.
        operation = self._get(job, seconds).operation
        (region,) = at(job, "locations")
        self._client(region).cancel_operation({"name": operation}, retry=None, timeout=seconds)

    def _get(self, name: str, seconds: float) -> dataproc_v1.Batch:
        from google.cloud import dataproc_v1

        (region,) = at(name, "locations")
        get = dataproc_v1.GetBatchRequest(name=name)
        return self._client(region).get_batch(get, retry=None, timeout=seconds)

    def _client(self, region: str) -> dataproc_v1.BatchControllerClient:
        from google.cloud import dataproc_v1

        return self._clients.get(dataproc_v1.BatchControllerClient, endpoint(region))

    def batch(self, request: JobRequest) -> dataproc_v1.Batch:
        """The batch to create. Raises `Refused` for what can be none."""
        from google.cloud import dataproc_v1

        does = request.step.does
        assert isinstance(does, Dataproc)
        reserve("batch", does.batch, ("name", "uuid", "state", "operation"), "Onward names its jobs")
        own: dict[str, Any] = {"labels": labels(request, self._settings.labels)}
        return message(
            dataproc_v1.Batch,
            ("resources", _fuse(request.step)),
            ("resources", fields(BATCH, self._settings, request.step.resources)),
            ("properties", {"runtimeConfig": {"properties": properties(request.step)}}),
            (
                "batch",
                short_form(request, "Batch", self._files) or does.batch,
            ),
            ("batch", own),
        )


def _fuse(step: Step) -> dict[str, Any]:
    """Ends the batch by itself a little after the step's time limit, should nobody be there to cancel it."""
    if step.timeout is None:
        return {}
    seconds = min(max(step.timeout + 5 * MINUTE, 10 * MINUTE), 14 * DAY) // SECOND
    return {"environmentConfig": {"executionConfig": {"ttl": f"{seconds}s"}}}
