"""Dataproc's workflow templates: inline ones, their operations, and the jobs and clusters that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.cloud import dataproc_v1 as dp
from google.longrunning import operations_pb2 as lro  # type: ignore[import-untyped]
from google.protobuf import any_pb2, empty_pb2

from onward.local.standins.clusters import ClustersStandIn
from onward.local.standins.dataproc import JobState
from onward.local.standins.rules import check, check_labels
from onward.local.standins.server import Method, Refusal

_STEP = "[A-Za-z0-9][A-Za-z0-9_-]{1,48}[A-Za-z0-9]"
NodeState = dp.WorkflowNode.NodeState


class TemplatesStandIn(ClustersStandIn):
    """Operations by name. A request id is taken only while a workflow of that id runs."""

    def __init__(self, *clusters: str) -> None:
        super().__init__(*clusters)
        self.operations: dict[str, Any] = {}
        self.stopped: list[str] = []
        """Workflows that were told to stop."""
        self.refuses = False
        """Whether a repeat of a running workflow is refused, or answered with its operation."""
        self.waits = False
        """Whether a new workflow does nothing yet."""
        self._tags: dict[str, str] = {}
        self.templates: dict[str, Any] = {}

    def services(self) -> dict[str, dict[str, Method]]:
        """See `StandIn`."""
        found = super().services()
        package, inline = "google.cloud.dataproc.v1", dp.InstantiateInlineWorkflowTemplateRequest
        found[f"{package}.WorkflowTemplateService"] = {
            "InstantiateInlineWorkflowTemplate": (self._instantiate, inline, lro.Operation)
        }
        found[f"{package}.JobController"]["ListJobs"] = (
            self._list_jobs,
            dp.ListJobsRequest,
            dp.ListJobsResponse,
        )
        found["google.longrunning.Operations"] |= {
            "GetOperation": (self._get_operation, lro.GetOperationRequest, lro.Operation),
            "ListOperations": (
                self._list_operations,
                lro.ListOperationsRequest,
                lro.ListOperationsResponse,
            ),
        }
        return found

    def begin(self, name: str) -> None:
        """Create the workflow's cluster, if it has one of its own; else its jobs."""
        template, workflow = self.templates[name], self.workflow(name)
        if template.placement.managed_cluster.cluster_name:
            workflow.cluster_name = f"{template.placement.managed_cluster.cluster_name}-{self.tick()}"
            metadata = dp.ClusterOperationMetadata(
                cluster_name=workflow.cluster_name, operation_type="CREATE", labels=template.labels
            )
            creation = self._put(name.rpartition("/operations/")[0], metadata)
            workflow.create_cluster = dp.ClusterOperation(operation_id=creation, done=False)
        else:
            self._submit_all(template, workflow)
        self._update(name, workflow)

    def run(self, name: str) -> None:
        """The workflow's cluster is there: submit its jobs."""
        workflow = self.workflow(name)
        self._submit_all(self.templates[name], workflow)
        self._update(name, workflow)

    def finish(self, name: str, errors: Mapping[str, str] = {}, *, code: int = 0, message: str = "") -> None:
        """What becomes of a workflow: the error of each node that failed, and that of the operation."""
        workflow = self.workflow(name)
        workflow.state = dp.WorkflowMetadata.State.DONE
        for node in workflow.graph.nodes:
            failed = code or node.step_id in errors
            node.state = NodeState.FAILED if failed else NodeState.COMPLETED
            node.error = errors.get(node.step_id, "")
            if node.job_id:
                self.end_job(node.job_id, JobState.ERROR if failed else JobState.DONE)
        self._update(name, workflow)
        operation = self.operations[name]
        operation.done = True
        if code:
            operation.error.code, operation.error.message = code, message
        else:
            operation.response.Pack(empty_pb2.Empty())

    def forget_nodes(self, name: str) -> None:
        """A workflow that knows nothing of its jobs."""
        workflow = self.workflow(name)
        workflow.graph = dp.WorkflowGraph()
        self._update(name, workflow)

    def running_workflows(self) -> list[str]:
        """The operations that are workflows' and have not ended."""
        return [name for name in self.templates if not self.operations[name].done]

    def workflow(self, name: str) -> Any:
        """The metadata of a workflow's operation."""
        found = dp.WorkflowMetadata.pb(dp.WorkflowMetadata())
        self.operations[name].metadata.Unpack(found)
        return dp.WorkflowMetadata.wrap(found)

    def plant(self, place: str, labels: dict[str, str]) -> None:
        """A workflow with these labels, which runs."""
        template = {
            "labels": labels,
            "jobs": [{"step_id": "theirs"}],
            "placement": {"cluster_selector": {"cluster_labels": labels}},
        }
        self._instantiate(dp.InstantiateInlineWorkflowTemplateRequest(parent=place, template=template))

    def _instantiate(self, request: Any) -> Any:
        check("[A-Za-z0-9_-]{0,40}", request.request_id, "request id")
        first = self._tags.get(request.request_id, "")
        if first and not self.operations[first].done:
            if self.refuses:
                raise Refusal("ALREADY_EXISTS", f"Already exists: a workflow tagged {request.request_id}")
            return self.operations[first]
        template: Any = dp.WorkflowTemplate(request.template)
        check_labels(template.labels, 32, strict=True)
        if not template.jobs or not dp.WorkflowTemplate.pb(template).HasField("placement"):
            raise Refusal("INVALID_ARGUMENT", "a template needs jobs and a placement")
        for job in template.jobs:
            check(_STEP, job.step_id, "step id")
        nodes = [dp.WorkflowNode(step_id=job.step_id, state=NodeState.RUNNABLE) for job in template.jobs]
        workflow = dp.WorkflowMetadata(
            graph=dp.WorkflowGraph(nodes=nodes),
            state=dp.WorkflowMetadata.State.PENDING,
            start_time={"seconds": self.tick()},
        )
        name = self._put(request.parent, workflow)
        self.templates[name] = template
        if request.request_id:
            self._tags[request.request_id] = name
        if not self.waits:
            self.begin(name)
        return self.operations[name]

    def _submit_all(self, template: Any, workflow: Any) -> None:
        for node, ordered in zip(workflow.graph.nodes, template.jobs, strict=True):
            node.job_id, node.state = f"{node.step_id}-{self.tick()}", NodeState.RUNNING
            self.jobs[node.job_id] = dp.Job(
                reference={"job_id": node.job_id},
                labels={**ordered.labels, **template.labels, "goog-dataproc-workflow-step-id": node.step_id},
                status={"state": JobState.RUNNING},
            )

    def _put(self, place: str, metadata: Any) -> str:
        operation = lro.Operation(name=f"{place}/operations/{self.tick()}")
        self.operations[operation.name] = operation
        self._update(operation.name, metadata)
        return str(operation.name)

    def _update(self, name: str, metadata: Any) -> None:
        packed = any_pb2.Any()
        packed.Pack(type(metadata).pb(metadata))
        self.operations[name].metadata.CopyFrom(packed)

    def _list_jobs(self, request: dp.ListJobsRequest) -> dp.ListJobsResponse:
        key, _, value = request.filter.removeprefix("labels.").partition(" = ")
        return dp.ListJobsResponse(
            jobs=[job for job in self.jobs.values() if not key or job.labels.get(key) == value]
        )

    def _get_operation(self, request: Any) -> Any:
        if request.name not in self.operations:
            raise Refusal("NOT_FOUND", f"Not found: Operation {request.name}")
        return self.operations[request.name]

    def _list_operations(self, request: Any) -> Any:
        found = [each for each in self.operations.values() if each.name.startswith(f"{request.name}/")]
        found.reverse()
        start = int(request.page_token or 0)
        after = start + self.page_size
        token = str(after) if after < len(found) else ""
        return lro.ListOperationsResponse(operations=found[start:after], next_page_token=token)

    def cancel_operation(self, request: Any) -> empty_pb2.Empty:
        """See `DataprocStandIn`."""
        if request.name not in self.operations:
            return super().cancel_operation(request)
        if self.operations[request.name].done:
            raise Refusal("FAILED_PRECONDITION", f"Operation {request.name} is done")
        self.stopped.append(request.name)
        return empty_pb2.Empty()
