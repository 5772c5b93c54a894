"""Dataproc: jobs on clusters that exist, and serverless batches."""

from __future__ import annotations

from onward.core.pipeline import Dataproc as DataprocStep
from onward.core.pipeline import Step
from onward.ports import Clock, JobRef, JobRequest, Status, Submission
from onward.services.clients import Clients
from onward.services.dataproc_batches import Batches
from onward.services.dataproc_jobs import ClusterJobs
from onward.services.resources import is_batch
from onward.services.service import CloudService
from onward.services.settings import Locate, Settings


class Dataproc:
    """A `ports.Service` that sends each step to where it runs. `files` locates job files."""

    def __init__(self, settings: Settings, files: Locate, clients: Clients, clock: Clock) -> None:
        self._jobs = CloudService(ClusterJobs(settings, files, clients), clock)
        self._batches = CloudService(Batches(settings, files, clients), clock)

    def submit(self, request: JobRequest) -> Submission:
        """See `ports.Service`."""
        return self._for(request.step).submit(request)

    def status(self, ref: JobRef) -> Status:
        """See `ports.Service`."""
        return self._for(ref.step).status(ref)

    def cancel(self, ref: JobRef) -> None:
        """See `ports.Service`."""
        self._for(ref.step).cancel(ref)

    def _for(self, step: Step) -> CloudService:
        assert isinstance(step.does, DataprocStep)
        return self._batches if is_batch(step.does) else self._jobs
