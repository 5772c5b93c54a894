"""Dataflow tells that a job runs: only who hands it over then wants to know."""

from __future__ import annotations

from pathlib import Path

from onward.core.events import JobState
from onward.core.naming import job_name, run_id
from onward.core.state import RunState
from onward.ingress import completions, storage
from onward.ports import Status
from unit.ingress.envelopes import payload, structured
from unit.receiving.receiving_world import World, notified

PIPELINE = """
pipeline: live
trigger:
  object: {bucket: landing, match: "live/*"}
steps:
  clean: {dataflow: {main: job.py, DETACHED}}
"""
RUN = run_id("live", "object", "landing", "live/x", "1")
JOB = job_name("clean", RUN, 0, 1)


def world(folder: Path, detached: str) -> World:
    (folder / "live").mkdir()
    (folder / "live" / "pipeline.yaml").write_text(PIPELINE.replace("DETACHED", detached))
    (folder / "live" / "job.py").write_text("pass")
    world = World(folder)
    world.receive(storage.parse, notified("live/x"))
    hear(world)
    assert world.submitted == [JOB], world.lines
    world.lines.clear()
    return world


def hear(world: World) -> None:
    while world.told:
        world.engine.handle(world.told.pop())


def runs(world: World) -> int:
    event = payload("dataflow_status_changed_done")
    event["data"]["payload"] |= {"name": JOB, "currentState": "JOB_STATE_RUNNING"}
    return world.receive(completions.parse, structured(event))


def test_a_detached_step_is_done_when_its_job_runs(tmp_path: Path):
    deployed = world(tmp_path, "detached: true")
    deployed.states[JOB] = Status(JobState.SUCCEEDED, JOB, output="2026-11-22_1")
    assert runs(deployed) == 204
    assert deployed.reads == 1
    hear(deployed)
    assert deployed.runs[RUN].state is RunState.SUCCEEDED


def test_no_other_step_is_looked_at_for_it(tmp_path: Path):
    deployed = world(tmp_path, "detached: false")
    assert runs(deployed) == 204
    assert [line["outcome"] for line in deployed.lines] == ["ignored"]
    assert deployed.reads == 0
