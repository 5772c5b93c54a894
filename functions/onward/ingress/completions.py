"""A job may have ended: log entries through Pub/Sub or Eventarc, Dataflow's own event, a job's own ring.

Each comes out as a `Doorbell`, which says where to look and nothing else: whoever may write to a log or
publish to the topic can make Onward look at a job once more, but can't end a step.
"""

from __future__ import annotations

from onward.core.naming import parse_job_name
from onward.core.problems import shown
from onward.ingress import dataflow, dataproc, workflows
from onward.ingress.entries import Audit, Entry, read
from onward.ingress.envelope import CloudEvent, Message, Request, opened
from onward.ingress.facts import NOT_OURS, Doorbell, Facts, Ignored, Result, parser

AUDITED = "google.cloud.audit.log.v1.written"
RING = "onward-job"
"""The attribute of a message by which a job rings by itself: its derived name. It needs no data."""


@parser
def parse(request: Request) -> Result:
    """`Doorbell`; whatever is not about the end of a job of ours is ignored."""
    match opened(request):
        case Message(data=data) as message:
            name = message.attribute(RING)
            return _of_entry(read(data)) if name is None else _rung(name)
        case CloudEvent(type=kind, data=data) if kind == dataflow.STATUS_CHANGED:
            return dataflow.status_changed(data)
        case CloudEvent(type=kind, data=data) if kind == AUDITED:
            return _of_entry(read(data))
        case CloudEvent(type=kind):
            return Ignored(f"events of type {shown(kind)} say nothing of our jobs")


def _of_entry(entry: Entry) -> Result:
    match entry:
        case Entry(audit=Audit(service=dataproc.SERVICE) as audit):
            return dataproc.bell(entry, audit)
        case Entry(log=workflows.EXECUTIONS):
            return workflows.bell(entry)
        case Entry(log=dataflow.JOB_MESSAGE):
            return dataflow.bell(entry)
        case _:
            return Ignored("the log entry is none that says that a job has ended")


def _rung(name: str) -> Result:
    owner = parse_job_name(name)
    if owner is None:
        return Ignored(NOT_OURS)
    return Facts((Doorbell("onward", "job", "", "", name, owner),))
