"""What every service that runs jobs promises. A subclass gives it a world in which the service lives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import pytest
from msgspec.structs import replace
from onward.core.errors import Unavailable
from onward.core.events import JobState
from onward.core.naming import job_name
from onward.core.pipeline import SECOND, Step
from onward.ports import Accepted, Busy, Declined, EphemeralCluster, JobRef, JobRequest, Service, Status

NOW = 1_790_000_000 * SECOND
RUN = "0123456789abcdef0123"


class FixedClock:
    """It is always `NOW`."""

    def now(self) -> int:
        return NOW


class World(Protocol):
    """A service, and what happens behind it. Jobs are named as the service itself names them."""

    service: Service
    step: Step
    output: Any
    """What a job that succeeds returns."""
    unique: bool
    """Whether the service refuses a second job of a name itself."""
    cluster: EphemeralCluster | None = None
    """The run's own that the step runs on."""

    def running(self) -> list[str]:
        """The jobs that were not told to stop and have not ended."""

    def succeed(self, job: str) -> None: ...

    def fail(self, job: str, error: str) -> None: ...

    def stop(self) -> None:
        """What was told to stop stops."""

    def plant(self, name: str) -> None:
        """Somebody else's running job of that name."""

    def refuse(self, code: str, message: str = "injected") -> None:
        """The next submit is refused."""

    def lose_answer(self, code: str | None) -> None:
        """The next submit takes effect, and its answer is an error; without a code it never comes."""

    def refuse_read(self, code: str) -> None:
        """The next read of a job's status is refused."""

    @property
    def submits(self) -> int:
        """Calls that would start a job."""

    @property
    def reads(self) -> int:
        """Calls that ask how a job is."""

    @property
    def longest_wait(self) -> float:
        """The longest that a submit would have waited for its answer (seconds)."""


class ServiceContract:
    @contextmanager
    def open_world(self) -> Iterator[World]:
        raise NotImplementedError

    @pytest.fixture
    def world(self) -> Iterator[World]:
        with self.open_world() as world:
            yield world

    def test_a_submitted_job_runs_until_it_succeeds_with_its_output(self, world: World) -> None:
        ref = submitted(world)
        assert ref.job is not None
        assert world.service.status(ref) == Status(JobState.RUNNING, ref.job)
        world.succeed(ref.job)
        assert world.service.status(ref) == Status(JobState.SUCCEEDED, ref.job, world.output)

    def test_a_status_is_one_read(self, world: World) -> None:
        ref = submitted(world)
        assert ref.job is not None
        world.succeed(ref.job)
        world.service.status(ref)
        assert world.reads == 1

    def test_a_job_that_fails_says_why(self, world: World) -> None:
        ref = submitted(world)
        assert ref.job is not None
        world.fail(ref.job, "no such column: humidity")
        status = world.service.status(ref)
        assert (status.state, status.output) == (JobState.FAILED, None)
        assert "no such column: humidity" in status.error

    def test_a_cancelled_job_stops(self, world: World) -> None:
        ref = submitted(world)
        world.service.cancel(ref)
        world.stop()
        assert world.running() == []
        assert world.service.status(ref).state is JobState.CANCELLED

    def test_a_job_is_cancelled_by_its_name_alone(self, world: World) -> None:
        ref = submitted(world)
        world.service.cancel(replace(ref, job=None))
        world.stop()
        assert world.running() == []

    def test_a_job_is_cancelled_as_often_as_anybody_likes(self, world: World) -> None:
        ref = submitted(world)
        for _ in range(3):
            world.service.cancel(ref)
            world.service.cancel(replace(ref, job=None))
        world.stop()
        world.service.cancel(ref)
        assert world.service.status(ref).state is JobState.CANCELLED

    def test_a_job_that_has_ended_is_not_harmed_by_a_cancel(self, world: World) -> None:
        ref = submitted(world)
        assert ref.job is not None
        world.succeed(ref.job)
        world.service.cancel(ref)
        world.stop()
        assert world.service.status(ref).state is JobState.SUCCEEDED

    def test_a_job_that_never_was_is_not_found_and_may_be_cancelled(self, world: World) -> None:
        ref = ref_of(request(world))
        assert world.service.status(ref) == Status(JobState.NOT_FOUND)
        world.service.cancel(ref)
        assert world.submits == 0

    def test_a_repeated_submit_finds_the_job_that_runs(self, world: World) -> None:
        first = world.service.submit(request(world))
        assert isinstance(first, Accepted)
        assert world.service.submit(replace(request(world), again=True)) == replace(first, rings=False)
        assert len(world.running()) == 1

    def test_a_repeated_submit_finds_the_job_that_has_ended(self, world: World) -> None:
        ref = submitted(world)
        assert ref.job is not None
        world.succeed(ref.job)
        assert world.service.submit(replace(request(world), again=True)) == Accepted(ref.job, rings=False)
        assert world.running() == []

    @pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "ABORTED", "DEADLINE_EXCEEDED"])
    def test_a_submit_whose_answer_was_lost_is_found_by_the_next(self, world: World, code: str) -> None:
        world.lose_answer(code)
        with pytest.raises(Unavailable):
            world.service.submit(request(world))
        (job,) = world.running()
        assert world.service.submit(replace(request(world), again=True)) == Accepted(job, rings=False)
        assert world.running() == [job]

    def test_a_job_whose_submit_was_never_answered_has_a_status(self, world: World) -> None:
        world.lose_answer("UNAVAILABLE")
        with pytest.raises(Unavailable):
            world.service.submit(request(world))
        (job,) = world.running()
        world.succeed(job)
        assert world.service.status(ref_of(request(world))) == Status(JobState.SUCCEEDED, job, world.output)

    def test_no_submit_call_outlasts_its_time(self, world: World) -> None:
        world.lose_answer(None)
        with pytest.raises(Unavailable):
            world.service.submit(replace(request(world), until=NOW + SECOND // 10))
        assert world.longest_wait < 1  # what the client sent along, rounded on its way

    def test_nothing_is_sent_when_the_time_to_submit_has_passed(self, world: World) -> None:
        for late in (replace(request(world), until=NOW), replace(request(world), until=NOW - 1, again=True)):
            with pytest.raises(Unavailable, match="the time to do so had passed"):
                world.service.submit(late)
        assert world.submits == 0

    @pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "ABORTED", "UNKNOWN", "UNAUTHENTICATED"])
    def test_a_submit_is_one_call_however_it_fails(self, world: World, code: str) -> None:
        world.refuse(code)
        with pytest.raises(Unavailable, match="injected"):
            world.service.submit(request(world))
        assert (world.submits, world.running()) == (1, [])

    def test_a_quota_is_waited_for(self, world: World) -> None:
        world.refuse("RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Jobs'")
        busy = world.service.submit(request(world))
        assert isinstance(busy, Busy)
        assert busy.wait >= SECOND
        assert "Quota exceeded" in busy.error

    @pytest.mark.parametrize(
        "code", ["INVALID_ARGUMENT", "FAILED_PRECONDITION", "PERMISSION_DENIED", "NOT_FOUND", "OUT_OF_RANGE"]
    )
    def test_what_would_be_refused_again_is_declined_in_the_words_of_the_service(
        self, world: World, code: str
    ) -> None:
        world.refuse(code, "this one\nand that")
        declined = world.service.submit(request(world))
        assert isinstance(declined, Declined)
        assert f"this one and that ({code})" in declined.error

    def test_a_service_that_does_not_answer_a_read_is_asked_again_later(self, world: World) -> None:
        ref = submitted(world)
        world.refuse_read("UNAVAILABLE")
        with pytest.raises(Unavailable, match="injected"):
            world.service.status(ref)
        assert world.service.status(ref).state is JobState.RUNNING

    def test_two_attempts_are_two_jobs(self, world: World) -> None:
        first, second = submitted(world), submitted(world, attempt=2)
        assert first.job is not None
        world.fail(first.job, "no")
        assert world.service.status(first).state is JobState.FAILED
        assert world.service.status(second).state is JobState.RUNNING

    def test_somebody_elses_job_of_that_name_is_left_alone(self, world: World) -> None:
        asked = request(world)
        world.plant(asked.name)
        before = world.running()
        if world.unique:
            for again in (False, True):
                declined = world.service.submit(replace(asked, again=again))
                assert isinstance(declined, Declined)
                assert f"a job named {asked.name} that is not Onward's" in declined.error
        assert world.service.status(ref_of(asked)).state is JobState.NOT_FOUND
        world.service.cancel(ref_of(asked))
        assert world.running() == before


def request(world: World, attempt: int = 1) -> JobRequest:
    name = job_name(world.step.name, RUN, 3, attempt)
    return JobRequest(
        name,
        RUN,
        world.step.name,
        attempt,
        "weather",
        "plan1",
        world.step,
        until=NOW + 20 * SECOND,
        cluster=world.cluster,
    )


def ref_of(asked: JobRequest, job: str | None = None) -> JobRef:
    return JobRef(asked.name, asked.run, asked.node, asked.attempt, asked.step, job, asked.cluster)


def submitted(world: World, attempt: int = 1) -> JobRef:
    asked = request(world, attempt)
    accepted = world.service.submit(asked)
    assert isinstance(accepted, Accepted)
    return ref_of(asked, accepted.job)
