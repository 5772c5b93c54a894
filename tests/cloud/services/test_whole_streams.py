"""Runs with a streaming job, from start to end: the engine, the services and the bells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud.services.worlds import SETTINGS, deployed
from onward.core.events import CancelRun, JobState
from onward.core.naming import job_name, run_id
from onward.core.pipeline import MINUTE
from onward.core.state import NodeKey, RunState
from onward.ingress import completions, storage
from onward.local.standins.dataflow import DataflowStandIn, State, df
from onward.ports import Status
from onward.services.clients import Clients
from onward.services.dataflow import dataflow
from onward.services.dataflow_drains import Drains
from unit.ingress.envelopes import payload, pushed, structured
from unit.receiving.receiving_world import World, notified

PIPELINE = """
pipeline: live
trigger:
  object: {bucket: landing, match: "in/*"}
steps:
  ingest: {dataflow: {main: job.py, until: publish}}
  publish: {dataproc: {pyspark: job.py}}
"""
RUN = run_id("live", "object", "landing", "in/x", "1")
PUBLISH = job_name("publish", RUN, 1, 1)


class Live(World):
    """Dataflow is real in front of a stand-in; `publish` is a job that ends when the test says so."""

    def __init__(self, folder: Path, standin: DataflowStandIn, clients: Clients) -> None:
        (folder / "live").mkdir()
        (folder / "live" / "pipeline.yaml").write_text(PIPELINE)
        (folder / "live" / "job.py").write_text("pass")
        super().__init__(folder)
        self.dataflow = standin
        jobs = dataflow(SETTINGS, deployed, clients, self)
        drains = Drains(jobs, clients, self)
        self.engine.services = {"dataflow": jobs, "drain": drains, "dataproc": self}

    def start(self) -> None:
        assert self.receive(storage.parse, notified("in/x")) == 204
        self.settle()

    def turn(self, state: State) -> Any:
        """The job comes to that state, and Dataflow says so."""
        (job,) = self.dataflow.jobs.values()
        job.type_ = df.JobType.JOB_TYPE_STREAMING
        job.current_state = state
        event = payload("dataflow_status_changed_done")
        event["data"]["payload"] |= {"id": job.id, "name": job.name, "currentState": state.name}
        assert self.receive(completions.parse, structured(event)) == 204
        self.settle()
        return job

    def publish(self, state: str) -> None:
        self.states[PUBLISH] = Status(JobState(state), PUBLISH)
        assert self.receive(completions.parse, pushed(b"", {"onward-job": PUBLISH})) == 204
        self.settle()

    @property
    def state(self) -> RunState:
        return self.runs[RUN].state

    def phase(self, step: str) -> str:
        found = self.store.docs.get(NodeKey(RUN, step))
        return type(found.doc.phase).__name__ if found else "none"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    standin = DataflowStandIn()
    with standin.serving() as connect:
        yield Live(tmp_path, standin, Clients(connect))


@pytest.mark.parametrize(("how", "ends"), [("succeeded", RunState.SUCCEEDED), ("failed", RunState.FAILED)])
def test_a_streaming_job_is_drained_when_its_step_has_ended_however(
    live: Live, how: str, ends: RunState
) -> None:
    live.start()
    job = live.turn(State.JOB_STATE_RUNNING)
    assert live.phase("ingest") == "Running"
    live.publish(how)
    assert job.current_state == State.JOB_STATE_DRAINING
    assert live.state is RunState.RUNNING
    live.turn(State.JOB_STATE_DRAINED)
    assert (live.phase("ingest"), live.state) == ("Succeeded", ends)


def test_a_job_that_does_not_run_yet_is_drained_when_it_does(live: Live) -> None:
    live.start()
    live.turn(State.JOB_STATE_PENDING)
    live.publish("succeeded")
    job = live.turn(State.JOB_STATE_RUNNING)
    live.wait(2 * MINUTE)
    assert job.current_state == State.JOB_STATE_DRAINING
    live.turn(State.JOB_STATE_DRAINED)
    assert live.state is RunState.SUCCEEDED


def test_a_streaming_job_that_fails_ends_its_run_without_a_drain(live: Live) -> None:
    live.start()
    live.turn(State.JOB_STATE_FAILED)
    live.publish("succeeded")
    assert (live.phase("~drain-ingest"), live.state) == ("Succeeded", RunState.FAILED)


def test_a_streaming_job_that_was_refused_leaves_nothing_to_drain(live: Live) -> None:
    live.dataflow.fault("LaunchFlexTemplate", "PERMISSION_DENIED", "no")
    live.start()
    live.publish("succeeded")
    for _ in range(5):
        live.wait(2 * MINUTE)
    assert live.state is RunState.FAILED


def test_a_run_that_is_cancelled_stops_its_streaming_job(live: Live) -> None:
    live.start()
    job = live.turn(State.JOB_STATE_RUNNING)
    live.engine.handle(CancelRun(RUN))
    live.settle()
    live.wait(3 * MINUTE)
    assert job.current_state == State.JOB_STATE_CANCELLING
