"""From a job's resource name to its place and its page in the console."""

from __future__ import annotations

from urllib.parse import quote

from onward.core.errors import Unavailable

_CONSOLE = "https://console.cloud.google.com"


def parts(name: str) -> dict[str, str]:
    """`projects/p/regions/r/jobs/j` → {"projects": "p", "regions": "r", "jobs": "j"}"""
    pieces = name.split("/")
    return dict(zip(pieces[::2], pieces[1::2], strict=False))


def at(name: str, *collections: str) -> tuple[str, ...]:
    """The members of these collections in a resource name. Raises `Unavailable` where there is none."""
    found = parts(name)
    try:
        return tuple(found[collection] for collection in collections)
    except KeyError as missing:
        raise Unavailable(f"{name!r} names no {missing.args[0]}") from None


def page(kind: str, name: str) -> str | None:
    """The console's page of a job of this step kind, or None for what is no resource name of its service."""
    match kind, {key: quote(value, safe="") for key, value in parts(name).items()}:
        case "dataproc", {"projects": project, "regions": region, "jobs": job}:
            path = f"dataproc/jobs/{job}?region={region}&project={project}"
        case "dataproc", {"projects": project, "locations": region, "batches": batch}:
            path = f"dataproc/batches/{region}/{batch}?project={project}"
        case "cluster", {"projects": project, "regions": region, "clusters": cluster}:
            path = f"dataproc/clusters/{cluster}?region={region}&project={project}"
        case "dataflow" | "drain", {"projects": project, "locations": region, "jobs": job}:
            path = f"dataflow/jobs/{region}/{job}?project={project}"
        case "workflow", {"projects": project, "locations": region, "workflows": workflow, "executions": run}:
            path = f"workflows/workflow/{region}/{workflow}/execution/{run}?project={project}"
        case "python", {"projects": project, "tasks": task}:
            job = task.partition("-")[2]
            path = f"logs/query;query=jsonPayload.job%3D%22{job}%22?project={project}"
        case _:
            return None
    return f"{_CONSOLE}/{path}"
