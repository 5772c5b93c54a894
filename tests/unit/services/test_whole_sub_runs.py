"""A run whose step is a run of another pipeline, from its object to its end: nothing real but the rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from onward.core.events import Bell, CancelRun, JobState, StartRun
from onward.core.naming import job_name, run_id
from onward.core.pipeline import HOUR, MINUTE
from onward.core.state import Node, NodeKey, RunState
from onward.ingress import completions, storage
from onward.ports import JobRef, JobRequest, Status, Submission
from onward.services.runs import SubRuns
from unit.ingress.envelopes import pushed
from unit.receiving.receiving_world import World, notified

OUTER = """
pipeline: outer
trigger:
  object: {bucket: landing, match: "in/*"}
steps:
  inside: {pipeline: {pipeline: inner}}
"""
INNER = """
pipeline: inner
steps:
  work: {dataproc: {pyspark: job.py}}
"""
RUN = run_id("outer", "object", "landing", "in/x", "1")
CHILD = run_id("inner", "run", RUN, "inside", "1")
JOB = job_name("work", CHILD, 0, 1)


class Crash(BaseException):
    """The process is gone."""


class Nested(World):
    """Both runs are real; the job of the inner one ends when the test says so."""

    def __init__(self, folder: Path) -> None:
        for name, text in (("outer", OUTER), ("inner", INNER)):
            (folder / name).mkdir()
            (folder / name / "pipeline.yaml").write_text(text)
            (folder / name / "job.py").write_text("pass")
        super().__init__(folder)
        self.runs_service = SubRuns(self.store, self.deployed.plan, self.told.append, lasting=True)
        self.engine.services = {"pipeline": self.runs_service, "dataproc": self}
        self.lost: tuple[type, ...] = ()
        self.stopped: list[str] = []

    def cancel(self, ref: JobRef) -> None:
        self.stopped.append(ref.name)
        self.states[ref.name] = Status(JobState.CANCELLED, ref.name)

    def settle(self) -> None:
        while self.told:
            event = self.told.pop(0)
            if not (isinstance(event, self.lost) and getattr(event, "run", "") == RUN):
                self.engine.handle(event)

    def arrive(self) -> int:
        answer = self.receive(storage.parse, notified("in/x"))
        self.settle()
        return answer

    def end(self, state: JobState, error: str = "") -> None:
        """The inner run's job ends, and rings."""
        self.states[JOB] = Status(state, JOB, error=error)
        assert self.receive(completions.parse, pushed(b"", {"onward-job": JOB})) == 204
        self.settle()

    @property
    def inside(self) -> Node:
        found = self.store.docs[NodeKey(RUN, "inside")].doc
        assert isinstance(found, Node)
        return found

    @property
    def ends(self) -> tuple[RunState, RunState]:
        """The states of the outer and of the inner run."""
        return self.runs[RUN].state, self.runs[CHILD].state


@pytest.fixture
def nested(tmp_path: Path) -> Nested:
    return Nested(tmp_path)


def test_the_end_of_the_inner_run_is_that_of_its_step(nested: Nested) -> None:
    assert nested.arrive() == 204
    assert (nested.submitted, nested.ends) == ([JOB], (RunState.RUNNING, RunState.RUNNING))
    nested.end(JobState.SUCCEEDED)
    assert nested.ends == (RunState.SUCCEEDED, RunState.SUCCEEDED)
    assert nested.inside.phase.output == {"run": CHILD}


def test_a_failure_of_the_inner_run_is_told_with_its_reason(nested: Nested) -> None:
    nested.arrive()
    nested.end(JobState.FAILED, "no such column: humidity")
    assert nested.ends == (RunState.FAILED, RunState.FAILED)
    assert nested.inside.phase.error == f"run {CHILD} failed: step work did not succeed"


def test_whatever_is_told_twice_is_done_once(nested: Nested) -> None:
    assert (nested.arrive(), nested.arrive()) == (204, 204)
    nested.engine.handle(Bell(RUN, "inside", 1))  # and this too early
    nested.settle()
    assert nested.ends == (RunState.RUNNING, RunState.RUNNING)
    for _ in range(3):
        nested.end(JobState.SUCCEEDED)
        nested.engine.handle(Bell(RUN, "inside", 1))
        nested.settle()
    assert (nested.arrive(), nested.submitted) == (204, [JOB])
    assert nested.ends == (RunState.SUCCEEDED, RunState.SUCCEEDED)


def test_an_end_of_which_the_outer_run_does_not_hear_is_found_by_the_net(nested: Nested) -> None:
    nested.arrive()
    nested.lost = (Bell,)
    nested.end(JobState.SUCCEEDED)
    assert nested.ends == (RunState.RUNNING, RunState.SUCCEEDED)
    nested.wait(3 * HOUR)
    nested.wait(3 * HOUR)
    assert nested.ends == (RunState.SUCCEEDED, RunState.SUCCEEDED)


@pytest.mark.parametrize("told", [True, False], ids=["after the start was told", "before"])
def test_a_crash_between_its_submit_and_the_record_of_it_starts_no_second_run(
    nested: Nested, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    def submit(request: JobRequest) -> Submission:
        SubRuns.submit(nested.runs_service, request)
        if not told:
            nested.told[:] = [event for event in nested.told if not isinstance(event, StartRun)]
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(nested.runs_service, "submit", submit)
        with pytest.raises(Crash):
            nested.arrive()
    nested.settle()
    assert (CHILD in nested.runs) == told
    nested.at += 3 * MINUTE  # what was left unanswered is delivered again
    assert nested.arrive() == 204
    assert (nested.submitted, nested.inside.phase.job) == ([JOB], CHILD)
    nested.end(JobState.SUCCEEDED)
    assert nested.ends == (RunState.SUCCEEDED, RunState.SUCCEEDED)
    assert nested.inside.attempt == 1


def test_a_cancel_reaches_the_jobs_of_the_inner_run_before_the_outer_one_ends(nested: Nested) -> None:
    nested.arrive()
    nested.engine.handle(CancelRun(RUN))
    nested.settle()
    for _ in range(3):
        nested.wait(3 * MINUTE)
    assert nested.stopped == [JOB]
    assert nested.ends == (RunState.CANCELLED, RunState.CANCELLED)
