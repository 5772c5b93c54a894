"""A run of one step of every kind, from its object to its end: the engine, the service and the bells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cloud.services.test_python import PythonWorld
from cloud.services.test_streaming import DetachedWorld
from cloud.services.worlds import (
    BatchWorld,
    ClassicWorld,
    CloudWorld,
    ClusterJobWorld,
    ExecutionWorld,
    FlexWorld,
    TemplateWorld,
)
from contract.service_contract import NOW
from onward.core.events import CancelRun
from onward.core.naming import job_name, run_id
from onward.core.pipeline import HOUR, MINUTE
from onward.core.state import NodeKey, RunState
from onward.ingress import completions, storage
from onward.ingress.envelope import Request
from onward.local.standins.dataflow import State, df
from onward.ports import JobRequest, Service, Submission
from unit.ingress.envelopes import payload, pushed, structured
from unit.receiving.receiving_world import World, notified

RUN = run_id("weather", "object", "landing", "in/x", "1")
JOB = job_name("work", RUN, 0, 1)


class Crash(BaseException):
    """The process is gone."""


class Crashing:
    """A service whose caller dies once, when the job is there and nobody has written it down."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.status, self.cancel = service.status, service.cancel
        self.crashes = 1

    def submit(self, request: JobRequest) -> Submission:
        answer = self.service.submit(request)
        if self.crashes:
            self.crashes -= 1
            raise Crash
        return answer


class Streams(DetachedWorld):
    """Handed over as soon as it runs."""

    def succeed(self, job: str) -> None:
        found = self.dataflow.jobs[job.rpartition("/")[2]]
        found.type_, found.current_state = df.JobType.JOB_TYPE_STREAMING, State.JOB_STATE_RUNNING


def audited(kind: str) -> Callable[[str], Request]:
    def ring(job: str) -> Request:
        entry = payload(f"dataproc_{kind}.logentry")
        entry["protoPayload"]["resourceName"] = job
        entry["operation"]["id"] = job
        return pushed(entry)

    return ring


def changed(state: str) -> Callable[[str], Request]:
    def ring(job: str) -> Request:
        event = payload("dataflow_status_changed_done")
        event["data"]["payload"] |= {"id": job.rpartition("/")[2], "name": JOB, "currentState": state}
        return structured(event)

    return ring


def logged(job: str) -> Request:
    _, project, _, place, _, workflow, _, execution = job.split("/")
    entry = payload("workflows_execution_succeeded.logentry")
    entry["resource"]["labels"] = {"project_id": project, "location": place, "workflow_id": workflow}
    entry["labels"]["workflows.googleapis.com/execution_id"] = execution
    return pushed(entry)


class Kind(NamedTuple):
    """Of step: its service's world, how it is written, and how the platform tells of its end."""

    world: Callable[[], CloudWorld]
    step: str
    ring: Callable[[str], Request]


SQL = "sparkSqlJob: {queryFileUri: x}"
TEMPLATE = (
    "dataproc: {template: {placement: {clusterSelector: {clusterLabels: {team: weather}}}, "
    f"jobs: [{{stepId: clean, {SQL}}}, {{stepId: totals, {SQL}}}]}}}}"
)
KINDS = {
    "job": Kind(
        ClusterJobWorld, "dataproc: {pyspark: job.py, cluster: etl}", audited("submit_job_last_done")
    ),
    "batch": Kind(BatchWorld, "dataproc: {pyspark: job.py}", audited("create_batch_last_succeeded")),
    "template": Kind(TemplateWorld, TEMPLATE, audited("instantiate_workflow_template_last")),
    "flex": Kind(FlexWorld, "dataflow: {main: job.py}", changed("JOB_STATE_DONE")),
    "classic": Kind(ClassicWorld, "dataflow: {launch: {gcsPath: gs://t/x}}", changed("JOB_STATE_DONE")),
    "streaming": Kind(Streams, "dataflow: {main: job.py, detached: true}", changed("JOB_STATE_RUNNING")),
    "execution": Kind(ExecutionWorld, "workflow: {source: flow.yaml}", logged),
    "python": Kind(PythonWorld, 'python: {call: "job.py:work"}', lambda _: pushed(b"", {"onward-job": JOB})),
}
PIPELINE = """
pipeline: weather
trigger:
  object: {bucket: landing, match: "in/*"}
steps:
  work: {STEP}
"""


class Single(World):
    """The real service in front of its stand-in, and time that passes when it is told to."""

    def __init__(self, folder: Path, kind: Kind, jobs: Any) -> None:
        (folder / "weather").mkdir()
        (folder / "weather" / "pipeline.yaml").write_text(PIPELINE.replace("{STEP}", "{" + kind.step + "}"))
        (folder / "weather" / "job.py").write_text("def work(): pass")
        (folder / "weather" / "flow.yaml").write_text("main: {steps: [{done: {return: {}}}]}")
        super().__init__(folder)
        self.at = NOW
        self.kind, self.jobs = kind, jobs
        self.serve(jobs.service)

    def serve(self, service: Service) -> None:
        self.engine.services = {self.kind.step.partition(":")[0]: service}

    def arrive(self) -> int:
        answer = self.receive(storage.parse, notified("in/x"))
        self.settle()
        return answer

    def ring(self, job: str) -> None:
        self.labels[job.rpartition("/")[2]] = JOB
        assert self.receive(completions.parse, self.kind.ring(job)) == 204
        self.settle()

    @property
    def job(self) -> str:
        (job,) = self.jobs.running()
        return str(job)

    @property
    def state(self) -> RunState:
        return self.runs[RUN].state

    @property
    def node(self) -> Any:
        return self.store.docs[NodeKey(RUN, "work")].doc


@pytest.fixture(params=KINDS)
def single(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Single]:
    kind = KINDS[request.param]
    with kind.world().open() as jobs:
        yield Single(tmp_path, kind, jobs)


def test_its_end_is_heard_with_one_read_and_ends_its_run(single: Single) -> None:
    assert single.arrive() == 204
    job = single.job
    single.jobs.succeed(job)
    single.ring(job)
    assert (single.state, single.jobs.submits, single.jobs.reads) == (RunState.SUCCEEDED, 1, 1)


def test_its_failure_is_heard_in_the_words_of_the_service(single: Single) -> None:
    single.arrive()
    job = single.job
    single.jobs.fail(job, "no such column: humidity")
    single.ring(job)
    assert single.state is RunState.FAILED
    assert "no such column: humidity" in single.node.phase.error


def test_whatever_is_told_twice_is_done_once(single: Single) -> None:
    assert (single.arrive(), single.arrive()) == (204, 204)
    job = single.job
    single.ring(job)  # and this too early
    assert single.state is RunState.RUNNING
    single.jobs.succeed(job)
    for _ in range(3):
        single.ring(job)
    assert (single.arrive(), single.state, single.jobs.submits) == (204, RunState.SUCCEEDED, 1)


def test_an_end_of_which_nobody_hears_is_found_by_the_net(single: Single) -> None:
    single.arrive()
    single.jobs.succeed(single.job)
    single.wait(3 * HOUR)
    single.wait(3 * HOUR)
    assert (single.state, single.jobs.submits) == (RunState.SUCCEEDED, 1)


def test_a_crash_between_its_submit_and_the_record_of_it_makes_no_second_job(single: Single) -> None:
    single.serve(Crashing(single.jobs.service))
    with pytest.raises(Crash):
        single.arrive()
    job = single.job
    single.at += 3 * MINUTE  # what was left unanswered is delivered again
    assert single.arrive() == 204
    assert single.node.phase.job == job == single.job
    single.jobs.succeed(job)
    single.ring(job)
    assert (single.state, single.node.attempt) == (RunState.SUCCEEDED, 1)


def test_a_run_that_is_cancelled_leaves_no_job_of_it(single: Single) -> None:
    single.arrive()
    job = single.job
    single.engine.handle(CancelRun(RUN))
    single.settle()
    single.wait(3 * MINUTE)
    single.jobs.stop()
    assert single.jobs.running() == []
    single.ring(job)
    single.wait(3 * MINUTE)
    assert single.state is RunState.CANCELLED


def test_a_quota_is_waited_for_and_uses_up_no_attempt(single: Single) -> None:
    single.jobs.refuse("RESOURCE_EXHAUSTED", "Quota exceeded")
    single.arrive()
    assert (single.jobs.running(), single.state) == ([], RunState.RUNNING)
    single.wait(5 * MINUTE)
    job = single.job
    single.jobs.succeed(job)
    single.ring(job)
    assert (single.state, single.node.attempt) == (RunState.SUCCEEDED, 1)
