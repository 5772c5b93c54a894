"""A run of another pipeline as a job: started once by name, told to stop, known by its document."""

from __future__ import annotations

from typing import Any

import pytest
from onward.core.commands import Put
from onward.core.errors import NotFound
from onward.core.events import CancelRun, Event, JobState, StartRun
from onward.core.naming import run_id
from onward.core.pipeline import HOUR, Param, Pipeline, Step, SubRun
from onward.core.plan import Plan, compile_plan
from onward.core.starting import MOST_HOPS
from onward.core.state import (
    Backoff,
    Cancelling,
    Key,
    Node,
    NodeKey,
    Phase,
    Run,
    RunKey,
    Running,
    RunState,
    Submitting,
)
from onward.ports import Accepted, Declined, JobRef, JobRequest, Status, Write
from onward.services.runs import SubRuns
from onward.stores.memory import MemoryStore
from unit.core.telling import NOON, step

PARENT = "a" * 20
PLAN = compile_plan(Pipeline("inner", (step("s"),), params=(Param("n", "int"), Param("day", "date", False))))
INSIDE = Step("inside", SubRun("inner", {"n": "4"}))
CHILD = run_id("inner", "run", PARENT, "inside", "1")
LATER = NOON + HOUR


class World:
    """The service, its store, and what it told."""

    def __init__(self, *, lasting: bool = True) -> None:
        self.store = MemoryStore()
        self.told: list[Event] = []
        self.service = SubRuns(self.store, self.deployed, self.told.append, lasting=lasting)

    def deployed(self, pipeline: str) -> Plan:
        if pipeline != "inner":
            raise NotFound(f"there is no pipeline {pipeline}")
        return PLAN

    def keep(self, key: Key, doc: Run | Node) -> None:
        self.store.commit([Write(Put(key, doc), 0)])

    def parent(self, trigger: dict[str, Any]) -> None:
        self.keep(RunKey(PARENT), Run("outer", "plan", RunState.RUNNING, NOON, {}, trigger))

    def child(self, state: RunState, error: str = "") -> None:
        self.keep(RunKey(CHILD), Run("inner", PLAN.name, state, NOON, {}, {}, None, error))


def request(does: SubRun | None = None, attempt: int = 1) -> JobRequest:
    step = Step("inside", does) if does else INSIDE
    return JobRequest("inside-x", PARENT, "inside", attempt, "outer", "plan", step, until=LATER)


def ref(attempt: int = 1, job: str | None = None) -> JobRef:
    return JobRef("inside-x", PARENT, "inside", attempt, INSIDE, job)


def test_a_submit_starts_the_deployed_pipeline_with_its_parameters_bound() -> None:
    world = World()
    assert world.service.submit(request()) == Accepted(CHILD)
    trigger = {"on": "run", "run": PARENT, "step": "inside", "attempt": 1, "hops": 1}
    assert world.told == [StartRun(CHILD, "inner", PLAN.name, {"n": 4, "day": None}, trigger)]


def test_a_repeated_submit_names_the_same_run_and_another_attempt_another() -> None:
    world = World()
    again = world.service.submit(request())
    assert world.service.submit(request()) == again == Accepted(CHILD)
    assert world.told[0] == world.told[1]
    assert world.service.submit(request(attempt=2)) == Accepted(run_id("inner", "run", PARENT, "inside", "2"))


def test_parameters_that_do_not_fit_are_declined_with_what_is_wrong() -> None:
    world = World()
    declined = world.service.submit(request(SubRun("inner", {"n": "four", "m": 1})))
    assert isinstance(declined, Declined)
    assert "the parameter `n` must be a whole number" in declined.error
    assert "no parameter is named `m`" in declined.error
    assert world.told == []


def test_a_pipeline_that_is_not_deployed_is_declined_by_name() -> None:
    world = World()
    assert world.service.submit(request(SubRun("missing"))) == Declined("there is no pipeline missing")
    assert world.told == []


@pytest.mark.parametrize(("before", "hops"), [({}, 1), ({"hops": 3}, 4), ({"hops": "many"}, 1)])
def test_a_run_says_how_many_started_one_another_before_it(before: dict[str, Any], hops: int) -> None:
    world = World()
    world.parent({"on": "run", **before})
    world.service.submit(request())
    (start,) = world.told
    assert isinstance(start, StartRun)
    assert start.trigger["hops"] == hops


def test_the_16th_in_a_row_is_started_and_the_17th_is_taken_for_a_loop() -> None:
    for hops, starts in ((MOST_HOPS - 1, True), (MOST_HOPS, False)):
        world = World()
        world.parent({"on": "run", "hops": hops})
        answer = world.service.submit(request())
        assert (answer == Accepted(CHILD), bool(world.told)) == (starts, starts)
    assert answer == Declined("16 runs have started one another in a row; this is taken for a loop")


@pytest.mark.parametrize(
    ("state", "error", "said"),
    [
        (RunState.RUNNING, "", Status(JobState.RUNNING, CHILD, {"run": CHILD})),
        (RunState.CANCELLING, "a timeout", Status(JobState.RUNNING, CHILD, {"run": CHILD})),
        (RunState.SUCCEEDED, "", Status(JobState.SUCCEEDED, CHILD, {"run": CHILD})),
        (
            RunState.FAILED,
            "step s did not succeed",
            Status(JobState.FAILED, CHILD, {"run": CHILD}, f"run {CHILD} failed: step s did not succeed"),
        ),
        (
            RunState.CANCELLED,
            "",
            Status(JobState.CANCELLED, CHILD, {"run": CHILD}, f"run {CHILD} cancelled: it was cancelled"),
        ),
    ],
)
def test_its_status_is_that_of_the_run_and_one_read(state: RunState, error: str, said: Status) -> None:
    world = World()
    world.child(state, error)
    assert world.service.status(ref()) == world.service.status(ref(job=CHILD)) == said


@pytest.mark.parametrize(
    "phase", [Submitting("t", LATER, NOON), Running(CHILD, NOON, LATER), Backoff(LATER, 1, "", NOON)]
)
def test_a_run_that_is_not_there_yet_is_on_its_way_where_messages_last(phase: Phase) -> None:
    for lasting, state in ((True, JobState.RUNNING), (False, JobState.NOT_FOUND)):
        world = World(lasting=lasting)
        world.keep(NodeKey(PARENT, "inside"), Node(phase, attempt=1))
        assert world.service.status(ref()) == Status(state, CHILD)


def test_a_run_that_has_not_started_will_not_once_its_step_is_being_stopped_or_gone() -> None:
    world = World()
    assert world.service.status(ref()) == Status(JobState.NOT_FOUND, CHILD)
    world.keep(NodeKey(PARENT, "inside"), Node(Cancelling(LATER, LATER, False, NOON), attempt=1))
    assert world.service.status(ref()) == Status(JobState.NOT_FOUND, CHILD)


def test_a_cancel_tells_the_run_to_stop_whether_it_has_started_or_not() -> None:
    world = World()
    world.service.cancel(ref())
    world.service.cancel(ref(job=CHILD))
    assert world.told == [CancelRun(CHILD)] * 2


def test_a_cancel_of_one_attempt_leaves_the_other_alone() -> None:
    world = World()
    world.service.cancel(ref(attempt=2))
    assert world.told == [CancelRun(run_id("inner", "run", PARENT, "inside", "2"))]
