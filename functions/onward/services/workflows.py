"""Executions of Cloud Workflows.

The service names executions itself and takes no request id. So a repeated submit looks for one with our
labels before it leaps; should two exist all the same, the older counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from onward.core.errors import Refused
from onward.core.events import JobState
from onward.core.pipeline import Workflow
from onward.ports import Clock, JobRef, JobRequest, Status
from onward.services.bodies import message
from onward.services.clients import Clients
from onward.services.labels import JOB, labels
from onward.services.resources import EXECUTION, check, fields
from onward.services.service import CloudService, Job
from onward.services.settings import Locate, Settings

if TYPE_CHECKING:
    from google.cloud.workflows import executions_v1 as wf

LARGEST_ARGUMENT = 32 * 1024
"""Bytes of JSON that an execution takes."""
_ENDED = {"SUCCEEDED": JobState.SUCCEEDED, "FAILED": JobState.FAILED, "CANCELLED": JobState.CANCELLED}


def workflows(settings: Settings, definitions: Locate, clients: Clients, clock: Clock) -> CloudService:
    """The service. `definitions` locates the deployed definition of a source: its id, not its full name."""
    return CloudService(Executions(settings, definitions, clients), clock)


class Executions:
    """See `service.Api`."""

    title = "Cloud Workflows"
    refuses_repeats = False

    def __init__(self, settings: Settings, definitions: Locate, clients: Clients) -> None:
        self._settings = settings
        self._definitions = definitions
        self._clients = clients

    def create(self, request: JobRequest, seconds: float) -> str:
        """See `service.Api`."""
        from google.cloud.workflows import executions_v1 as wf

        check(request.step)
        execution = message(
            wf.Execution,
            ("resources", fields(EXECUTION, self._settings, request.step.resources)),
            ("args", {"argument": _argument(request), "labels": labels(request, self._settings.labels)}),
        )
        create = wf.CreateExecutionRequest(parent=self._parent(request), execution=execution)
        return str(self._client().create_execution(create, retry=None, timeout=seconds).name)

    def read(self, job: str, seconds: float) -> Job:
        """See `service.Api`."""
        from google.cloud.workflows import executions_v1 as wf

        get = wf.GetExecutionRequest(name=job)
        return described(self._client().get_execution(get, retry=None, timeout=seconds))

    def named(self, ref: JobRef, seconds: float) -> Sequence[Job]:
        """See `service.Api`."""
        from google.cloud.workflows import executions_v1 as wf

        # The basic view has no labels.
        listing = wf.ListExecutionsRequest(
            parent=self._parent(ref), view=wf.ExecutionView.FULL, filter=f'label.{JOB}="{ref.name}"'
        )
        found = self._client().list_executions(listing, retry=None, timeout=seconds)
        return [described(each) for each in sorted(found, key=lambda each: (each.start_time, each.name))]

    def cancel(self, job: str, seconds: float) -> None:
        """See `service.Api`."""
        from google.cloud.workflows import executions_v1 as wf

        cancel = wf.CancelExecutionRequest(name=job)
        self._client().cancel_execution(cancel, retry=None, timeout=seconds)

    def _parent(self, job: JobRequest | JobRef) -> str:
        does = job.step.does
        assert isinstance(does, Workflow)
        project, region = self._settings.place(job.step)
        workflow = self._definitions(job.run, does.source)
        return f"projects/{project}/locations/{region}/workflows/{workflow}"

    def _client(self) -> wf.ExecutionsClient:
        from google.cloud.workflows import executions_v1 as wf

        return self._clients.get(wf.ExecutionsClient)


def _argument(request: JobRequest) -> str:
    does = request.step.does
    assert isinstance(does, Workflow)
    argument = msgspec.json.encode(does.args)
    if len(argument) > LARGEST_ARGUMENT:
        raise Refused(
            f"`args`: {len(argument):,} bytes of JSON, and Cloud Workflows takes {LARGEST_ARGUMENT:,}; "
            "write what is large to an object, and pass its URI"
        )
    return argument.decode()


def described(execution: wf.Execution) -> Job:
    """The execution, as all services' jobs are described."""
    state = _ENDED.get(execution.state.name, JobState.RUNNING)
    status = Status(
        state,
        execution.name,
        output=_json(execution.result) if state is JobState.SUCCEEDED else None,
        error="" if state in {JobState.RUNNING, JobState.SUCCEEDED} else _why(execution),
    )
    return Job(execution.labels, status)


def _why(execution: wf.Execution) -> str:
    payload = _json(execution.error.payload)
    words = payload if isinstance(payload, str) else execution.error.payload
    return "\n".join(filter(None, [words, execution.error.context]))


def _json(encoded: str) -> Any:
    try:
        return msgspec.json.decode(encoded) if encoded else None
    except msgspec.DecodeError:
        return encoded
