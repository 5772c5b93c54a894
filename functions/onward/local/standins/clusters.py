"""Dataproc's clusters: ClusterController, and the jobs that only a running cluster takes."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

from google.cloud import dataproc_v1 as dp
from google.longrunning import operations_pb2 as lro  # type: ignore[import-untyped]

from onward.local.standins.dataproc import DataprocStandIn
from onward.local.standins.rules import check, check_labels
from onward.local.standins.server import Method, Refusal

_NAME = "[a-z]([a-z0-9-]{0,49}[a-z0-9])?"
_POLICY = (
    "(https://www.googleapis.com/compute/v1/)?projects/{}/locations/{}/autoscalingPolicies/[A-Za-z0-9_-]+"
)
_TERM = re.compile(r"(labels\.(?P<label>[a-z0-9-]+)|status\.state|clusterName) = (?P<value>[^ ]+)")
_TTLS = {
    "idle_delete_ttl": (timedelta(minutes=5), timedelta(days=14)),
    "auto_delete_ttl": (timedelta(minutes=10), timedelta(days=14)),
}
State = dp.ClusterStatus.State
TAKES_JOBS = {State.RUNNING, State.UPDATING, State.ERROR_DUE_TO_UPDATE}


class ClustersStandIn(DataprocStandIn):
    """Clusters by name, which is unique while there is a cluster, in whatever state."""

    def __init__(self, *clusters: str) -> None:
        super().__init__(*clusters)
        self.made: dict[str, Any] = {}
        self.page_size = 100

    def services(self) -> dict[str, dict[str, Method]]:
        """See `StandIn`."""
        found = super().services()
        found["google.cloud.dataproc.v1.ClusterController"] = {
            "CreateCluster": (self._create_cluster, dp.CreateClusterRequest, lro.Operation),
            "DeleteCluster": (self._delete_cluster, dp.DeleteClusterRequest, lro.Operation),
            "GetCluster": (self._get_cluster, dp.GetClusterRequest, dp.Cluster),
            "ListClusters": (self._list_clusters, dp.ListClustersRequest, dp.ListClustersResponse),
        }
        return found

    def put(self, cluster: Any, state: int) -> None:
        """A cluster that is there, in that state."""
        cluster.cluster_uuid = str(UUID(int=self.tick()))
        cluster.status = dp.ClusterStatus(state=state)
        self.made[cluster.cluster_name] = cluster

    def turn(self, name: str, state: int, detail: str = "") -> None:
        """What becomes of a cluster."""
        self.made[name].status = dp.ClusterStatus(state=state, detail=detail)

    def vanish(self, name: str) -> None:
        """Its deletion is done; its name is free."""
        del self.made[name]

    def creating(self, project: str, region: str, cluster: Any, operation: str) -> None:
        """A cluster was accepted: for whoever wants it to be there."""

    def deleting(self, project: str, region: str, cluster: Any, operation: str) -> None:
        """A cluster is to go."""

    def check_cluster(self, name: str) -> None:
        """See `DataprocStandIn`."""
        if name not in self.made:
            super().check_cluster(name)
        elif self.made[name].status.state not in TAKES_JOBS:
            state = self.made[name].status.state.name
            raise Refusal("FAILED_PRECONDITION", f"Cluster {name} is in state {state} and takes no jobs")

    def _create_cluster(self, request: dp.CreateClusterRequest) -> lro.Operation:
        if answer := self.answered(request.request_id):
            return answer
        cluster: Any = dp.Cluster(request.cluster)
        if cluster.project_id not in {"", request.project_id}:
            raise Refusal("INVALID_ARGUMENT", "cluster.project_id must be the request's")
        check(_NAME, cluster.cluster_name, "cluster name")
        check_labels(cluster.labels, 32, strict=True)
        _check_config(cluster.config, request)
        if cluster.cluster_name in self.made or cluster.cluster_name in self.clusters:
            name = f"projects/{request.project_id}/regions/{request.region}/clusters/{cluster.cluster_name}"
            raise Refusal("ALREADY_EXISTS", f"Already exists: Failed to create cluster: Cluster {name}")
        self.put(cluster, State.CREATING)
        answer = self.operation(request.request_id, f"{request.project_id}/regions/{request.region}")
        self.creating(request.project_id, request.region, cluster, answer.name)
        return answer

    def _delete_cluster(self, request: dp.DeleteClusterRequest) -> lro.Operation:
        if answer := self.answered(request.request_id):
            return answer
        cluster = self.made.get(request.cluster_name)
        if cluster is None or request.cluster_uuid not in {"", cluster.cluster_uuid}:
            raise Refusal("NOT_FOUND", f"Not found: Cluster {request.cluster_name} {request.cluster_uuid}")
        if cluster.status.state == State.DELETING:
            message = f"Cannot delete cluster '{request.cluster_name}' while it has other pending delete"
            raise Refusal("FAILED_PRECONDITION", f"{message} operations")
        self.turn(request.cluster_name, State.DELETING)
        answer = self.operation(request.request_id, f"{request.project_id}/regions/{request.region}")
        self.deleting(request.project_id, request.region, cluster, answer.name)
        return answer

    def _get_cluster(self, request: dp.GetClusterRequest) -> Any:
        if request.cluster_name not in self.made:
            raise Refusal("NOT_FOUND", f"Not found: Cluster {request.cluster_name}")
        return self.made[request.cluster_name]

    def _list_clusters(self, request: dp.ListClustersRequest) -> dp.ListClustersResponse:
        terms = _terms(request.filter)
        found = [cluster for cluster in self.made.values() if all(term(cluster) for term in terms)]
        start = int(request.page_token or 0)
        after = start + self.page_size
        token = str(after) if after < len(found) else ""
        return dp.ListClustersResponse(clusters=found[start:after], next_page_token=token)


def _terms(text: str) -> list[Any]:
    terms = []
    for term in text.split(" AND ") if text else []:
        found = _TERM.fullmatch(term)
        if found is None:
            raise Refusal("INVALID_ARGUMENT", f"Invalid filter: {term!r}")
        terms.append(_term(found))
    return terms


def _term(found: re.Match[str]) -> Any:
    label, value = found["label"], found["value"]
    if label:
        return lambda cluster: label in cluster.labels and value in {"*", cluster.labels[label]}
    if found[1] == "clusterName":
        return lambda cluster: cluster.cluster_name == value
    return lambda cluster: cluster.status.state.name == value


def _check_config(config: Any, request: dp.CreateClusterRequest) -> None:
    for field, (least, most) in _TTLS.items():
        if field in config.lifecycle_config and not least <= getattr(config.lifecycle_config, field) <= most:
            raise Refusal("INVALID_ARGUMENT", f"{field} must be from {least} to {most}")
    policy = config.autoscaling_config.policy_uri
    if policy:
        check(_POLICY.format(request.project_id, request.region), policy, "autoscaling policy")
    if config.gce_cluster_config.network_uri and config.gce_cluster_config.subnetwork_uri:
        raise Refusal("INVALID_ARGUMENT", "network_uri and subnetwork_uri are mutually exclusive")
    zero = config.software_config.properties.get("dataproc:dataproc.allow.zero.workers") == "true"
    if not config.worker_config.num_instances and not zero:
        raise Refusal("INVALID_ARGUMENT", "a cluster without workers must allow it")
