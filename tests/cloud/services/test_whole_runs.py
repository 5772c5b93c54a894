"""Runs that need a cluster of their own, from start to end: the engine, the services and the bells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud.services.worlds import SETTINGS, Files
from onward.core.events import CancelRun, Wake
from onward.core.naming import cluster_name, job_name, run_id
from onward.core.pipeline import HOUR, MINUTE
from onward.core.state import Backoff, NodeKey, RunState
from onward.ingress import completions, storage
from onward.local.standins.clusters import ClustersStandIn, State
from onward.local.standins.dataproc import JobState
from onward.services.clients import Clients
from onward.services.dataproc import Dataproc
from onward.services.ephemeral import ClusterDeletions
from unit.ingress.envelopes import payload, pushed
from unit.receiving.receiving_world import World, notified

PIPELINE = """
pipeline: nightly
trigger:
  object: {bucket: landing, match: "in/*"}
clusters:
  etl: {workers: 2}
steps:
  clean: {dataproc: {pyspark: clean.py, cluster: etl}}
  totals: {needs: [clean], dataproc: {pyspark: clean.py, cluster: etl}, retry: {attempts: 2, backoff: 1m}}
"""
RUN = run_id("nightly", "object", "landing", "in/x", "1")
DELETION = "~delete-etl"


class Night(World):
    """The real services in front of a stand-in, and time that passes when it is told to."""

    def __init__(self, folder: Path, dataproc: ClustersStandIn, clients: Clients) -> None:
        (folder / "nightly").mkdir()
        (folder / "nightly" / "pipeline.yaml").write_text(PIPELINE)
        (folder / "nightly" / "clean.py").write_text("pass")
        super().__init__(folder)
        self.dataproc = dataproc
        self.engine.services = {
            "dataproc": Dataproc(SETTINGS, Files(), clients, self),
            "cluster": ClusterDeletions(SETTINGS, clients, self),
        }

    def ring(self, kind: str, resource: str) -> None:
        """The last entry about a resource."""
        entry = payload(f"dataproc_{kind}_last{'_done' if kind == 'submit_job' else ''}.logentry")
        entry["protoPayload"]["resourceName"] = f"projects/proj/regions/europe-west1/{resource}"
        assert self.receive(completions.parse, pushed(entry)) == 204
        self.settle()

    def turn(self, n: int, state: State, detail: str = "") -> None:
        """What the creation of an incarnation comes to."""
        self.dataproc.turn(cluster(n), state, detail)
        self.ring("create_cluster", f"clusters/{cluster(n)}")

    def vanish(self, n: int) -> None:
        self.dataproc.vanish(cluster(n))
        self.ring("delete_cluster", f"clusters/{cluster(n)}")

    def end(self, step: str, state: JobState, attempt: int = 1) -> None:
        name = job_name(step, RUN, ("clean", "totals").index(step), attempt)
        self.dataproc.end_job(name, state, "what it says")
        self.ring("submit_job", f"jobs/{name}")

    @property
    def clusters(self) -> dict[int, str]:
        made = self.dataproc.made
        return {int(name.rpartition("-")[2]): each.status.state.name for name, each in made.items()}

    @property
    def state(self) -> RunState:
        return self.runs[RUN].state

    def phase(self, step: str) -> Any:
        found = self.store.docs.get(NodeKey(RUN, step))
        return found.doc.phase if found else None


def cluster(n: int) -> str:
    return cluster_name("etl", RUN, 2, n)


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    dataproc = ClustersStandIn()
    with dataproc.serving() as connect:
        night = Night(tmp_path, dataproc, Clients(connect))
        assert night.receive(storage.parse, notified("in/x")) == 204
        night.settle()
        assert night.clusters == {1: "CREATING"}
        yield night


def test_a_run_makes_its_cluster_uses_it_and_leaves_nothing_behind(night: Night) -> None:
    assert isinstance(night.phase("clean"), Backoff)
    night.turn(1, State.RUNNING)
    night.end("clean", JobState.DONE)
    night.end("totals", JobState.DONE)
    assert (night.state, night.clusters) == (RunState.RUNNING, {1: "DELETING"})
    night.vanish(1)
    assert (night.state, night.clusters) == (RunState.SUCCEEDED, {})
    calls = night.dataproc.calls
    assert (calls["CreateCluster"], calls["DeleteCluster"], calls["SubmitJobAsOperation"]) == (1, 1, 2)
    assert calls["GetJob"] == 3, "one status read for each job, and one for the job that had to wait"


def test_a_step_that_failed_is_tried_again_on_the_same_cluster(night: Night) -> None:
    night.turn(1, State.RUNNING)
    night.end("clean", JobState.DONE)
    night.end("totals", JobState.ERROR)
    night.wait(2 * MINUTE)
    night.end("totals", JobState.DONE, attempt=2)
    night.vanish(1)
    assert night.state is RunState.SUCCEEDED
    assert night.dataproc.calls["CreateCluster"] == 1


def test_a_cluster_whose_events_are_all_lost_is_found_by_waiting(night: Night) -> None:
    night.dataproc.turn(cluster(1), State.RUNNING)
    night.wait(7 * MINUTE)
    night.end("clean", JobState.DONE)
    night.end("totals", JobState.DONE)
    night.dataproc.vanish(cluster(1))
    assert night.state is RunState.RUNNING
    night.wait(2 * HOUR)
    assert night.state is RunState.SUCCEEDED


def test_a_cluster_that_can_not_be_created_fails_the_run_and_is_deleted(night: Night) -> None:
    for n in (1, 2, 3):
        night.turn(n, State.ERROR, "initialization action failed")
    assert night.clusters == {1: "DELETING", 2: "DELETING", 3: "DELETING"}
    assert night.state is RunState.RUNNING
    for n in (1, 2, 3):
        night.vanish(n)
    run = night.runs[RUN]
    assert (run.state, run.error) == (RunState.FAILED, "step clean did not succeed")
    assert "initialization action failed (created 3 times)" in night.phase("clean").error


def test_a_cluster_that_dies_between_two_steps_is_made_again(night: Night) -> None:
    night.turn(1, State.RUNNING)
    night.dataproc.vanish(cluster(1))  # its time was up
    night.end("clean", JobState.DONE)
    assert night.clusters == {1: "CREATING"}
    night.turn(1, State.RUNNING)
    night.end("totals", JobState.DONE)
    night.vanish(1)
    assert night.state is RunState.SUCCEEDED


def test_a_run_that_is_cancelled_while_its_cluster_is_created_deletes_it(night: Night) -> None:
    night.engine.handle(CancelRun(RUN))
    night.settle()
    night.wait(3 * MINUTE)
    assert night.clusters == {1: "DELETING"}
    night.vanish(1)
    night.wait(3 * MINUTE)
    assert night.state is RunState.CANCELLED
    assert night.dataproc.calls["SubmitJobAsOperation"] == 0


def test_a_crash_between_the_submit_and_its_record_makes_nothing_twice(night: Night) -> None:
    night.dataproc.fault("SubmitJobAsOperation", "UNAVAILABLE", after=True)
    night.turn(1, State.RUNNING)
    assert isinstance(night.phase("clean"), Backoff)
    night.wait(MINUTE)
    night.end("clean", JobState.DONE)
    night.end("totals", JobState.DONE)
    night.vanish(1)
    assert night.state is RunState.SUCCEEDED
    assert len(night.dataproc.jobs) == 2


def test_a_cluster_that_is_still_there_is_deleted_once_more(night: Night) -> None:
    night.turn(1, State.RUNNING)
    night.end("clean", JobState.DONE)
    night.end("totals", JobState.DONE)
    night.dataproc.turn(cluster(1), State.ERROR, "could not be deleted")
    night.ring("delete_cluster", f"clusters/{cluster(1)}")
    night.wait(2 * MINUTE)
    night.engine.handle(Wake(RUN, DELETION))
    night.settle()
    assert night.clusters == {1: "DELETING"}
    night.vanish(1)
    assert night.state is RunState.SUCCEEDED
