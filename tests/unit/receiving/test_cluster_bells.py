"""A cluster of a run's own was created or deleted: who hears of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from onward.core.events import Bell, CancelRun, JobState, Room, Wake
from onward.core.naming import cluster_name, job_name, run_id
from onward.core.pipeline import HOUR, MINUTE
from onward.core.state import NodeKey, RunState, Succeeded
from onward.ingress import completions, storage
from onward.ports import Busy, JobRequest, Status, Submission
from unit.ingress.envelopes import payload, pushed
from unit.receiving.receiving_world import World, notified

PIPELINE = """
pipeline: etl
trigger:
  object: {bucket: landing, match: "etl/*"}
clusters:
  etl: {workers: 2}
  ml: {workers: 2}
steps:
  one: {dataproc: {pyspark: job.py, cluster: etl}}
  two: {dataproc: {pyspark: job.py, cluster: etl}}
  three: {dataproc: {pyspark: job.py, cluster: etl}}
  other: {dataproc: {pyspark: job.py, cluster: ml}}
"""
RUN = run_id("etl", "object", "landing", "etl/x", "1")
STEPS = ("one", "two", "three", "other")
JOBS = {step: job_name(step, RUN, number, 1) for number, step in enumerate(STEPS)}
DELETE_ETL, DELETE_ML = 4, 5
DELETIONS = {DELETE_ETL: "~delete-etl", DELETE_ML: "~delete-ml"}
BUSY = Busy("cluster is being created", 5 * MINUTE)


class ClusterWorld(World):
    """The clusters are there when the test says so."""

    there: bool = False

    def submit(self, request: JobRequest) -> Submission:
        answer = super().submit(request)
        return answer if self.there else BUSY

    def ring(self, number: int, method: str = "create") -> int:
        """The last entry about the first incarnation of the cluster that the step of this number deletes."""
        name = cluster_name("etl", RUN, number, 1)
        entry = payload(f"dataproc_{method}_cluster_last.logentry")
        entry["protoPayload"]["resourceName"] = f"projects/p/regions/r/clusters/{name}"
        return self.receive(completions.parse, pushed(entry))

    def hear(self) -> None:
        """What was told to other invocations arrives."""
        told, self.told[:] = self.told[:], []
        for event in told:
            self.engine.handle(event)

    def succeed(self, job: str) -> None:
        self.states[job] = Status(JobState.SUCCEEDED, job)


@pytest.fixture
def world(tmp_path: Path) -> ClusterWorld:
    (tmp_path / "etl").mkdir()
    (tmp_path / "etl" / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "etl" / "job.py").write_text("pass")
    world = ClusterWorld(tmp_path)
    world.receive(storage.parse, notified("etl/x"))
    world.hear()
    assert sorted(world.submitted) == sorted(JOBS.values())
    world.submitted.clear()
    return world


def test_steps_that_wait_for_a_cluster_are_submitted_when_it_is_there(world: ClusterWorld):
    world.there = True
    assert world.ring(DELETE_ETL) == 204
    assert len(world.submitted) == 1, "a delivery submits one job"
    assert len(world.told) == 2
    assert all(isinstance(event, Room) for event in world.told)
    world.hear()
    assert sorted(world.submitted) == sorted(JOBS[step] for step in ("one", "two", "three"))


def test_a_room_that_rings_twice_submits_nothing_twice(world: ClusterWorld):
    world.there = True
    for _ in range(2):
        world.ring(DELETE_ETL)
        world.hear()
    assert sorted(world.submitted) == sorted(JOBS[step] for step in ("one", "two", "three"))


def test_a_cluster_that_nobody_waits_for_rings_in_vain(world: ClusterWorld):
    world.engine.handle(CancelRun(RUN))
    while world.told:
        world.hear()
    world.lines.clear()
    assert world.ring(DELETE_ETL) == 204
    assert outcomes(world) == ["ignored"]


def test_a_step_on_another_cluster_is_left_alone(world: ClusterWorld):
    world.there = True
    world.ring(DELETE_ML)
    assert (world.submitted, world.told) == ([JOBS["other"]], [])


def test_the_end_of_a_cluster_ends_the_step_that_deletes_it(world: ClusterWorld):
    world.there = True
    for step, job in JOBS.items():
        world.engine.handle(Room(RUN, step))
        world.succeed(job)
        world.engine.handle(Bell(RUN, step, 1))
        world.hear()
    jobs = {number: job_name(step, RUN, number, 1) for number, step in DELETIONS.items()}
    assert set(jobs.values()) <= set(world.submitted)
    for number, job in jobs.items():
        assert world.runs[RUN].state is RunState.RUNNING
        world.succeed(job)
        assert world.ring(number, "delete") == 204
        world.hear()
    assert world.runs[RUN].state is RunState.SUCCEEDED


def test_the_end_of_a_cluster_is_looked_at_for_the_attempt_that_deletes_it(world: ClusterWorld):
    world.there = True
    for step, job in JOBS.items():
        world.engine.handle(Room(RUN, step))
        world.succeed(job)
        world.engine.handle(Bell(RUN, step, 1))
        world.hear()
    first, second = (job_name("~delete-etl", RUN, DELETE_ETL, attempt) for attempt in (1, 2))
    world.states[first] = Status(JobState.FAILED, first, error="alive")
    world.ring(DELETE_ETL, "delete")
    world.at += HOUR
    world.engine.handle(Wake(RUN, "~delete-etl"))
    assert world.submitted[-1] == second
    world.succeed(second)
    world.lines.clear()
    world.ring(DELETE_ETL, "delete")
    assert world.store.docs[NodeKey(RUN, "~delete-etl")].doc.phase == Succeeded(None, None)


def outcomes(world: ClusterWorld) -> list[object]:
    return [line["outcome"] for line in world.lines]
