"""What all cloud services have in common: one call per submit, adoption by label, errors by their meaning.

A service's own module only knows how to create, read, look up and cancel its jobs (`Api`). The rules:

    submit   The call's deadline ends with the intent, and the client's own retries are off. Where the service
             refuses a second job of a name, its refusal is the look; where it does not, a repeated submit
             looks before it leaps.
    adopt    A job counts as ours by its label, never by its name alone. Of several, the oldest counts and the
             others are cancelled.
    cancel   A job that has ended, or never was, is none of our worry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from onward.core.errors import Refused, Unavailable, UserError
from onward.core.events import JobState
from onward.core.pipeline import SECOND
from onward.ports import Accepted, Busy, Clock, Declined, JobRef, JobRequest, Status, Submission
from onward.services.grpc_errors import said, submission
from onward.services.labels import JOB

CALL_SECONDS = 30.0
"""How long a read or a cancel may take."""


class Job(msgspec.Struct, frozen=True):
    """A job as its service describes it; the status names it by its full resource name."""

    labels: Mapping[str, str]
    status: Status
    under_way: bool = False
    """It does its work: it is neither waiting to do so nor stopping."""


class NotYet(Exception):
    """The job can't be started now; `busy` says why, and when to try again."""

    def __init__(self, why: str, wait: int) -> None:
        super().__init__(why)
        self.busy = Busy(why, wait)


class Api(Protocol):
    """A service's calls: each is made once, and raises what Google's client raises."""

    @property
    def title(self) -> str:
        """What people call the service."""

    @property
    def refuses_repeats(self) -> bool:
        """Whether a second job of a name is refused with ALREADY_EXISTS even when the first has ended."""

    def create(self, request: JobRequest, seconds: float) -> str:
        """Start the job, labelled as ours; returns its resource name.

        Raises `Refused` for a bad body, and `NotYet`.
        """

    def read(self, job: str, seconds: float) -> Job:
        """The job of this resource name."""

    def named(self, ref: JobRef, seconds: float) -> Sequence[Job]:
        """All jobs of the reference's derived name, oldest first, whosever they are."""

    def cancel(self, job: str, seconds: float) -> None:
        """Tell the job of this resource name to stop."""


class CloudService:
    """A `ports.Service` over one service's calls."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock

    def submit(self, request: JobRequest) -> Submission:
        """See `ports.Service`."""
        from google.api_core.exceptions import AlreadyExists, GoogleAPICallError

        try:
            if request.again and not self._api.refuses_repeats:
                left = min(time_left(request, self._clock), CALL_SECONDS)
                if adopted := self._adopted(request, self._all(_ref(request), left)):
                    return adopted
            job = self._api.create(request, time_left(request, self._clock))
            # A known request id brings the first answer: what was accepted may be an old job.
            return Accepted(job, rings=not (request.again and self._api.refuses_repeats))
        except (Refused, UserError) as error:
            return Declined(str(error))
        except NotYet as error:
            return error.busy
        except AlreadyExists:
            return self._taken(request)
        except GoogleAPICallError as error:
            return submission(self._api.title, error)

    def status(self, ref: JobRef) -> Status:
        """See `ports.Service`."""
        if ref.job is None:
            jobs = _ours(ref.name, self._all(ref))
            return self.verdict(ref, jobs[0]) if jobs else Status(JobState.NOT_FOUND)
        job = self.look(ref.job)
        return Status(JobState.NOT_FOUND) if job is None else self.verdict(ref, job)

    def verdict(self, ref: JobRef, job: Job) -> Status:
        """What the job's state means for its step."""
        del ref
        return job.status

    def look(self, job: str) -> Job | None:
        """One read of the job of this resource name, whosever it is: its labels and its status."""
        from google.api_core.exceptions import GoogleAPICallError, NotFound

        try:
            return self._api.read(job, CALL_SECONDS)
        except NotFound:
            return None
        except GoogleAPICallError as error:
            raise Unavailable(f"{self._api.title} did not say how {job} is: {said(error)}") from error

    def cancel(self, ref: JobRef) -> None:
        """See `ports.Service`."""
        if ref.job is not None:
            self._stop(ref.job)
        if ref.job is None or not self._api.refuses_repeats:
            # There may be another of its name, from a submit of which nobody heard.
            jobs = _ours(ref.name, self._all(ref))
            self._stop_all(job for job in jobs if job.status.job != ref.job)

    def _all(self, ref: JobRef, seconds: float = CALL_SECONDS) -> Sequence[Job]:
        """The jobs of the reference's name, oldest first."""
        from google.api_core.exceptions import GoogleAPICallError, NotFound

        try:
            return self._api.named(ref, seconds)
        except (NotFound, UserError):
            return ()  # where nothing was deployed, nothing was submitted
        except GoogleAPICallError as error:
            raise Unavailable(f"{self._api.title} did not look for {ref.name}: {said(error)}") from error

    def _adopted(self, request: JobRequest, jobs: Sequence[Job]) -> Accepted | None:
        ours = _ours(request.name, jobs)
        self._stop_all(ours[1:])
        return Accepted(ours[0].status.job, rings=False) if ours else None

    def _taken(self, request: JobRequest) -> Submission:
        jobs = self._all(_ref(request))
        if not jobs:
            # Removed since, or not listed yet.
            raise Unavailable(f"{self._api.title} has {request.name} already, but does not show it")
        return self._adopted(request, jobs) or Declined(
            f"{self._api.title} has a job named {request.name} that is not Onward's: its label {JOB} is "
            "missing or another. Remove that job, then retry the run"
        )

    def _stop_all(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            if job.status.state is JobState.RUNNING:
                self._stop(job.status.job)

    def _stop(self, job: str) -> None:
        from google.api_core.exceptions import (
            FailedPrecondition,
            GoogleAPICallError,
            InvalidArgument,
            NotFound,
        )

        try:
            self._api.cancel(job, CALL_SECONDS)
        except (NotFound, FailedPrecondition, InvalidArgument):
            pass  # it has ended, or can't be stopped in this state: the next verdict tells, and asks again
        except GoogleAPICallError as error:
            raise Unavailable(f"{self._api.title} did not cancel {job}: {said(error)}") from error


def time_left(request: JobRequest, clock: Clock) -> float:
    """Seconds in which the submit may still be sent. Raises `Unavailable` when there are none."""
    left = (request.until - clock.now()) / SECOND
    if left <= 0:
        raise Unavailable(f"{request.name} was not submitted: the time to do so had passed")
    return left


def _ref(request: JobRequest) -> JobRef:
    return JobRef(request.name, request.run, request.node, request.attempt, request.step)


def _ours(name: str, jobs: Sequence[Job]) -> list[Job]:
    return [job for job in jobs if job.labels.get(JOB) == name]
