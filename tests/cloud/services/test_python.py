"""Python steps as a service: a queue of tasks, what makes calls of them, and results as objects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from cloud.services.worlds import CloudWorld
from contract.service_contract import NOW, FixedClock, ServiceContract, World, ref_of, request, submitted
from msgspec.structs import replace
from onward.calls.call import Call, Died, Outcome, Raised, Returned
from onward.calls.wire import LONGEST, Results
from onward.core.errors import Unavailable
from onward.core.events import JobState
from onward.core.pipeline import MINUTE, SECOND, Python, Step
from onward.ingress.envelope import Request
from onward.ingress.python import parse_task
from onward.local.standins.tasks import CloudTasksStandIn
from onward.ports import Accepted, Declined
from onward.services import links
from onward.services import python as service
from onward.services.clients import Clients
from unit.calls.calling import Calls, Objects

QUEUE = "projects/proj/locations/europe-west1/queues/onward-python"
URL, ACCOUNT = "https://run-python.example.com", "tasks@proj.iam.gserviceaccount.com"


class PythonWorld(CloudWorld):
    create, read = "CreateTask", "GetTask"
    does = Python("steps.py", "totals", {"day": "2026-11-22"})
    unique = False
    cluster = None

    def __init__(self) -> None:
        self.output = {"rows": 3}
        self.standin = self.tasks = CloudTasksStandIn(QUEUE, now=lambda: NOW / SECOND)
        self.calls = Calls()
        self.seen = Objects()
        self.seen.kept = self.calls.objects.kept  # the same objects, through the eyes of the service

    def connect(self, clients: Clients) -> service.Python:
        return service.Python(QUEUE, URL, ACCOUNT, Results(self.seen), clients, FixedClock())

    def running(self) -> list[str]:
        return [name for name in self.tasks.tasks if name not in self.tasks.ended]

    def deliver(self, job: str) -> int:
        """Cloud Tasks calls, and is done with the task when that is answered with success."""
        call = self.tasks.tasks[job].http_request
        status = self.calls.receive(call.body, **call.headers)
        if status == 204:
            self.tasks.ended.add(job)
        return status

    def end(self, job: str, outcome: Outcome) -> None:
        self.calls.outcome = lambda _: outcome
        assert self.deliver(job) == 204

    def succeed(self, job: str) -> None:
        self.end(job, Returned(job, msgspec.json.encode(self.output)))

    def fail(self, job: str, error: str) -> None:
        self.end(job, Raised(job, error))

    def stop(self) -> None:
        """What was told to stop is not called any more."""

    def plant(self, name: str) -> None:
        """Nobody else fills the queue."""

    @property
    def reads(self) -> int:
        return self.standin.calls[self.read] + self.seen.reads


class TestPythonCall(ServiceContract):
    @contextmanager
    def open_world(self) -> Iterator[World]:
        with PythonWorld().open() as world:
            yield world


@pytest.fixture
def world() -> Iterator[PythonWorld]:
    with PythonWorld().open() as world:
        yield world


def job(ref: Any) -> str:
    assert ref.job is not None
    return str(ref.job)


def test_a_task_is_named_by_its_job_and_calls_the_function_apart_as_an_account_of_its_own(
    world: PythonWorld,
):
    ref = submitted(world)
    (task,) = world.tasks.tasks.values()
    assert task.name == job(ref)
    assert task.name.endswith(f"-{ref.name}")
    assert task.http_request.url == URL
    assert task.http_request.oidc_token.service_account_email == ACCOUNT
    assert task.http_request.oidc_token.audience == URL
    assert task.dispatch_deadline == timedelta(minutes=30)
    said = parse_task(Request({}, task.http_request.body, NOW))
    assert (said.job, said.run, said.step, said.attempt) == (ref.name, ref.run, ref.node, 1)
    assert (said.pipeline, said.file, said.function, said.args) == (
        "weather",
        "steps.py",
        "totals",
        {"day": "2026-11-22"},
    )


def test_names_of_one_steps_tasks_do_not_begin_alike():
    starts = {service.task_id(f"totals-0123456789abcdef0123-1-3-{n}")[:4] for n in range(50)}
    assert len(starts) > 40


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(None, LONGEST), (MINUTE, 60), (90 * MINUTE, LONGEST), (SECOND // 2, 0.5)]
)
def test_a_call_has_the_time_of_its_step_as_far_as_cloud_tasks_waits(
    world: PythonWorld, timeout: int | None, seconds: float
):
    asked = request(world)
    world.service.submit(replace(asked, step=replace(asked.step, timeout=timeout)))
    (task,) = world.tasks.tasks.values()
    assert parse_task(Request({}, task.http_request.body, NOW)).seconds == seconds


def test_arguments_that_do_not_fit_into_a_task_are_declined_with_what_to_do(world: PythonWorld):
    asked = request(world)
    large = replace(asked, step=Step("daily_totals", Python("steps.py", "totals", {"day": "x" * 100_000})))
    declined = world.service.submit(large)
    assert isinstance(declined, Declined)
    assert "and a task takes 98,304; write what is large to an object, and pass its URI" in declined.error
    assert world.submits == 0


def test_a_cancelled_call_is_not_made_and_its_task_is_deleted(world: PythonWorld):
    ref = submitted(world)
    world.service.cancel(ref)
    assert world.running() == []
    assert world.deliver(job(ref)) == 204  # it was on its way already
    assert world.calls.made == []
    assert world.service.status(ref).state is JobState.CANCELLED


def test_a_call_that_is_cancelled_before_its_submit_came_through_is_not_made(world: PythonWorld):
    world.service.cancel(ref_of(request(world)))
    ref = submitted(world)
    assert world.deliver(job(ref)) == 204
    assert world.calls.made == []
    assert world.service.status(ref).state is JobState.CANCELLED


def test_the_result_of_a_call_that_was_cancelled_while_it_ran_comes_too_late(world: PythonWorld):
    ref = submitted(world)

    def cancelled_meanwhile(call: Call) -> Outcome:
        world.service.cancel(ref)
        return Returned(call.id, b"1")

    world.calls.outcome = cancelled_meanwhile
    assert world.deliver(job(ref)) == 204
    status = world.service.status(ref)
    assert (status.state, status.output) == (JobState.CANCELLED, None)


def test_a_lost_call_is_running_as_long_as_its_task_comes_again(world: PythonWorld):
    ref = submitted(world)
    world.calls.outcome = lambda call: Died(call.id, "killed by signal 9")
    for _ in range(3):
        assert world.deliver(job(ref)) == 500
        assert world.service.status(ref).state is JobState.RUNNING
    assert world.deliver(job(ref)) == 204
    status = world.service.status(ref)
    assert status.state is JobState.FAILED
    assert status.error == "the call was lost with its process 4 times: killed by signal 9"


def test_a_call_that_ends_between_the_two_reads_of_a_status_has_ended(
    world: PythonWorld, monkeypatch: pytest.MonkeyPatch
):
    ref = submitted(world)
    look = world.seen.own

    def ends_after_it_was_looked_for(name: str) -> bytes | None:
        found = look(name)
        if world.running():
            world.succeed(job(ref))
        return found

    monkeypatch.setattr(world.seen, "own", ends_after_it_was_looked_for)
    assert world.service.status(ref).state is JobState.SUCCEEDED


def test_a_task_that_was_deleted_by_somebody_fails_its_attempt(world: PythonWorld):
    ref = submitted(world)
    world.tasks.ended.add(job(ref))
    status = world.service.status(ref)
    assert status.state is JobState.FAILED
    assert status.error == "its task left the queue without a result: it was deleted"


def test_a_call_whose_submit_was_repeated_after_its_end_is_not_made_twice(world: PythonWorld):
    """Cloud Tasks forgets names; objects do not."""
    ref = submitted(world)
    world.succeed(job(ref))
    again = PythonWorld()
    again.calls, again.seen = world.calls, world.seen
    with again.open():
        assert again.service.submit(replace(request(world), again=True)) == Accepted(job(ref))
        assert again.deliver(job(ref)) == 204
    assert len(world.calls.made) == 1


def test_a_result_that_is_none_of_ours_is_a_failure(world: PythonWorld):
    ref = submitted(world)
    for garbage in (b"", b"\xff", b'{"state": "won"}', b"[" * 100_000):
        world.seen.kept[f"python/{ref.name}.json"] = garbage
        status = world.service.status(ref)
        assert status.state is JobState.FAILED
        assert status.error.startswith("the object that holds its result is none of ours")


def test_a_cancel_that_the_queue_does_not_answer_is_made_again(world: PythonWorld):
    ref = submitted(world)
    world.standin.fault("DeleteTask", "UNAVAILABLE")
    with pytest.raises(Unavailable, match="Cloud Tasks did not delete"):
        world.service.cancel(ref)
    world.service.cancel(ref)
    assert world.running() == []


def test_what_a_call_printed_is_a_link_away(world: PythonWorld):
    ref = submitted(world)
    page = links.page("python", job(ref))
    assert page == (
        f"https://console.cloud.google.com/logs/query;query=jsonPayload.job%3D%22{ref.name}%22?project=proj"
    )
