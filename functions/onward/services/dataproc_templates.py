"""Dataproc's workflow templates, given inline.

The service names a workflow's operation itself. Its request id only keeps two of the same id from running at
the same time: a repeat after the end would run everything again. So a repeated submit looks before it leaps.
Neither an operation nor its metadata has labels, but the jobs and the cluster that a template makes inherit
its labels; they lead to their operation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from onward.core.events import JobState
from onward.core.pipeline import DAY, MINUTE, SECOND, Dataproc, Step
from onward.ports import JobRef, JobRequest, Status
from onward.services.bodies import message, reserve
from onward.services.clients import Clients
from onward.services.dataproc_jobs import endpoint, request_id
from onward.services.labels import JOB, labels
from onward.services.links import at
from onward.services.resources import check
from onward.services.service import Job
from onward.services.settings import Settings

if TYPE_CHECKING:
    from google.cloud import dataproc_v1

_CANCELLED = 1
"""google.rpc.Code.CANCELLED"""


class InlineTemplates:
    """See `service.Api`. A job is the operation of a workflow."""

    title = "Dataproc"
    refuses_repeats = False

    def __init__(self, settings: Settings, clients: Clients) -> None:
        self._settings = settings
        self._clients = clients

    def create(self, request: JobRequest, seconds: float) -> str:
        """See `service.Api`."""
        from google.cloud import dataproc_v1

        check(request.step)
        parent = self._parent(request.step)
        instantiate = dataproc_v1.InstantiateInlineWorkflowTemplateRequest(
            parent=parent, template=self.template(request), request_id=request_id(request.name)
        )
        client = _client(self._clients, parent)
        started = client.instantiate_inline_workflow_template(instantiate, retry=None, timeout=seconds)
        return str(started.operation.name)

    def read(self, job: str, seconds: float) -> Job:
        """See `service.Api`."""
        operation = _client(self._clients, job).get_operation({"name": job}, retry=None, timeout=seconds)
        return Job({}, _status(operation))

    def named(self, ref: JobRef, seconds: float) -> Sequence[Job]:
        """See `service.Api`. Those that have begun to do anything."""
        from google.cloud import dataproc_v1

        parent = self._parent(ref.step)
        project, region = at(parent, "projects", "regions")
        listing = dataproc_v1.ListJobsRequest(
            project_id=project, region=region, filter=f"labels.{JOB} = {ref.name}"
        )
        jobs = self._clients.get(dataproc_v1.JobControllerClient, endpoint(region))
        made = {job.reference.job_id for job in jobs.list_jobs(listing, retry=None, timeout=seconds)}
        workflows: list[tuple[Any, Any, set[str]]] = []
        for operation in self._operations(parent, seconds):
            if (cluster := cluster_operation(operation)) and cluster.labels.get(JOB) == ref.name:
                made.add(operation.name.rpartition("/")[2])
            elif workflow := workflow_operation(operation):
                workflows.append((workflow.start_time, operation, _makes(workflow)))
        ours = [each for each in workflows if not made.isdisjoint(each[2])]
        ours.sort(key=lambda each: each[0])
        return [Job({JOB: ref.name}, _status(operation)) for _, operation, _ in ours]

    def cancel(self, job: str, seconds: float) -> None:
        """See `service.Api`."""
        _client(self._clients, job).cancel_operation({"name": job}, retry=None, timeout=seconds)

    def _parent(self, step: Step) -> str:
        project, region = self._settings.place(step)
        return f"projects/{project}/regions/{region}"

    def _operations(self, parent: str, seconds: float) -> Iterator[Any]:
        listing = {"name": f"{parent}/operations", "page_token": ""}
        while True:
            page = _client(self._clients, parent).list_operations(listing, retry=None, timeout=seconds)
            yield from page.operations
            if not page.next_page_token:
                return
            listing["page_token"] = page.next_page_token

    def template(self, request: JobRequest) -> dataproc_v1.WorkflowTemplate:
        """The template to run. Raises `Refused` for what can be none."""
        from google.cloud import dataproc_v1

        does = request.step.does
        assert isinstance(does, Dataproc)
        reserve("template", does.template, ("name", "version"), "an inline template is nowhere kept")
        return message(
            dataproc_v1.WorkflowTemplate,
            ("template", _fuse(request.step)),
            ("template", does.template),
            ("template", {"labels": labels(request, self._settings.labels)}),
        )


def workflow_operation(operation: Any) -> dataproc_v1.WorkflowMetadata | None:
    """What an operation says of a workflow, if it is one's."""
    from google.cloud.dataproc_v1 import WorkflowMetadata

    found = WorkflowMetadata.pb(WorkflowMetadata())
    wrapped: WorkflowMetadata = WorkflowMetadata.wrap(found)
    return wrapped if operation.metadata.Unpack(found) else None


def cluster_operation(operation: Any) -> dataproc_v1.ClusterOperationMetadata | None:
    """What an operation says of a cluster, if it is about one."""
    from google.cloud.dataproc_v1 import ClusterOperationMetadata

    found = ClusterOperationMetadata.pb(ClusterOperationMetadata())
    wrapped: ClusterOperationMetadata = ClusterOperationMetadata.wrap(found)
    return wrapped if operation.metadata.Unpack(found) else None


def _makes(workflow: dataproc_v1.WorkflowMetadata) -> set[str]:
    """The ids of its jobs, and of the operation that creates its cluster."""
    creation = workflow.create_cluster.operation_id.rpartition("/")[2]
    return {*(node.job_id for node in workflow.graph.nodes), creation} - {""}


def _client(clients: Clients, place: str) -> dataproc_v1.WorkflowTemplateServiceClient:
    from google.cloud import dataproc_v1

    (region,) = at(place, "regions")
    return clients.get(dataproc_v1.WorkflowTemplateServiceClient, endpoint(region))


def _status(operation: Any) -> Status:
    """The verdict is that of the workflow's nodes: an operation may end well although one of them failed."""
    if not operation.done:
        return Status(JobState.RUNNING, operation.name)
    workflow = workflow_operation(operation)
    nodes = list(workflow.graph.nodes) if workflow is not None else []
    short = [node for node in nodes if node.state.name != "COMPLETED"]
    if nodes and not short and not operation.error.code:
        return Status(JobState.SUCCEEDED, operation.name)
    why = [f"{node.step_id}: {node.error}" for node in short if node.error]
    said = operation.error.message
    error = "\n".join([said] * bool(said) + why) or "the workflow ended before all of its jobs were done"
    state = JobState.CANCELLED if operation.error.code == _CANCELLED else JobState.FAILED
    return Status(state, operation.name, error=error)


def _fuse(step: Step) -> dict[str, Any]:
    """Ends the jobs by themselves a little after the step's time limit; the service's own limit is a day."""
    if step.timeout is None or step.timeout + 5 * MINUTE > DAY:
        return {}
    return {"dagTimeout": f"{max(step.timeout + 5 * MINUTE, 10 * MINUTE) // SECOND}s"}
