"""The services: jobs that run, end, fail, get lost, and are known by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from onward.core.errors import Unavailable
from onward.core.events import Bell, JobState, Room
from onward.core.pipeline import HOUR, MINUTE, SECOND
from onward.ports import Accepted, Busy, Declined, JobRef, JobRequest, Status, Submission

from simulation.violation import Violation

if TYPE_CHECKING:
    from simulation.world import World

LENGTHS: tuple[int, ...] = (SECOND, 10 * SECOND, 10 * MINUTE, 45 * MINUTE, 3 * HOUR)
"""How long jobs take."""


class Job:
    """A job as the service knows it."""

    def __init__(self, request: JobRequest, begins: int, ends: int, final: JobState) -> None:
        self.request = request
        self.begins = begins
        self.ends = ends
        self.final = final
        self.cancelled_at: int | None = None
        self.reads = 0
        """How often its status was read."""
        self.told = False
        self.watched_by: int | None = None
        """The process that will hear of its end."""
        self.is_call = crc32(request.node.encode()) % 2 == 0
        """On a laptop: made by a worker of the runtime, and gone with it."""

    @property
    def of(self) -> tuple[str, str]:
        """Whose it is: run and node."""
        return self.request.run, self.request.node

    @property
    def over_at(self) -> int:
        """When it ends, as things stand."""
        return self.ends if self.cancelled_at is None else min(self.ends, self.cancelled_at)

    def __repr__(self) -> str:
        return f"the end of {self.request.name}"

    def state(self, now: int) -> JobState:
        """Running until it ends or its cancel took hold."""
        if self.cancelled_at is not None and self.cancelled_at <= min(now, self.ends - 1):
            return JobState.CANCELLED
        return self.final if now >= self.ends else JobState.RUNNING

    def status(self, now: int) -> Status:
        """What a status read says."""
        state = self.state(now)
        output = {"ok": self.request.node} if state is JobState.SUCCEEDED else None
        return Status(state, self.request.name, output, "it said no" if state is JobState.FAILED else "")


class Service:
    """Refuses a second job of one name; a submit may come through late, or be known to nobody."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.jobs: dict[str, Job] = {}
        self.made: list[Job] = []
        self.under_way: dict[str, int] = {}
        self.lengths = LENGTHS

    def submit(self, request: JobRequest) -> Submission:
        """See `ports.Service`."""
        name = request.name
        if self.under_way.get(name, 0) >= self.world.time:
            raise Violation(f"{name} is submitted by two at once")
        self.under_way[name] = request.until
        try:
            return self.world.call(lambda: self._submit(request))
        finally:
            self.under_way.pop(name, None)

    def _submit(self, request: JobRequest) -> Submission:
        world = self.world
        rng = world.rng
        if world.time > request.until:
            raise Unavailable("the call's deadline has passed")
        if rng.random() < world.faults.trouble:
            if rng.random() < 0.3 and not self._has(request.name):
                return Declined("no such machine type")
            if rng.random() < 0.5:
                return Busy("quota", rng.randint(1, 300) * SECOND)
            self._make(request, world.time + rng.randint(0, 25) * SECOND)
            raise Unavailable("deadline exceeded, but it came through")
        found = self._has(request.name)
        self._make(request, world.time)
        return Accepted(request.name, rings=not found)

    def _make(self, request: JobRequest, begins: int) -> None:
        """Make the job, unless there is one of this name that is not lost."""
        world, rng = self.world, self.world.rng
        if self._has(request.name):
            return
        roll = rng.random() - world.faults.job_failure
        final = JobState.FAILED if roll < 0 else JobState.SUCCEEDED
        if 0 <= roll < world.faults.job_loss:
            final = JobState.LOST
        length = rng.choice(self.lengths)
        world.counts["jobs"] += 1
        world.watcher.submitted(request)
        job = self.jobs[request.name] = Job(request, begins, begins + length, final)
        self.made.append(job)
        world.ring(job, job.ends)
        if rng.random() < world.faults.false_bell:
            world.send(Bell(request.run, request.node, rng.randint(1, 3)), rng.randint(0, length))
            world.send(Room(request.run, request.node), rng.randint(0, length))

    def _has(self, name: str) -> bool:
        known = self.jobs.get(name)
        if known is None or known.state(self.world.time) is JobState.LOST:
            return False
        known.begins = min(known.begins, self.world.time)  # this call was faster than the one before
        return True

    def status(self, ref: JobRef) -> Status:
        """See `ports.Service`."""
        return self.world.call(lambda: self._status(ref))

    def _status(self, ref: JobRef) -> Status:
        self.world.counts["status reads"] += 1
        job = self.jobs.get(ref.job or ref.name)
        if job is None or self.world.time < job.begins:
            return Status(JobState.NOT_FOUND)
        job.reads += 1
        status = job.status(self.world.time)
        if status.state is JobState.RUNNING:
            self.world.ring(job, job.over_at)
        return status

    def cancel(self, ref: JobRef) -> None:
        """See `ports.Service`."""
        self.world.call(lambda: self._cancel(ref))

    def _cancel(self, ref: JobRef) -> None:
        world = self.world
        job = self.jobs.get(ref.job or ref.name)
        if job is None or world.time < job.begins or job.cancelled_at is not None:
            return
        if job.state(world.time) is JobState.RUNNING:
            job.cancelled_at = world.time + world.rng.randint(0, 20) * SECOND
            job.watched_by = None
            world.ring(job, job.over_at)

    def end_calls(self) -> None:
        """The workers are gone, and nobody knows any more what they did."""
        for job in [job for job in self.jobs.values() if job.is_call]:
            del self.jobs[job.request.name]
            if job.state(self.world.time) is JobState.RUNNING:
                job.cancelled_at = self.world.time

    def alive(self) -> list[Job]:
        """Jobs that are running now."""
        return [job for job in self.made if job.state(self.world.time) is JobState.RUNNING]
