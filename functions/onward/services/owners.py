"""Whose a job is that is known by an id of its service's own alone: its label says it."""

from __future__ import annotations

from collections.abc import Mapping

from onward.core.errors import Unavailable
from onward.ports import Owned, Status
from onward.services.clients import Clients
from onward.services.dataproc_jobs import endpoint
from onward.services.dataproc_templates import cluster_operation, workflow_operation
from onward.services.grpc_errors import said
from onward.services.labels import JOB
from onward.services.links import at
from onward.services.service import CALL_SECONDS
from onward.services.workflows import described


def execution(clients: Clients, name: str) -> Owned | None:
    """Whose job this execution of Cloud Workflows (a full name) is, and how it is. One read."""
    from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound
    from google.cloud.workflows import executions_v1 as wf

    get = wf.GetExecutionRequest(name=name, view=wf.ExecutionView.FULL)
    try:
        found = clients.get(wf.ExecutionsClient).get_execution(get, retry=None, timeout=CALL_SECONDS)
    except (NotFound, Forbidden):  # somebody else's, or somebody's invention
        return None
    except GoogleAPICallError as error:
        raise Unavailable(f"Cloud Workflows did not say whose {name} is: {said(error)}") from error
    return _owned(found.labels, described(found).status)


def workflow(clients: Clients, name: str) -> Owned | None:
    """Whose job this operation of a Dataproc workflow (a full name) is. Two reads.

    The labels of what it made say it: of its first job, or of the operation that created its cluster.
    """
    from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound

    try:
        return _owned(_made_by(clients, name))
    except (NotFound, Forbidden):
        return None
    except GoogleAPICallError as error:
        raise Unavailable(f"Dataproc did not say whose {name} is: {said(error)}") from error


def _owned(labels: Mapping[str, str], status: Status | None = None) -> Owned | None:
    return Owned(labels[JOB], status) if JOB in labels else None


def _made_by(clients: Clients, name: str) -> Mapping[str, str]:
    from google.cloud import dataproc_v1

    project, region = at(name, "projects", "regions")
    client = clients.get(dataproc_v1.WorkflowTemplateServiceClient, endpoint(region))
    found = workflow_operation(client.get_operation({"name": name}, retry=None, timeout=CALL_SECONDS))
    if found is None:
        return {}
    for node in found.graph.nodes:
        if node.job_id:
            get = dataproc_v1.GetJobRequest(project_id=project, region=region, job_id=node.job_id)
            jobs = clients.get(dataproc_v1.JobControllerClient, endpoint(region))
            return jobs.get_job(get, retry=None, timeout=CALL_SECONDS).labels
    creation = found.create_cluster.operation_id
    if not creation:
        return {}
    full = creation if "/" in creation else f"projects/{project}/regions/{region}/operations/{creation}"
    about = cluster_operation(client.get_operation({"name": full}, retry=None, timeout=CALL_SECONDS))
    return {} if about is None else about.labels
