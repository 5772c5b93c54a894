"""Dataflow reports each change of a job's state by an event. A job's messages are a second bell."""

from __future__ import annotations

import msgspec

from onward.core.naming import parse_job_name
from onward.core.problems import shown
from onward.ingress.decoding import decode
from onward.ingress.entries import Entry
from onward.ingress.facts import NOT_OURS, Doorbell, Facts, Ignored, Result

STATUS_CHANGED = "google.cloud.dataflow.job.v1beta3.statusChanged"
JOB_MESSAGE = "dataflow.googleapis.com/job-message"
_TERMINAL = frozenset(f"JOB_STATE_{state}" for state in ("DONE", "UPDATED", "DRAINED", "FAILED", "CANCELLED"))
_RUNNING = "JOB_STATE_RUNNING"
_LAST_WORDS = ("Worker pool stopped", "Template launch failed")
"""What the last message of a job says, whatever became of it."""
_DATA = '{"payload": {"id": "...", "name": "...", "currentState": "JOB_STATE_DONE"}}'


class _Job(msgspec.Struct, frozen=True):
    """Which members are present depends on the job's state."""

    name: str = ""
    id: str = ""
    project: str = msgspec.field(default="", name="projectId")
    location: str = ""
    state: str = msgspec.field(default="", name="currentState")


class _Changed(msgspec.Struct, frozen=True):
    payload: _Job


def status_changed(data: bytes) -> Result:
    """A `Doorbell` for a state that is final, and for that the job runs. Raises `BadEvent`."""
    job = decode(data, _Changed, "the event's data", _DATA).payload
    if job.state not in _TERMINAL and job.state != _RUNNING:
        return Ignored(f"the job is in state {shown(job.state)}, which is not final")
    return _bell(job)


def bell(entry: Entry) -> Result:
    """A `Doorbell` for the message that a job ends with."""
    if not any(words in entry.text for words in _LAST_WORDS):
        return Ignored("the job's message does not speak of its end")
    labels = entry.resource.labels
    return _bell(
        _Job(
            labels.get("job_name", ""),
            labels.get("job_id", ""),
            labels.get("project_id", ""),
            labels.get("region", ""),
        )
    )


def _bell(job: _Job) -> Result:
    owner = parse_job_name(job.name)
    if owner is None:
        return Ignored(NOT_OURS)
    place, begins = (job.project, job.location), job.state == _RUNNING
    return Facts((Doorbell("dataflow", "job", *place, job.id or job.name, owner, begins=begins),))
