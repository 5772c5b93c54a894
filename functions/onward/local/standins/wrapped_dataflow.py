"""Dataflow whose launches really run: a Flex Template's Beam file, on Beam's DirectRunner."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from google.cloud import dataflow_v1beta3 as df

from onward.core.events import JobState
from onward.core.pipeline import Dataflow
from onward.local.standins.dataflow import DataflowStandIn, State
from onward.local.standins.notices import Notice, job_changed
from onward.local.standins.runner import Runner
from onward.ports import JobRef, Status

_SPEC = re.compile(r"gs://(?P<code>[a-z0-9][^/]*)/templates/(?P<folder>[0-9a-f]{64})/(?P<main>.+)\.json")
_STATES = {
    JobState.SUCCEEDED: State.JOB_STATE_DONE,
    JobState.CANCELLED: State.JOB_STATE_CANCELLED,
}


class WrappedDataflow(DataflowStandIn):
    """`project` is the jobs', and `tell` publishes that each of them runs, and how it ended."""

    def __init__(self, runner: Runner, project: str, tell: Callable[[Notice], None]) -> None:
        super().__init__()
        self._runner = runner
        self._project = project
        self._tell = tell
        self._refs: dict[str, JobRef] = {}

    def began(self, job: Any, template: str, parameters: Mapping[str, str], environment: Any) -> None:
        """See `DataflowStandIn`."""
        found = _SPEC.fullmatch(template)
        # A file that is not there is found out by the job, as in the cloud by its launcher.
        main, files = found["main"] if found else None, self._runner.buckets.root
        if found:
            files = files / found["code"] / "files" / found["folder"]
        does = Dataflow(main=main, args=dict(parameters))
        if parameters.get("streaming") == "true":
            job.type_ = df.JobType.JOB_TYPE_STREAMING
        job.current_state = State.JOB_STATE_RUNNING
        self._tell(job_changed(self._project, job))
        self._refs[job.id] = self._runner.start(
            job.name, does, files, job.labels, lambda status: self._ended(job, status), _size(environment)
        )

    def stopping(self, job: Any) -> None:
        """See `DataflowStandIn`."""
        self._runner.cancel(self._refs[job.id])

    def _ended(self, job: Any, status: Status) -> None:
        with self._lock:
            state = _STATES.get(status.state, State.JOB_STATE_FAILED)
            if job.current_state == State.JOB_STATE_DRAINING:  # by a signal: it knows no gentler one here
                state = State.JOB_STATE_DRAINED
            self.end(job.id, state, status.error)
        self._tell(job_changed(self._project, job))


def _size(environment: Any) -> dict[str, int]:
    named = {"workers": environment.num_workers, "max_workers": environment.max_workers}
    return {name: number for name, number in named.items() if number}
