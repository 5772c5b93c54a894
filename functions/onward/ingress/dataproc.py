"""Dataproc reports through audit entries: the last one of an operation says that it has ended.

What became of it is not said: the operation of a cancelled batch ends without an error, and so does that of a
workflow template whose step failed. An entry without an operation is a refusal that the caller has heard.
"""

from __future__ import annotations

import re
from typing import Literal

from onward.core.naming import parse_job_name
from onward.core.problems import shown
from onward.ingress.entries import Audit, Entry, Operation
from onward.ingress.facts import NOT_OURS, Doorbell, Facts, Ignored, Result

SERVICE = "dataproc.googleapis.com"
_METHOD = re.compile(
    r"google\.cloud\.dataproc\.v1\.(JobController\.SubmitJob(AsOperation)?|BatchController\.CreateBatch"
    r"|WorkflowTemplateService\.Instantiate(Inline)?WorkflowTemplate|ClusterController\.(Create|Delete)Cluster)"
)
_RESOURCE = re.compile(
    r"projects/(?P<project>[^/]+)/(regions|locations)/(?P<region>[^/]+)"
    r"/(?P<kind>jobs|batches|clusters|operations)/(?P<id>[^/]+)"
)
_KINDS: dict[str, Literal["job", "batch", "cluster", "template"]] = {
    "jobs": "job",
    "batches": "batch",
    "clusters": "cluster",
    "operations": "template",
}


def bell(entry: Entry, audit: Audit) -> Result:
    """A `Doorbell` if the entry ends an operation on something that may be ours."""
    if not _METHOD.fullmatch(audit.method):
        return Ignored(f"{shown(audit.method)} starts nothing of ours")
    match entry.operation:
        case None:
            return Ignored("without an operation it was refused at once, and its caller knows")
        case Operation(last=False):
            return Ignored("the operation has only begun")
        case Operation(id=operation):
            # An entry names the template, if there is one; what ran is the operation.
            return _named(operation if "WorkflowTemplate" in audit.method else audit.resource)


def _named(resource: str) -> Result:
    found = _RESOURCE.fullmatch(resource)
    if found is None:
        return Ignored(f"{shown(resource)} names no job, batch, cluster or operation")
    kind, owner = _KINDS[found["kind"]], parse_job_name(found["id"])
    if owner is None and kind != "template":
        return Ignored(NOT_OURS)
    return Facts((Doorbell("dataproc", kind, found["project"], found["region"], found["id"], owner),))
