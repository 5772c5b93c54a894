"""The clusters of a run's own: made for the first step that needs one, deleted by a compiled step.

Nothing is written down about them. Their labels and names say which run's they are, which of its clusters,
and which incarnation; so one listing is all there is to know, and what it says of the newest decides:

    running, updating    takes jobs
    being created        wait
    being deleted        its time was up: the next incarnation is created
    anything else        it is deleted, and the next incarnation is created; the third is not replaced
    none                 the first incarnation is created
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from onward.core.errors import Refused
from onward.core.naming import cluster_name, parse_job_name
from onward.core.pipeline import MINUTE, SECOND
from onward.ports import Clock, EphemeralCluster, JobRequest
from onward.services.bodies import message, reserve
from onward.services.clients import Clients
from onward.services.dataproc_jobs import endpoint
from onward.services.labels import JOB, of_cluster, value
from onward.services.resources import CLUSTER, fields
from onward.services.service import CALL_SECONDS, NotYet, time_left
from onward.services.settings import Settings

if TYPE_CHECKING:
    from google.cloud import dataproc_v1

MOST = 3
"""How many incarnations may fail."""
CREATION = 5 * MINUTE
"""How long to wait for a cluster, should nothing be heard of it."""
SHORTLY = 10 * SECOND
GOING = "DELETING"
_USABLE = frozenset(["RUNNING", "UPDATING", "ERROR_DUE_TO_UPDATE"])
_COMING = frozenset(["CREATING", "STARTING", "REPAIRING", "UNKNOWN"])
_OWN = ("projectId", "clusterName", "clusterUuid", "status", "statusHistory", "metrics")


class Incarnation(msgspec.Struct, frozen=True):
    """One of the clusters that have been a run's cluster."""

    n: int
    name: str
    uuid: str
    state: str
    """As the service calls it."""
    detail: str


class Clusters:
    """Finds, creates and deletes them. All are in the deployment's own project and region."""

    def __init__(self, settings: Settings, clients: Clients, clock: Clock) -> None:
        self._settings = settings
        self._clients = clients
        self._clock = clock

    def of(self, cluster: EphemeralCluster, seconds: float) -> list[Incarnation]:
        """What there is of a run's cluster, the newest first. One call."""
        from google.cloud import dataproc_v1

        wanted = (f"labels.{key} = {text}" for key, text in of_cluster(cluster).items())
        listing = dataproc_v1.ListClustersRequest(
            project_id=self._settings.project, region=self._settings.region, filter=" AND ".join(wanted)
        )
        found = []
        for each in self._client().list_clusters(listing, retry=None, timeout=seconds):
            owner = parse_job_name(each.cluster_name)
            if owner is not None and (owner.run, owner.number) == (cluster.run, cluster.number):
                status = each.status
                name, uuid = each.cluster_name, each.cluster_uuid
                found.append(Incarnation(owner.attempt, name, uuid, status.state.name, status.detail))
        return sorted(found, key=lambda each: -each.n)

    def prepare(self, request: JobRequest, found: Sequence[Incarnation]) -> NoReturn:
        """Do what brings a usable one nearer, and raise `NotYet`; or `Refused` when that would be in vain."""
        cluster = request.cluster
        assert cluster is not None
        name, newest = cluster.cluster.name, found[0] if found else None
        if newest is not None and newest.state in _COMING:
            raise NotYet(f"cluster {name} is being created", CREATION)
        if newest is not None and newest.state != GOING:
            what = f"cluster {name} is in state {newest.state}: {newest.detail or 'no reason given'}"
            if newest.n >= MOST:
                raise Refused(f"{what} (created {newest.n} times)")
            self.delete(newest, time_left(request, self._clock))
        self._create(request, cluster, newest.n + 1 if newest else 1)
        raise NotYet(f"cluster {name} is being created", CREATION)

    def delete(self, incarnation: Incarnation, seconds: float) -> None:
        """Delete this incarnation, and no other cluster that may have come to its name."""
        from google.api_core.exceptions import FailedPrecondition, NotFound
        from google.cloud import dataproc_v1

        delete = dataproc_v1.DeleteClusterRequest(
            project_id=self._settings.project,
            region=self._settings.region,
            cluster_name=incarnation.name,
            cluster_uuid=incarnation.uuid,
        )
        with suppress(NotFound, FailedPrecondition):  # gone, or going; whoever looks next sees if it is not
            self._client().delete_cluster(delete, retry=None, timeout=seconds)

    def resource(self, name: str) -> str:
        """A cluster's resource name."""
        return f"projects/{self._settings.project}/regions/{self._settings.region}/clusters/{name}"

    def _create(self, request: JobRequest, cluster: EphemeralCluster, n: int) -> None:
        from google.api_core.exceptions import AlreadyExists
        from google.cloud import dataproc_v1

        name = cluster_name(cluster.cluster.name, cluster.run, cluster.number, n)
        # Without a request id: a name is unique anyway, and a remembered id would make nothing of a creation
        # under a name that was in use before.
        create = dataproc_v1.CreateClusterRequest(
            project_id=self._settings.project,
            region=self._settings.region,
            cluster=body(cluster, n, self._settings),
        )
        try:
            self._client().create_cluster(create, retry=None, timeout=time_left(request, self._clock))
        except AlreadyExists:
            left = min(time_left(request, self._clock), CALL_SECONDS)
            if not self._is_ours(name, left):
                raise Refused(
                    f"there is a cluster named {name} that is not Onward's: its label {JOB} is missing or "
                    "another. Delete that cluster, then retry the run"
                ) from None
            raise NotYet(f"cluster {cluster.cluster.name} was created by another step", SHORTLY) from None

    def _is_ours(self, name: str, seconds: float) -> bool:
        from google.api_core.exceptions import NotFound
        from google.cloud import dataproc_v1

        get = dataproc_v1.GetClusterRequest(
            project_id=self._settings.project, region=self._settings.region, cluster_name=name
        )
        try:
            found = self._client().get_cluster(get, retry=None, timeout=seconds)
        except NotFound:
            return True  # gone since: nobody's is as good as ours
        return bool(found.labels.get(JOB) == name)

    def _client(self) -> dataproc_v1.ClusterControllerClient:
        from google.cloud import dataproc_v1

        return self._clients.get(dataproc_v1.ClusterControllerClient, endpoint(self._settings.region))


def usable(found: Sequence[Incarnation]) -> str | None:
    """The name of the one that takes jobs, if there is one."""
    return next((each.name for each in found if each.state in _USABLE), None)


def body(cluster: EphemeralCluster, n: int, settings: Settings) -> dataproc_v1.Cluster:
    """The n-th incarnation to create. Raises `Refused` for a `cluster` body that can't be one."""
    from google.cloud import dataproc_v1

    name = cluster_name(cluster.cluster.name, cluster.run, cluster.number, n)
    short, place = cluster.cluster, "cluster"
    reserve(place, short.cluster, _OWN, "Onward names its clusters")
    reserve(place, short.cluster, ("virtualClusterConfig",), "such a cluster can't delete itself")
    theirs = message(dataproc_v1.Cluster, (place, short.cluster))
    if "lifecycle_config" in theirs.config:
        raise Refused(f"`{place}`: remove `lifecycleConfig`: `idle_ttl` and `max_age` say it")
    gce = theirs.config.gce_cluster_config
    # A network of its own replaces the deployment's network and subnetwork.
    network = {"network": ""} if gce.network_uri or gce.subnetwork_uri else {}
    config: dict[str, Any] = {"workerConfig": {"numInstances": short.workers}}
    if not short.workers:
        config["softwareConfig"] = {"properties": {"dataproc:dataproc.allow.zero.workers": "true"}}
    if short.autoscaling is not None:
        config["autoscalingConfig"] = {"policyUri": _policy(short.autoscaling, settings)}
    fuse = {"idleDeleteTtl": f"{short.idle_ttl // SECOND}s", "autoDeleteTtl": f"{short.max_age // SECOND}s"}
    labels = {**settings.labels, JOB: name, **of_cluster(cluster), "onward-incarnation": value(f"n-{n}")}
    own = {
        "projectId": settings.project,
        "clusterName": name,
        "config": {"lifecycleConfig": fuse},
        "labels": labels,
    }
    return message(
        dataproc_v1.Cluster,
        ("resources", fields(CLUSTER, settings, network)),
        (place, {"config": config}),
        (place, short.cluster),
        (place, own),
    )


def _policy(name: str, settings: Settings) -> str:
    """A policy's resource name; what has a slash is one already."""
    place = f"projects/{settings.project}/locations/{settings.region}"
    return name if "/" in name else f"{place}/autoscalingPolicies/{name}"
