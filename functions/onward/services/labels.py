"""The labels that say whose a job is.

Values are RFC 1035 labels, the narrowest of the alphabets (Dataproc's): a letter first, then letters,
digits and `-`, at most 63. So `onward-run` is `run-<id>`, and `onward-attempt` is `attempt-<n>`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from onward.ports import EphemeralCluster, JobRequest

JOB = "onward-job"
"""The job's derived name. A job that has it is ours, whatever the service itself calls the job."""
LONGEST = 63
_OTHER = re.compile("[^a-z0-9]+")


def labels(request: JobRequest, billing: Mapping[str, str]) -> dict[str, str]:
    """The labels of a request's job: the user's own for billing, and ours."""
    return {
        **billing,
        JOB: request.name,
        "onward-run": value(f"run-{request.run}"),
        "onward-step": value(request.node),
        "onward-attempt": value(f"attempt-{request.attempt}"),
        "onward-pipeline": value(request.pipeline),
    }


def of_cluster(cluster: EphemeralCluster) -> dict[str, str]:
    """The labels that all incarnations of a run's cluster share, and no other cluster has."""
    return {
        "onward-run": value(f"run-{cluster.run}"),
        "onward-cluster": value(cluster.cluster.name),
        "onward-pipeline": value(cluster.pipeline),
    }


def value(text: str) -> str:
    """The text as a label's value."""
    slug = _OTHER.sub("-", text.lower()).strip("-")
    return (slug if slug[:1].isalpha() else f"x-{slug}")[:LONGEST].rstrip("-")
