"""The life of a run's own cluster, from the steps that meet it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cloud.services.worlds import SETTINGS, OwnClusterWorld
from contract.service_contract import NOW, FixedClock, ref_of, request
from msgspec.structs import replace
from onward.core.errors import Unavailable
from onward.core.events import JobState
from onward.core.naming import cluster_name
from onward.core.pipeline import HOUR, MINUTE, SECOND, Cluster, Dataproc, DeleteCluster, Step
from onward.local.standins.clusters import State
from onward.local.standins.dataproc import JobState as DataprocState
from onward.ports import Accepted, Busy, Declined, EphemeralCluster, JobRequest, Service, Submission
from onward.services.clients import Clients
from onward.services.clusters import Clusters
from onward.services.ephemeral import ClusterDeletions
from onward.services.service import NotYet

BEING_CREATED = Busy("cluster etl is being created", 5 * MINUTE)
POLICIES = "projects/proj/locations/europe-west1/autoscalingPolicies"
PLACE = "projects/proj/regions/europe-west1/clusters"


class NoClusterWorld(OwnClusterWorld):
    """Nothing has been created yet. `service` submits jobs, `deletions` is the compiled step's."""

    lives: Clusters
    deletions: Service

    def __init__(self) -> None:
        super().__init__()
        self.clusters.made.clear()

    def connect(self, clients: Clients) -> Service:
        self.lives = Clusters(SETTINGS, clients, FixedClock())
        self.deletions = ClusterDeletions(SETTINGS, clients, FixedClock())
        return super().connect(clients)

    def submit(self, *, again: bool = False) -> Submission:
        return self.service.submit(replace(request(self), again=again))

    def delete(self) -> Submission:
        return self.deletions.submit(deletion(self))

    def remains(self) -> JobState:
        """The verdict of the step that deletes."""
        return self.deletions.status(ref_of(deletion(self))).state

    @property
    def states(self) -> dict[int, str]:
        """By incarnation."""
        return {int(name.rpartition("-")[2]): each.status.state.name for name, each in self.made.items()}

    @property
    def made(self) -> dict[str, Any]:
        return self.clusters.made

    def turn(self, n: int, state: State, detail: str = "") -> None:
        self.clusters.turn(name(n), state, detail)


@pytest.fixture
def world() -> Iterator[NoClusterWorld]:
    with NoClusterWorld().open() as world:
        yield world


def name(n: int) -> str:
    ours = OwnClusterWorld.cluster
    return cluster_name(ours.cluster.name, ours.run, ours.number, n)


def deletion(world: NoClusterWorld) -> JobRequest:
    step = Step("~delete-etl", DeleteCluster("etl"))
    return replace(request(world), step=step, node=step.name, name="delete-etl-x")


def created(world: NoClusterWorld, cluster: Cluster) -> Any:
    """The cluster that this becomes."""
    own = EphemeralCluster(world.cluster.run, "weather", cluster, 9)
    answer = world.service.submit(replace(request(world), cluster=own))
    assert isinstance(answer, Busy), answer
    (made,) = world.made.values()
    return made


def test_the_first_step_creates_the_cluster_and_waits_for_it(world: NoClusterWorld) -> None:
    assert world.submit() == BEING_CREATED
    assert world.submit(again=True) == BEING_CREATED
    assert world.states == {1: "CREATING"}
    world.turn(1, State.RUNNING)
    assert world.submit(again=True) == Accepted(
        f"projects/proj/regions/europe-west1/jobs/{request(world).name}", rings=False
    )
    (job,) = world.dataproc.jobs.values()
    assert job.placement.cluster_name == name(1)
    assert world.clusters.calls["CreateCluster"] == 1


def test_where_the_cluster_stands_is_one_call(world: NoClusterWorld) -> None:
    world.submit()
    world.turn(1, State.RUNNING)
    world.clusters.seconds.clear()
    world.submit(again=True)
    assert world.clusters.calls == {"ListClusters": 1, "SubmitJobAsOperation": 1}


@pytest.mark.parametrize("state", [State.RUNNING, State.UPDATING, State.ERROR_DUE_TO_UPDATE])
def test_a_cluster_that_takes_jobs_is_used(world: NoClusterWorld, state: State) -> None:
    world.submit()
    world.turn(1, state)
    assert isinstance(world.submit(), Accepted)


@pytest.mark.parametrize("state", [State.CREATING, State.STARTING, State.REPAIRING, State.UNKNOWN])
def test_a_cluster_on_its_way_is_waited_for(world: NoClusterWorld, state: State) -> None:
    world.submit()
    world.turn(1, state)
    assert world.submit() == BEING_CREATED
    assert len(world.made) == 1


@pytest.mark.parametrize("state", [State.ERROR, State.STOPPING, State.STOPPED])
def test_a_cluster_of_no_use_is_deleted_and_the_next_incarnation_created(
    world: NoClusterWorld, state: State
) -> None:
    world.submit()
    world.turn(1, state, "initialization action failed")
    assert world.submit() == BEING_CREATED
    assert world.states == {1: "DELETING", 2: "CREATING"}
    world.clusters.vanish(name(1))
    assert world.submit() == BEING_CREATED
    assert world.states == {2: "CREATING"}


def test_a_cluster_that_fails_three_times_is_not_created_again(world: NoClusterWorld) -> None:
    for n in (1, 2, 3):
        assert world.submit() == BEING_CREATED
        world.turn(n, State.ERROR, "initialization action failed")
    for _ in range(2):
        assert world.submit() == Declined(
            "cluster etl is in state ERROR: initialization action failed (created 3 times)"
        )
    assert world.states[3] == "ERROR"  # what comes after it must not count from one again


def test_a_cluster_whose_time_was_up_is_created_anew(world: NoClusterWorld) -> None:
    world.submit()
    world.turn(1, State.DELETING)
    assert world.submit() == BEING_CREATED
    assert world.states == {1: "DELETING", 2: "CREATING"}
    world.made.clear()
    assert world.submit() == BEING_CREATED
    assert world.states == {1: "CREATING"}


def test_a_cluster_that_is_gone_at_the_submit_is_waited_for_shortly(world: NoClusterWorld) -> None:
    world.submit()
    world.turn(1, State.RUNNING)
    world.refuse("NOT_FOUND", "Not found: Cluster etl")
    answer = world.submit(again=True)
    assert isinstance(answer, Busy)
    assert "is gone" in answer.error
    assert answer.wait <= MINUTE


def test_a_job_outlives_its_cluster_when_it_is_submitted_again(world: NoClusterWorld) -> None:
    world.submit()
    world.turn(1, State.RUNNING)
    first = world.submit(again=True)
    assert isinstance(first, Accepted)
    world.made.clear()
    assert world.submit(again=True) == replace(first, rings=False)
    assert world.made == {}


def test_a_job_that_would_be_refused_creates_no_cluster(world: NoClusterWorld) -> None:
    for does in (Dataproc(pyspark="missing.py", cluster="etl"), Dataproc(job={"x": 1}, cluster="etl")):
        step = Step("daily_totals", does)
        assert isinstance(world.service.submit(replace(request(world), step=step)), Declined)
    elsewhere = Step("daily_totals", world.does, resources={"region": "us-east1"})
    assert world.service.submit(replace(request(world), step=elsewhere)) == Declined(
        "`resources`: cluster etl is in europe-west1 of proj"
    )
    assert world.clusters.seconds == []


def test_a_cluster_is_what_its_pipeline_says(world: NoClusterWorld) -> None:
    cluster = Cluster("etl", 5, "spot", 20 * MINUTE, 2 * HOUR, {"config": {"tempBucket": "tmp"}})
    made = created(world, cluster)
    config = made.config
    assert config.worker_config.num_instances == 5
    assert (
        config.autoscaling_config.policy_uri
        == "projects/proj/locations/europe-west1/autoscalingPolicies/spot"
    )
    assert config.lifecycle_config.idle_delete_ttl.total_seconds() == 1_200
    assert config.lifecycle_config.auto_delete_ttl.total_seconds() == 7_200
    assert (config.config_bucket, config.temp_bucket) == (SETTINGS.staging_bucket, "tmp")
    assert config.gce_cluster_config.subnetwork_uri == SETTINGS.subnetwork
    assert config.gce_cluster_config.service_account == SETTINGS.service_account
    assert dict(made.labels) == {
        "team": "weather",
        "onward-job": name(1),
        "onward-run": "run-0123456789abcdef0123",
        "onward-cluster": "etl",
        "onward-incarnation": "n-1",
        "onward-pipeline": "weather",
    }


def test_a_cluster_without_workers_says_so_in_the_services_words(world: NoClusterWorld) -> None:
    config = created(world, Cluster("etl", 0)).config
    assert dict(config.software_config.properties) == {"dataproc:dataproc.allow.zero.workers": "true"}


def test_what_the_body_says_comes_before_the_short_forms_and_the_settings(world: NoClusterWorld) -> None:
    policy = f"{POLICIES}/full"
    body = {
        "config": {
            "workerConfig": {"numInstances": 7},
            "gce_cluster_config": {"networkUri": "own"},
        },
        "labels": {"mine": "too", "onward-run": "forged"},
    }
    made = created(world, Cluster("etl", 2, policy, cluster=body))
    assert made.config.worker_config.num_instances == 7
    assert made.config.autoscaling_config.policy_uri == policy
    gce = made.config.gce_cluster_config
    assert (gce.network_uri, gce.subnetwork_uri) == ("own", "")
    assert made.labels["mine"] == "too"
    assert made.labels["onward-run"] == "run-0123456789abcdef0123"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"clusterName": "x"}, "`cluster`: remove `clusterName`: Onward names its clusters"),
        ({"virtualClusterConfig": {}}, "remove `virtualClusterConfig`: such a cluster can't delete itself"),
        ({"config": {"lifecycleConfig": {"idleDeleteTtl": "300s"}}}, "`idle_ttl` and `max_age` say it"),
        ({"config": {"workers": 3}}, "`cluster` is no google.cloud.dataproc.v1.Cluster"),
    ],
)
def test_a_wrong_body_is_declined(world: NoClusterWorld, body: dict[str, Any], said: str) -> None:
    own = EphemeralCluster(world.cluster.run, "weather", Cluster("etl", cluster=body), 9)
    answer = world.service.submit(replace(request(world), cluster=own))
    assert isinstance(answer, Declined)
    assert said in answer.error
    assert world.clusters.calls["CreateCluster"] == 0


def test_a_quota_at_the_creation_is_waited_for(world: NoClusterWorld) -> None:
    world.clusters.fault("CreateCluster", "INVALID_ARGUMENT", "Insufficient 'CPUS' quota. Requested 12.0")
    answer = world.submit()
    assert isinstance(answer, Busy)
    assert "Insufficient 'CPUS' quota" in answer.error
    assert world.submit() == BEING_CREATED


def test_a_creation_that_would_be_refused_again_is_declined(world: NoClusterWorld) -> None:
    world.clusters.fault("CreateCluster", "PERMISSION_DENIED", "no actAs")
    answer = world.submit()
    assert isinstance(answer, Declined)
    assert "no actAs (PERMISSION_DENIED)" in answer.error


@pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED"])
def test_a_creation_whose_answer_was_lost_is_found_by_the_next_submit(
    world: NoClusterWorld, code: str
) -> None:
    world.clusters.fault("CreateCluster", code, after=True)
    with pytest.raises(Unavailable):
        world.submit()
    assert world.submit(again=True) == BEING_CREATED
    assert world.clusters.calls["CreateCluster"] == 1


def test_two_steps_that_create_it_at_the_same_time_share_it(world: NoClusterWorld) -> None:
    world.submit()
    with pytest.raises(NotYet) as told:
        world.lives.prepare(request(world), [])  # looked before the other created
    assert told.value.busy == Busy("cluster etl was created by another step", 10 * SECOND)
    assert world.states == {1: "CREATING"}


def test_a_name_that_is_free_again_when_it_is_looked_at_is_asked_for_again(world: NoClusterWorld) -> None:
    world.clusters.fault("CreateCluster", "ALREADY_EXISTS")
    answer = world.submit()
    assert isinstance(answer, Busy)
    assert answer.wait <= MINUTE
    assert world.submit() == BEING_CREATED


def test_somebody_elses_cluster_of_that_name_is_left_alone(world: NoClusterWorld) -> None:
    from google.cloud import dataproc_v1

    theirs = dataproc_v1.Cluster(cluster_name=name(1), labels={"team": "others"})
    world.clusters.put(theirs, State.RUNNING)
    answer = world.submit()
    assert isinstance(answer, Declined)
    assert f"there is a cluster named {name(1)} that is not Onward's" in answer.error
    assert world.delete() == Accepted("delete-etl-x", rings=False)
    assert world.states == {1: "RUNNING"}


def test_another_runs_cluster_is_another(world: NoClusterWorld) -> None:
    world.submit()
    world.turn(1, State.RUNNING)
    other = replace(world.cluster, run="f" * 20)
    assert world.service.submit(replace(request(world), cluster=other)) == BEING_CREATED
    second = replace(world.cluster, number=10)
    assert world.service.submit(replace(request(world), cluster=second)) == BEING_CREATED
    assert len(world.made) == 3
    world.delete()
    assert [each.status.state.name for each in world.made.values()] == ["DELETING", "CREATING", "CREATING"]


def test_no_call_about_a_cluster_outlasts_the_time_to_submit(world: NoClusterWorld) -> None:
    soon = replace(request(world), until=NOW + SECOND // 10)
    for method in ("ListClusters", "CreateCluster"):
        world.clusters.fault(method, None)
        with pytest.raises(Unavailable):
            world.service.submit(soon)
    assert max(seconds for _, seconds in world.clusters.seconds) < 1


@pytest.mark.parametrize("state", [State.CREATING, State.RUNNING, State.ERROR, State.STOPPED])
def test_deleting_reaches_a_cluster_in_any_state(world: NoClusterWorld, state: State) -> None:
    world.submit()
    world.turn(1, state)
    assert world.delete() == Accepted(f"{PLACE}/{name(1)}")
    assert world.states == {1: "DELETING"}
    assert world.remains() is JobState.RUNNING
    world.clusters.vanish(name(1))
    assert world.remains() is JobState.SUCCEEDED


def test_every_incarnation_is_deleted(world: NoClusterWorld) -> None:
    world.submit()
    world.turn(1, State.DELETING)
    world.submit()
    world.turn(1, State.ERROR, "could not be deleted")
    assert world.delete() == Accepted(f"{PLACE}/{name(2)}")
    assert world.states == {1: "DELETING", 2: "DELETING"}


def test_where_nothing_is_left_the_deletion_is_looked_at_right_away(world: NoClusterWorld) -> None:
    assert world.delete() == Accepted("delete-etl-x", rings=False)
    assert world.remains() is JobState.SUCCEEDED
    world.submit()
    world.turn(1, State.DELETING)  # by itself: that may not be told
    assert world.delete() == Accepted(f"{PLACE}/{name(1)}", rings=False)


def test_a_deletion_may_be_repeated(world: NoClusterWorld) -> None:
    world.submit()
    world.clusters.fault("DeleteCluster", "UNAVAILABLE", after=True)
    with pytest.raises(Unavailable):
        world.delete()
    assert world.delete() == Accepted(f"{PLACE}/{name(1)}", rings=False)
    assert world.clusters.calls["DeleteCluster"] == 1


def test_a_deletion_is_fenced_by_the_clusters_uuid(world: NoClusterWorld) -> None:
    world.submit()
    (seen,) = world.lives.of(world.cluster, 5)
    world.clusters.vanish(name(1))
    world.submit()
    world.lives.delete(seen, 5)
    assert world.states == {1: "CREATING"}


def test_what_is_alive_after_its_deletion_is_a_failure_that_says_so(world: NoClusterWorld) -> None:
    world.submit()
    world.turn(1, State.ERROR, "no route to host")
    status = world.deletions.status(ref_of(deletion(world)))
    assert (status.state, status.error) == (
        JobState.FAILED,
        f"cluster {name(1)} is in state ERROR: no route to host",
    )


def test_trouble_at_the_deletion_is_told_as_at_any_submit(world: NoClusterWorld) -> None:
    world.submit()
    world.clusters.fault("DeleteCluster", "PERMISSION_DENIED", "no")
    assert isinstance(world.delete(), Declined)
    world.clusters.fault("ListClusters", "RESOURCE_EXHAUSTED", "quota")
    assert isinstance(world.delete(), Busy)
    world.clusters.fault("ListClusters", "UNAVAILABLE")
    with pytest.raises(Unavailable, match="did not say whether delete-etl-x is done"):
        world.remains()
    with pytest.raises(Unavailable, match="the time to do so had passed"):
        world.deletions.submit(replace(deletion(world), until=NOW))


def test_the_cluster_is_deleted_although_its_run_is_cancelled(world: NoClusterWorld) -> None:
    world.submit()
    world.delete()
    world.deletions.cancel(ref_of(deletion(world)))
    assert world.states == {1: "DELETING"}


def test_more_clusters_than_a_page_are_all_seen(world: NoClusterWorld) -> None:
    world.clusters.page_size = 1
    world.submit()
    world.turn(1, State.DELETING)
    world.submit()
    world.turn(2, State.RUNNING)
    assert isinstance(world.submit(), Accepted)
    (job,) = world.dataproc.jobs.values()
    assert (job.placement.cluster_name, job.status.state) == (name(2), DataprocState.PENDING)
