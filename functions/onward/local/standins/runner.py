"""Runs what the stand-ins accept: each job a supervised process of this machine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from onward.core.errors import Temporary
from onward.core.events import JobState
from onward.core.naming import parse_job_name
from onward.core.pipeline import Step, StepKind
from onward.local.buckets import Buckets
from onward.local.commands import Commands
from onward.local.services import ProcessService
from onward.ports import Declined, JobRef, JobRequest, Status
from onward.services.labels import JOB

Ended = Callable[[Status], None]
_OTHER = re.compile("[^a-z0-9]+")


class Runner:
    """Starts and stops jobs in the loop's thread, whichever thread asks. `root` has a folder for each."""

    def __init__(self, root: Path, buckets: Buckets, loop: asyncio.AbstractEventLoop) -> None:
        self.buckets = buckets
        self._loop = loop
        self._service = ProcessService(root, Commands(buckets), Path, self._on_bell, loop)
        self._running: dict[str, tuple[JobRef, Ended]] = {}
        self._numbers = count(1)
        self._idle = asyncio.Event()

    def start(  # noqa: PLR0913, PLR0917 - what a job is
        self,
        title: str,
        does: StepKind,
        files: Path,
        labels: Mapping[str, str],
        ended: Ended,
        resources: Mapping[str, Any] = {},
    ) -> JobRef:
        """Start a job soon; returns what stops it. `ended` is called in the loop, also if it can't start.

        `title` begins its folder's name, and `files` holds the files that it is given by relative name.
        """
        name = f"{_OTHER.sub('-', title.lower()).strip('-')[:80]}-{next(self._numbers)}"
        owner = parse_job_name(labels.get(JOB, ""))
        run, attempt = (owner.run, owner.attempt) if owner else ("", 1)
        step = Step(name, does, resources=dict(resources))
        ref = JobRef(name, run, labels.get("onward-step", ""), attempt, step, name)
        self._loop.call_soon_threadsafe(self._start, ref, files, ended)
        return ref

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Do this in the loop, after so long."""
        self._loop.call_soon_threadsafe(self._loop.call_later, seconds, do)

    def cancel(self, ref: JobRef) -> None:
        """Tell it to stop; its end follows."""
        self._loop.call_soon_threadsafe(self._service.cancel, ref)

    async def stop(self) -> None:
        """Stop all jobs, and return when they have."""
        for ref, _ in self._running.values():
            self._service.cancel(ref)
        while self._running:
            self._idle.clear()
            await self._idle.wait()
        self._service.close()

    def _start(self, ref: JobRef, files: Path, ended: Ended) -> None:
        request = JobRequest(ref.name, ref.run, ref.node, ref.attempt, "", str(files), ref.step, until=2**62)
        self._running[ref.name] = (ref, ended)
        try:
            answer = self._service.submit(request)
        except Temporary as error:  # no room on this machine
            answer = Declined(str(error))
        if isinstance(answer, Declined):
            self._end(ref, Status(JobState.FAILED, error=answer.error))

    def _on_bell(self, ref: JobRef) -> None:
        self._end(ref, self._service.status(ref))

    def _end(self, ref: JobRef, status: Status) -> None:
        _, ended = self._running.pop(ref.name)
        self._idle.set()
        ended(status)
