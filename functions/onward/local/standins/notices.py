"""What Google Cloud tells when a job has ended or an object is final, in its own words.

Dataproc and Cloud Workflows write log entries, which a sink publishes; Dataflow has an event of its own,
which Eventarc publishes with its attributes; a bucket publishes its notifications itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

_FAILED = 10  # google.rpc.Code.ABORTED is what Dataproc's agent reports
_CANCELLED = 1


class Notice(NamedTuple):
    """A message that the platform publishes. `about` names the job or object that it is about."""

    about: str
    data: bytes
    attributes: Mapping[str, str]


def job_ended(project: str, region: str, job: Any, operation: str) -> Notice:
    """The last audit entry of a Dataproc job's operation. `job` is a `dataproc_v1.Job`."""
    job_id = job.reference.job_id
    page = f"https://console.cloud.google.com/dataproc/jobs/{job_id}"
    return _audit(
        "google.cloud.dataproc.v1.JobController.SubmitJobAsOperation",
        f"projects/{project}/regions/{region}/jobs/{job_id}",
        region,
        {
            "type": "cloud_dataproc_cluster",
            "labels": {
                "project_id": project,
                "region": region,
                "cluster_name": job.placement.cluster_name,
                "cluster_uuid": job.placement.cluster_uuid,
            },
        },
        _status(job.status.state.name, page),
        operation,
    )


def batch_ended(batch: Any) -> Notice:
    """The last audit entry of the operation that created a batch, a `dataproc_v1.Batch`."""
    _, project, _, location, _, batch_id = batch.name.split("/")
    page = f"https://console.cloud.google.com/dataproc/batches/{location}/{batch_id}?project={project}"
    # The operation of a cancelled batch ends without an error.
    state = "SUCCEEDED" if batch.state.name == "CANCELLED" else batch.state.name
    return _audit(
        "google.cloud.dataproc.v1.BatchController.CreateBatch",
        batch.name,
        location,
        {
            "type": "cloud_dataproc_batch",
            "labels": {"project_id": project, "location": location, "batch_id": batch_id},
        },
        _status(state, page),
        batch.operation,
    )


def cluster_changed(project: str, region: str, cluster: Any, operation: str, method: str) -> Notice:
    """The last audit entry of `CreateCluster` or `DeleteCluster`. `cluster` is a `dataproc_v1.Cluster`."""
    name = cluster.cluster_name
    about = {"project_id": project, "region": region, "cluster_name": name}
    return _audit(
        f"google.cloud.dataproc.v1.ClusterController.{method}",
        f"projects/{project}/regions/{region}/clusters/{name}",
        region,
        {"type": "cloud_dataproc_cluster", "labels": {**about, "cluster_uuid": cluster.cluster_uuid}},
        {},
        operation,
    )


def workflow_ended(operation: str) -> Notice:
    """The last audit entry of an inline workflow template. What it ran is the operation, a full name."""
    place, _, _ = operation.rpartition("/operations/")
    _, project, _, region = place.split("/")
    method = "google.cloud.dataproc.v1.WorkflowTemplateService.InstantiateInlineWorkflowTemplate"
    about = {"project_id": project, "service": "dataproc.googleapis.com", "method": method}
    monitored = {"type": "audited_resource", "labels": about}
    return _audit(method, f"{place}/workflowTemplates/inline", region, monitored, {}, operation)


def execution_ended(execution: Any) -> Notice:
    """Cloud Workflows' entry about an `executions_v1.Execution`. Its labels are not in it."""
    _, project, _, location, _, workflow, _, execution_id = execution.name.split("/")
    now = _now()
    state = execution.state.name
    payload: dict[str, Any] = {
        "@type": "type.googleapis.com/google.cloud.workflows.type.ExecutionsSystemLog",
        "activityTime": now,
        "state": state,
        "message": f"Execution of workflow {'was cancelled' if state == 'CANCELLED' else state.lower()}.",
    }
    match state:
        case "SUCCEEDED":
            payload["success"] = {"result": execution.result}
        case "FAILED":
            payload["failure"] = {"exception": execution.error.payload, "source": execution.error.context}
    entry = {
        "insertId": f"wfx-{execution_id}",
        "jsonPayload": payload,
        "resource": {
            "type": "workflows.googleapis.com/Workflow",
            "labels": {"project_id": project, "location": location, "workflow_id": workflow},
        },
        "timestamp": now,
        "severity": "ERROR" if state == "FAILED" else "INFO",
        "labels": {
            "workflows.googleapis.com/execution_id": execution_id,
            "workflows.googleapis.com/revision_id": "000001-000",
        },
        "logName": f"projects/{project}/logs/workflows.googleapis.com%2Fexecutions_system",
        "receiveTimestamp": now,
    }
    return _sunk(execution.name, entry)


def job_changed(project: str, job: Any) -> Notice:
    """Eventarc's event that a Dataflow job, a `dataflow_v1beta3.Job`, has come to its state."""
    now = _now()
    payload = {
        "id": job.id,
        "projectId": project,
        "name": job.name,
        "type": job.type_.name if job.type_ else "JOB_TYPE_BATCH",
        "currentState": job.current_state.name,
        "currentStateTime": now,
        "location": job.location,
        "labels": dict(job.labels),
    }
    data = {
        "@type": "type.googleapis.com/google.events.cloud.dataflow.v1beta3.JobEventData",
        "payload": payload,
    }
    attributes = {
        "ce-specversion": "1.0",
        "ce-type": "google.cloud.dataflow.job.v1beta3.statusChanged",
        "ce-id": f"{job.id}-{job.current_state.name}",
        "ce-source": f"//dataflow.googleapis.com/projects/{project}/locations/{job.location}",
        "ce-subject": f"jobs/{job.name}",
        "ce-time": now,
        "ce-location": job.location,
        "ce-job": job.name,
        "Content-Type": "application/json",
    }
    return Notice(job.id, msgspec.json.encode(data), attributes)


def object_final(resource: Mapping[str, Any]) -> Notice:
    """A bucket's notification of a new object, by its resource as the JSON API gives it."""
    bucket, name = resource["bucket"], resource["name"]
    attributes = {
        "notificationConfig": f"projects/_/buckets/{bucket}/notificationConfigs/1",
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
        "bucketId": bucket,
        "objectId": name,
        "objectGeneration": resource["generation"],
        "eventTime": resource["updated"],
    }
    return Notice(f"gs://{bucket}/{name}", msgspec.json.encode(resource), attributes)


def _status(state: str, page: str) -> dict[str, Any]:
    match state:
        case "ERROR" | "FAILED":
            where = f"If logs are available, they can be found at: {page}"
            message = f"Google Cloud Dataproc Agent reports job failure. {where}"
            return {"code": _FAILED, "message": message}
        case "CANCELLED":
            return {"code": _CANCELLED, "message": "Job was cancelled by user"}
        case _:
            return {}


def _audit(  # noqa: PLR0913, PLR0917 - what differs between the services
    method: str, resource: str, location: str, monitored: Any, status: dict[str, Any], operation: str
) -> Notice:
    now = _now()
    project = resource.split("/")[1]
    entry = {
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "status": status,
            "authenticationInfo": {"principalEmail": f"onward@{project}.iam.gserviceaccount.com"},
            "requestMetadata": {
                "callerIp": "127.0.0.1",
                "requestAttributes": {"time": now, "auth": {}},
                "destinationAttributes": {},
            },
            "serviceName": "dataproc.googleapis.com",
            "methodName": method,
            "resourceName": resource,
            "resourceLocation": {"currentLocations": [location]},
        },
        "insertId": operation.rpartition("/")[2],
        "resource": monitored,
        "timestamp": now,
        "severity": "ERROR" if status else "NOTICE",
        "logName": f"projects/{project}/logs/cloudaudit.googleapis.com%2Factivity",
        "operation": {"id": operation, "producer": "dataproc.googleapis.com", "last": True},
        "receiveTimestamp": now,
    }
    return _sunk(resource, entry)


def _sunk(about: str, entry: dict[str, Any]) -> Notice:
    """As a sink publishes it."""
    data = msgspec.json.encode(entry)
    return Notice(about, data, {"logging.googleapis.com/timestamp": entry["timestamp"]})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
