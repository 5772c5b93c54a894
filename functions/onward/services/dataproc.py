"""Dataproc: jobs on clusters, a run's own or others, serverless batches, and workflow templates."""

from __future__ import annotations

from onward.core.pipeline import Dataproc as DataprocStep
from onward.ports import Clock, JobRef, JobRequest, Status, Submission
from onward.services.clients import Clients
from onward.services.dataproc_batches import Batches
from onward.services.dataproc_jobs import ClusterJobs
from onward.services.dataproc_templates import InlineTemplates
from onward.services.ephemeral import EphemeralJobs
from onward.services.resources import is_batch
from onward.services.service import CloudService
from onward.services.settings import Files, Settings


class Dataproc:
    """A `ports.Service` that sends each step to where it runs. `files` are those of jobs."""

    def __init__(self, settings: Settings, files: Files, clients: Clients, clock: Clock) -> None:
        self._jobs = CloudService(ClusterJobs(settings, files, clients), clock)
        self._on_own = CloudService(EphemeralJobs(settings, files, clients, clock), clock)
        self._batches = CloudService(Batches(settings, files, clients), clock)
        self._templates = CloudService(InlineTemplates(settings, clients), clock)

    def submit(self, request: JobRequest) -> Submission:
        """See `ports.Service`."""
        return self._for(request).submit(request)

    def status(self, ref: JobRef) -> Status:
        """See `ports.Service`."""
        return self._for(ref).status(ref)

    def cancel(self, ref: JobRef) -> None:
        """See `ports.Service`."""
        self._for(ref).cancel(ref)

    def _for(self, job: JobRequest | JobRef) -> CloudService:
        assert isinstance(job.step.does, DataprocStep)
        if job.cluster is not None:
            return self._on_own
        if job.step.does.template:
            return self._templates
        return self._batches if is_batch(job.step.does) else self._jobs
