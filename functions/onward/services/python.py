"""Python steps: calls of users' functions, made by a function of their own that Cloud Tasks calls.

    submit   one task, named by the job: a name that is used is refused, and nobody else fills the queue
    status   the object that holds the call's result; until it is there, whether the task still is
    cancel   a result that says so, which counts if it is the first, and the task is deleted

A call under way goes on to its end, but its result comes too late.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from onward.calls.wire import LONGEST, Result, Results, Task, task_id
from onward.core.errors import Unavailable
from onward.core.events import JobState
from onward.core.pipeline import SECOND
from onward.core.pipeline import Python as Does
from onward.ports import Accepted, Clock, Declined, JobRef, JobRequest, Status, Submission
from onward.services.clients import Clients
from onward.services.grpc_errors import said, submission
from onward.services.service import CALL_SECONDS

if TYPE_CHECKING:
    from google.cloud.tasks_v2 import CloudTasksClient, HttpRequest

LARGEST = 96 * 1024
"""Bytes of a task's body: the API's reference allows 100 KB for a whole task, its quotas more."""
TITLE = "Cloud Tasks"
_DEADLINE = timedelta(minutes=30)
"""The longest that Cloud Tasks waits for an answer."""


class Python:
    """See `ports.Service`. `queue` is a full name; tasks call `url` as `account`."""

    def __init__(  # noqa: PLR0913, PLR0917 - where tasks go, and what tells how they fared
        self, queue: str, url: str, account: str, results: Results, clients: Clients, clock: Clock
    ) -> None:
        self._queue = queue
        self._url = url
        self._account = account
        self._results = results
        self._clients = clients
        self._clock = clock

    def submit(self, request: JobRequest) -> Submission:
        """See `ports.Service`."""
        from google.api_core.exceptions import AlreadyExists, GoogleAPICallError
        from google.cloud import tasks_v2

        body = msgspec.json.encode(_task(request))
        if len(body) > LARGEST:
            return Declined(
                f"`args`: the call is {len(body):,} bytes of JSON, and a task takes {LARGEST:,}; "
                "write what is large to an object, and pass its URI"
            )
        left = (request.until - self._clock.now()) / SECOND
        if left <= 0:
            raise Unavailable(f"{request.name} was not submitted: the time to do so had passed")
        name = self._name(request.name)
        task = tasks_v2.Task(name=name, http_request=self._call(body), dispatch_deadline=_DEADLINE)
        try:
            self._client().create_task(parent=self._queue, task=task, retry=None, timeout=left)
        except AlreadyExists:
            return Accepted(name, rings=False)
        except GoogleAPICallError as error:
            return submission(TITLE, error)
        return Accepted(name)

    def status(self, ref: JobRef) -> Status:
        """See `ports.Service`."""
        name = self._name(ref.name)
        result = self._results.of(ref.name)
        if result is None:
            if self._is_queued(name):
                return Status(JobState.RUNNING, name)
            result = self._results.of(ref.name)  # it may have ended in between
        if result is not None:
            output = msgspec.json.decode(result.output)
            return Status(JobState(result.state), name, output, result.error)
        if ref.job is None:
            return Status(JobState.NOT_FOUND)
        return Status(JobState.FAILED, name, error="its task left the queue without a result: it was deleted")

    def cancel(self, ref: JobRef) -> None:
        """See `ports.Service`."""
        from google.api_core.exceptions import FailedPrecondition, GoogleAPICallError, NotFound

        self._results.add(ref.name, Result("cancelled", error="the call was cancelled"))
        name = self._name(ref.name)
        try:
            self._client().delete_task(name=name, retry=None, timeout=CALL_SECONDS)
        except (NotFound, FailedPrecondition):
            pass
        except GoogleAPICallError as error:
            raise Unavailable(f"{TITLE} did not delete {name}: {said(error)}") from error

    def _is_queued(self, name: str) -> bool:
        from google.api_core.exceptions import GoogleAPICallError, NotFound

        try:
            self._client().get_task(name=name, retry=None, timeout=CALL_SECONDS)
        except NotFound:
            return False
        except GoogleAPICallError as error:
            raise Unavailable(f"{TITLE} did not say how {name} is: {said(error)}") from error
        return True

    def _name(self, job: str) -> str:
        return f"{self._queue}/tasks/{task_id(job)}"

    def _call(self, body: bytes) -> HttpRequest:
        from google.cloud import tasks_v2

        return tasks_v2.HttpRequest(
            url=self._url,
            headers={"content-type": "application/json"},
            body=body,
            oidc_token=tasks_v2.OidcToken(service_account_email=self._account, audience=self._url),
        )

    def _client(self) -> CloudTasksClient:
        from google.cloud.tasks_v2 import CloudTasksClient

        return self._clients.get(CloudTasksClient)


def _task(request: JobRequest) -> Task:
    does, timeout = request.step.does, request.step.timeout
    assert isinstance(does, Does)
    return Task(
        job=request.name,
        run=request.run,
        step=request.node,
        attempt=request.attempt,
        pipeline=request.pipeline,
        file=does.file,
        function=does.function,
        args=dict(does.args),
        seconds=LONGEST if timeout is None else min(LONGEST, timeout / SECOND),
    )
