"""The steps that meet a run's own clusters: jobs that run on one, and the step that deletes it."""

from __future__ import annotations

from contextlib import suppress

from msgspec.structs import replace

from onward.core.errors import Refused, Unavailable
from onward.core.events import JobState
from onward.core.pipeline import Dataproc
from onward.ports import Accepted, Clock, JobRef, JobRequest, Status, Submission
from onward.services.clients import Clients
from onward.services.clusters import GOING, SHORTLY, Clusters, usable
from onward.services.dataproc_jobs import ClusterJobs
from onward.services.grpc_errors import said, submission
from onward.services.resources import check
from onward.services.service import CALL_SECONDS, NotYet, time_left
from onward.services.settings import Files, Settings


class EphemeralJobs(ClusterJobs):
    """See `service.Api`. Where there is no cluster that takes jobs, one is created, and waited for."""

    def __init__(self, settings: Settings, files: Files, clients: Clients, clock: Clock) -> None:
        super().__init__(settings, files, clients)
        self._clusters = Clusters(settings, clients, clock)
        self._clock = clock

    def create(self, request: JobRequest, seconds: float) -> str:
        """See `service.Api`."""
        from google.api_core.exceptions import NotFound

        cluster = request.cluster
        assert cluster is not None
        place = (self._settings.project, self._settings.region)
        if self._settings.place(request.step) != place:
            raise Refused(f"`resources`: cluster {cluster.cluster.name} is in {place[1]} of {place[0]}")
        check(request.step)
        self.job(request)  # no cluster for a job that would be refused
        found = self._clusters.of(cluster, min(seconds, CALL_SECONDS))
        name = usable(found)
        if name is None:
            if request.again:
                self._refuse_repeat(request)
            self._clusters.prepare(request, found)
        try:
            return super().create(_placed(request, name), time_left(request, self._clock))
        except NotFound as error:
            raise NotYet(f"cluster {name} is gone: {said(error)}", SHORTLY) from error

    def _refuse_repeat(self, request: JobRequest) -> None:
        """What the service would do at the submit to which it does not come without a cluster."""
        from google.api_core.exceptions import AlreadyExists, NotFound

        with suppress(NotFound):
            left = min(time_left(request, self._clock), CALL_SECONDS)
            self.read(f"{self._parent(request.step)}/jobs/{request.name}", left)
            why = f"{request.name} was submitted to a cluster that is gone"
            raise AlreadyExists(why)  # type: ignore[no-untyped-call]


def _placed(request: JobRequest, cluster: str) -> JobRequest:
    does = request.step.does
    assert isinstance(does, Dataproc)
    return replace(request, step=replace(request.step, does=replace(does, cluster=cluster)))


class ClusterDeletions:
    """The `ports.Service` of the compiled step that deletes a run's cluster: all that there is of it."""

    def __init__(self, settings: Settings, clients: Clients, clock: Clock) -> None:
        self._clusters = Clusters(settings, clients, clock)
        self._clock = clock

    def submit(self, request: JobRequest) -> Submission:
        """See `ports.Service`."""
        from google.api_core.exceptions import GoogleAPICallError

        assert request.cluster is not None
        try:
            found = self._clusters.of(request.cluster, min(time_left(request, self._clock), CALL_SECONDS))
            alive = [each for each in found if each.state != GOING]
            for incarnation in alive:
                self._clusters.delete(incarnation, time_left(request, self._clock))
        except GoogleAPICallError as error:
            return submission("Dataproc", error)
        # Nobody may tell of what is going already.
        return Accepted(self._clusters.resource(found[0].name) if found else request.name, rings=bool(alive))

    def status(self, ref: JobRef) -> Status:
        """See `ports.Service`. What is alive after all is a failure: the next attempt deletes it."""
        from google.api_core.exceptions import GoogleAPICallError

        assert ref.cluster is not None
        try:
            found = self._clusters.of(ref.cluster, CALL_SECONDS)
        except GoogleAPICallError as error:
            raise Unavailable(f"Dataproc did not say whether {ref.name} is done: {said(error)}") from error
        job = ref.job or ref.name
        for each in found:
            if each.state != GOING:
                why = f"cluster {each.name} is in state {each.state}: {each.detail or 'no reason given'}"
                return Status(JobState.FAILED, job, error=why)
        return Status(JobState.RUNNING if found else JobState.SUCCEEDED, job)

    def cancel(self, ref: JobRef) -> None:
        """A cluster is deleted whatever becomes of its run."""
