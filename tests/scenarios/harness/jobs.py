"""What becomes of jobs behind both doors: each succeeds once it is submitted, unless a scenario differs.

A job that really runs (a python step's call, a sub-run) ends by itself. One that the scenario speaks of, and
one of a service that is not there, is a double.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
from onward.core.events import JobState
from onward.ports import Accepted, JobRef, JobRequest, Service, Status, Submission
from scenarios.harness.scenario import Order


class Job(msgspec.Struct):
    """One that ends as the scenario says. `id` is the service's own."""

    id: str
    request: JobRequest
    status: Status
    there: bool = False
    """A stand-in has it, too."""

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.status.state is JobState.RUNNING

    @property
    def ref(self) -> JobRef:
        """As the engine names it."""
        at = self.request
        return JobRef(at.name, at.run, at.node, at.attempt, at.step, self.id)


class Around(Protocol):
    """Who hears of jobs."""

    def began(self, _: Job) -> bool:
        """False: it goes on until it is told to end."""

    def ended(self, job: Job) -> None: ...


class Jobs:
    """What was submitted, and what is to become of it."""

    around: Around

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.submitted: list[tuple[str, str, int]] = []
        """Run, node and attempt of each, in order; real jobs, too."""
        self._held: list[Order] = []
        self._next: list[tuple[JobState, Order]] = []

    def hold(self, order: Order) -> None:
        """Jobs of the step run until they are told how to end."""
        self._held.append(order)

    def end(self, order: Order, state: JobState) -> None:
        """See `Order`."""
        running = [job for job in self.jobs.values() if job.runs and _means(order, job.request)]
        for job in running[: order.times]:
            self._end(job, state, order)
        for _ in range(order.times - len(running)):
            self._next.append((state, order))

    def scripted(self, request: JobRequest) -> bool:
        """Whether something is to become of it that would not by itself."""
        return any(_means(order, request) for order in [*self._held, *(order for _, order in self._next)])

    def begin(self, request: JobRequest, job_id: str, *, there: bool) -> None:
        """It is submitted."""
        job = self.jobs[request.name] = Job(job_id, request, Status(JobState.RUNNING, job_id), there)
        goes_on = self.around.began(job)
        for number, (state, order) in enumerate(self._next):
            if _means(order, request):
                del self._next[number]
                self._end(job, state, order)
                return
        if not goes_on and not any(_means(order, request) for order in self._held):
            self._end(job, JobState.SUCCEEDED, Order(request.node))

    def stop(self, job_id: str) -> None:
        """The job of this id, the last part of the service's own name, is told to stop, and does."""
        job = next(job for job in self.jobs.values() if job.id.rpartition("/")[2] == job_id)
        if job.runs:
            self._end(job, JobState.CANCELLED, Order(job.request.node, error="it was stopped"))

    def _end(self, job: Job, state: JobState, order: Order) -> None:
        output, error = (order.output, "") if state is JobState.SUCCEEDED else (None, order.error)
        job.status = Status(state, job.id, output, error)
        self.around.ended(job)


class Scripted:
    """See `ports.Service`. `ends`: jobs of the real one end by themselves; others as the scenario says."""

    def __init__(self, jobs: Jobs, real: Service | None, *, ends: bool) -> None:
        self._jobs = jobs
        self._real = real
        self._ends = ends

    def submit(self, request: JobRequest) -> Submission:
        real = self._real
        known = self._jobs.jobs.get(request.name)
        if real is not None and (not self._ends or not self._jobs.scripted(request)) and not _double(known):
            submission = real.submit(request)
            if not self._ends and known is None and isinstance(submission, Accepted):
                self._jobs.begin(request, submission.job, there=True)
        elif known is not None:
            submission = Accepted(known.id, rings=False)
        else:
            submission = Accepted(request.name)
            self._jobs.begin(request, request.name, there=False)
        told = (request.run, request.node, request.attempt)
        if isinstance(submission, Accepted) and told not in self._jobs.submitted:
            self._jobs.submitted.append(told)
        return submission

    def status(self, ref: JobRef) -> Status:
        known = self._jobs.jobs.get(ref.name)
        if known is not None and _double(known):
            return known.status
        return Status(JobState.NOT_FOUND) if self._real is None else self._real.status(ref)

    def cancel(self, ref: JobRef) -> None:
        known = self._jobs.jobs.get(ref.name)
        if known is not None and _double(known):
            self._jobs.stop(known.id)
        elif self._real is not None:
            self._real.cancel(ref)


def _double(job: Job | None) -> bool:
    return job is not None and not job.there


def _means(order: Order, request: JobRequest) -> Any:
    return order.step == request.node and order.pipeline in ("", request.pipeline)
