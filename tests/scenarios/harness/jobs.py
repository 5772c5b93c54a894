"""One service for all jobs that a scenario does not really run: the same behind both doors.

A job succeeds as soon as it is submitted, unless the scenario has it held or fail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from onward.core.events import JobState
from onward.ports import Accepted, JobRef, JobRequest, Service, Status, Submission
from scenarios.harness.scenario import Order


class Job(msgspec.Struct):
    """One that was submitted. `id` is the service's own."""

    id: str
    request: JobRequest
    status: Status
    held: bool = False

    @property
    def ref(self) -> JobRef:
        """As the engine names it."""
        at = self.request
        return JobRef(at.name, at.run, at.node, at.attempt, at.step, self.id)


class Jobs:
    """What was submitted, and what is to become of it. `ring`: a job has ended."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.submitted: list[tuple[str, str, int]] = []
        """Run, node and attempt of each, in order; real jobs, too."""
        self.ring: Callable[[Job], None] = lambda _: None
        self._held: list[Order] = []
        self._next: list[tuple[JobState, Order]] = []

    def service(self, kind: str, real: Service | None) -> Double:
        """What stands for a service; without a script, `real` has the job."""
        return Double(self, kind, real)

    def hold(self, order: Order) -> None:
        """Jobs of the step run until they are told how to end."""
        self._held.append(order)

    def end(self, order: Order, state: JobState) -> None:
        """See `Order`."""
        running = [job for job in self.jobs.values() if job.held and _means(order, job.request)]
        for job in running[: order.times]:
            self._end(job, state, order)
        for _ in range(order.times - len(running)):
            self._next.append((state, order))

    def scripted(self, request: JobRequest) -> bool:
        """Whether something is to become of it that would not by itself."""
        return any(_means(order, request) for order in [*self._held, *(order for _, order in self._next)])

    def begin(self, request: JobRequest, job_id: str) -> None:
        """It is submitted."""
        job = self.jobs[request.name] = Job(job_id, request, Status(JobState.RUNNING, job_id), held=True)
        for number, (state, order) in enumerate(self._next):
            if _means(order, request):
                del self._next[number]
                self._end(job, state, order)
                return
        if not any(_means(order, request) for order in self._held):
            self._end(job, JobState.SUCCEEDED, Order(request.node))

    def stop(self, job: Job) -> None:
        """It is cancelled."""
        if job.status.state is JobState.RUNNING:
            self._end(job, JobState.CANCELLED, Order(job.request.node, error="it was stopped"))

    def _end(self, job: Job, state: JobState, order: Order) -> None:
        output, error = (order.output, "") if state is JobState.SUCCEEDED else (None, order.error)
        job.status, job.held = Status(state, job.id, output, error), False
        self.ring(job)


class Double:
    """See `ports.Service`."""

    def __init__(self, jobs: Jobs, kind: str, real: Service | None) -> None:
        self._jobs = jobs
        self._kind = kind
        self._real = real

    def submit(self, request: JobRequest) -> Submission:
        known = self._jobs.jobs.get(request.name)
        if known is not None:
            return Accepted(known.id, rings=False)
        if self._real is not None and not self._jobs.scripted(request):
            submission = self._real.submit(request)
        else:
            job_id = f"id-{request.name}" if self._kind in ("workflow", "dataflow") else request.name
            submission = Accepted(job_id)
            self._jobs.begin(request, job_id)
        told = (request.run, request.node, request.attempt)
        if isinstance(submission, Accepted) and told not in self._jobs.submitted:
            self._jobs.submitted.append(told)
        return submission

    def status(self, ref: JobRef) -> Status:
        known = self._jobs.jobs.get(ref.name)
        if known is not None:
            return known.status
        return Status(JobState.NOT_FOUND) if self._real is None else self._real.status(ref)

    def cancel(self, ref: JobRef) -> None:
        known = self._jobs.jobs.get(ref.name)
        if known is not None:
            self._jobs.stop(known)
        elif self._real is not None:
            self._real.cancel(ref)


def _means(order: Order, request: JobRequest) -> Any:
    return order.step == request.node and order.pipeline in ("", request.pipeline)
