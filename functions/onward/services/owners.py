"""Whose a job is that is known by an id of its service's own alone: its label says it."""

from __future__ import annotations

from onward.core.errors import Unavailable
from onward.services.clients import Clients
from onward.services.grpc_errors import said
from onward.services.labels import JOB
from onward.services.service import CALL_SECONDS


def execution(clients: Clients, name: str) -> str | None:
    """The derived name of the job that this execution of Cloud Workflows (a full name) is. One read."""
    from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound
    from google.cloud.workflows import executions_v1 as wf

    get = wf.GetExecutionRequest(name=name, view=wf.ExecutionView.FULL)
    try:
        found = clients.get(wf.ExecutionsClient).get_execution(get, retry=None, timeout=CALL_SECONDS)
    except (NotFound, Forbidden):  # somebody else's, or somebody's invention
        return None
    except GoogleAPICallError as error:
        raise Unavailable(f"Cloud Workflows did not say whose {name} is: {said(error)}") from error
    label: str | None = found.labels.get(JOB)
    return label
