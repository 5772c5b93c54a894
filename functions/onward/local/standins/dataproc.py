"""Dataproc: JobController, BatchController and the operations that cancel batches."""

from __future__ import annotations

from typing import Any

from google.cloud import dataproc_v1 as dp
from google.longrunning import operations_pb2 as lro  # type: ignore[import-untyped]
from google.protobuf import empty_pb2

from onward.local.standins.rules import check, check_labels
from onward.local.standins.server import Method, Refusal, StandIn

_PACKAGE = "google.cloud.dataproc.v1"
_REQUEST_ID = "[A-Za-z0-9_-]{0,40}"
JobState = dp.JobStatus.State
BatchState = dp.Batch.State


class DataprocStandIn(StandIn):
    """Jobs by id, which is unique in the project, ended or not; batches by full name."""

    def __init__(self, *clusters: str) -> None:
        super().__init__()
        self.clusters = set(clusters)
        self.jobs: dict[str, Any] = {}
        self.batches: dict[str, Any] = {}
        self._answers: dict[str, lro.Operation] = {}

    def services(self) -> dict[str, dict[str, Method]]:
        """See `StandIn`."""
        return {
            f"{_PACKAGE}.JobController": {
                "SubmitJobAsOperation": (self._submit, dp.SubmitJobRequest, lro.Operation),
                "GetJob": (self._get_job, dp.GetJobRequest, dp.Job),
                "CancelJob": (self._cancel_job, dp.CancelJobRequest, dp.Job),
            },
            f"{_PACKAGE}.BatchController": {
                "CreateBatch": (self._create_batch, dp.CreateBatchRequest, lro.Operation),
                "GetBatch": (self._get_batch, dp.GetBatchRequest, dp.Batch),
            },
            "google.longrunning.Operations": {
                "CancelOperation": (self.cancel_operation, lro.CancelOperationRequest, empty_pb2.Empty),
            },
        }

    def end_job(self, job_id: str, state: int, details: str = "") -> None:
        """What the cluster's agent reports."""
        self.jobs[job_id].status = dp.JobStatus(state=state, details=details)

    def end_batch(self, name: str, state: int, message: str = "") -> None:
        """What becomes of a batch."""
        self.batches[name].state, self.batches[name].state_message = state, message

    def job_began(self, project: str, region: str, job: Any, operation: str) -> None:
        """A job was accepted: for whoever wants to run it."""

    def batch_began(self, batch: Any) -> None:
        """A batch was accepted."""

    def stopping(self, job: Any) -> None:
        """A job or a batch was told to stop."""

    def check_cluster(self, name: str) -> None:
        """Refuse what does not take jobs."""
        if name not in self.clusters:
            raise Refusal("NOT_FOUND", f"Not found: Cluster {name}")

    def answered(self, request_id: str) -> lro.Operation | None:
        """What the request of this id was answered, if it came before."""
        check(_REQUEST_ID, request_id, "request id")
        return self._answers.get(request_id)

    def operation(self, request_id: str, place: str) -> lro.Operation:
        """A new operation in that place, and the answer to all requests of that id."""
        answer = lro.Operation(name=f"projects/{place}/operations/{self.tick()}")
        if request_id:
            self._answers[request_id] = answer
        return answer

    def _submit(self, request: dp.SubmitJobRequest) -> lro.Operation:
        if answer := self.answered(request.request_id):
            return answer
        job = dp.Job(request.job)
        check("[A-Za-z0-9_-]{1,100}", job.reference.job_id, "job id")
        check_labels(job.labels, 32, strict=True)
        if not dp.Job.pb(job).WhichOneof("type_job"):
            raise Refusal("INVALID_ARGUMENT", "Job type must be set")
        self.check_cluster(job.placement.cluster_name)
        if job.reference.job_id in self.jobs:
            raise Refusal("ALREADY_EXISTS", f"Already exists: Job {job.reference.job_id}")
        job.status = dp.JobStatus(state=JobState.PENDING)
        self.jobs[job.reference.job_id] = job
        answer = self.operation(request.request_id, f"{request.project_id}/regions/{request.region}")
        self.job_began(request.project_id, request.region, job, answer.name)
        return answer

    def _get_job(self, request: dp.GetJobRequest) -> Any:
        if request.job_id not in self.jobs:
            raise Refusal("NOT_FOUND", f"Not found: Job projects/{request.project_id}/jobs/{request.job_id}")
        return self.jobs[request.job_id]

    def _cancel_job(self, request: dp.CancelJobRequest) -> Any:
        job = self._get_job(dp.GetJobRequest(project_id=request.project_id, job_id=request.job_id))
        if job.status.state not in {JobState.PENDING, JobState.RUNNING}:
            state = job.status.state.name
            message = f"Cannot cancel jobId {request.job_id!r} in state: {state!r}"
            raise Refusal("FAILED_PRECONDITION", f"{message}; cancellable states: '[PENDING, RUNNING]'")
        job.status = dp.JobStatus(state=JobState.CANCEL_PENDING)
        self.stopping(job)
        return job

    def _create_batch(self, request: dp.CreateBatchRequest) -> lro.Operation:
        check("[a-z0-9-]{4,63}", request.batch_id, "batch id")
        if answer := self.answered(request.request_id):
            return answer
        batch: Any = dp.Batch(request.batch)
        check_labels(batch.labels, 32, strict=True)
        if not dp.Batch.pb(batch).WhichOneof("batch_config"):
            raise Refusal("INVALID_ARGUMENT", "Batch config must be set")
        batch.name = f"{request.parent}/batches/{request.batch_id}"
        if batch.name in self.batches:
            raise Refusal("ALREADY_EXISTS", f"Already exists: {batch.name}")
        answer = self.operation(request.request_id, request.parent.removeprefix("projects/"))
        batch.operation, batch.state = answer.name, BatchState.PENDING
        self.batches[batch.name] = batch
        self.batch_began(batch)
        return answer

    def _get_batch(self, request: dp.GetBatchRequest) -> Any:
        if request.name not in self.batches:
            raise Refusal("NOT_FOUND", f"Not found: {request.name}")
        return self.batches[request.name]

    def cancel_operation(self, request: lro.CancelOperationRequest) -> empty_pb2.Empty:
        for batch in self.batches.values():
            if batch.operation == request.name and batch.state in {BatchState.PENDING, BatchState.RUNNING}:
                batch.state = BatchState.CANCELLING
                self.stopping(batch)
        return empty_pb2.Empty()
