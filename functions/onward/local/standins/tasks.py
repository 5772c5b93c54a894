"""Cloud Tasks: named tasks, each an HTTP call at its time, repeated until it is answered with success."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from google.cloud import tasks_v2 as ct
from google.protobuf import empty_pb2

from onward.local.standins.rules import check
from onward.local.standins.server import Method, Refusal, StandIn

DAY = 24 * 3600.0
LONGEST = 30 * DAY
"""Seconds that a task may be ahead."""
REMEMBERED = 9 * DAY
"""Seconds for which a used name is refused, as the service says at most."""
LARGEST = 1024 * 1024
"""Bytes of a task."""
FIRST_BACKOFF, LAST_BACKOFF = 0.1, 3600.0
"""Seconds until a task is tried again, doubled each time: the queue's defaults."""
DEADLINE = 600.0
"""Seconds that an HTTP call may take, unless its task says otherwise."""
_QUEUE = "projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/queues/[A-Za-z0-9-]{1,100}"
_TASK = f"{_QUEUE}/tasks/[A-Za-z0-9_-]{{1,500}}"


class CloudTasksStandIn(StandIn):
    """Tasks by full name, ended ones too. `dispatch` is told of each that is accepted, with the lock held.

    `ended` holds the names of tasks that were answered with success, or deleted.
    """

    def __init__(
        self,
        *queues: str,
        dispatch: Callable[[Any], None] = lambda _: None,
        ended: set[str] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.ended = set() if ended is None else ended
        self.queues = set(queues)
        self.tasks: dict[str, Any] = {}
        self._dispatch = dispatch
        self._now = now
        self._used: dict[str, float] = {}

    def services(self) -> dict[str, dict[str, Method]]:
        """See `StandIn`."""
        return {
            "google.cloud.tasks.v2.CloudTasks": {
                "CreateTask": (self._create, ct.CreateTaskRequest, ct.Task),
                "GetTask": (self._get, ct.GetTaskRequest, ct.Task),
                "DeleteTask": (self._delete, ct.DeleteTaskRequest, empty_pb2.Empty),
            }
        }

    def _get(self, request: ct.GetTaskRequest) -> Any:
        check(_TASK, request.name, "task name")
        if request.name not in self.tasks or request.name in self.ended:
            raise Refusal("NOT_FOUND", "The task no longer exists, or never did")
        return self.tasks[request.name]

    def _delete(self, request: ct.DeleteTaskRequest) -> Any:
        self.ended.add(self._get(ct.GetTaskRequest(name=request.name)).name)
        return empty_pb2.Empty()

    def _create(self, request: ct.CreateTaskRequest) -> Any:
        check(_QUEUE, request.parent, "queue name")
        if request.parent not in self.queues:
            raise Refusal("NOT_FOUND", "Requested entity was not found: queue does not exist")
        task: Any = ct.Task(request.task)
        task.name = task.name or f"{request.parent}/tasks/{self.tick()}"
        check(_TASK, task.name, "task name")
        if not task.name.startswith(f"{request.parent}/tasks/"):
            raise Refusal("INVALID_ARGUMENT", "The queue name from request must be that of the task")
        self._check_call(task)
        now = self._now()
        ahead = task.schedule_time.timestamp() - now if task.schedule_time else 0.0
        if ahead > LONGEST:
            raise Refusal("INVALID_ARGUMENT", "Task.scheduleTime must be less than 30 days from now")
        if now - self._used.get(task.name, -REMEMBERED) < REMEMBERED:
            raise Refusal("ALREADY_EXISTS", "Requested entity already exists, or a task of its name did")
        self._used[task.name] = max(now, now + ahead)
        task.create_time = datetime.fromtimestamp(now, UTC)
        self.tasks[task.name] = task
        self._dispatch(task)
        return task

    def _check_call(self, task: Any) -> None:
        if not task.http_request.url.startswith(("http://", "https://")):
            raise Refusal("INVALID_ARGUMENT", "HttpRequest.url must start with 'http://' or 'https://'")
        if ct.Task.pb(task).ByteSize() > LARGEST:
            raise Refusal("INVALID_ARGUMENT", "Task size too large")


class Dispatcher:
    """Makes the calls of tasks, in the loop: again and again, until one is answered with success."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: set[asyncio.Task[None]] = set()
        self.ended: set[str] = set()
        """Tasks that are over: a deleted one is not called any more."""

    def dispatch(self, task: Any) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._schedule, task)

    async def close(self) -> None:
        """Give up what is under way."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _schedule(self, task: Any) -> None:
        call = self._loop.create_task(self._carry(task))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _carry(self, task: Any) -> None:
        import aiohttp

        eta = task.schedule_time.timestamp() if task.schedule_time else time.time()
        await asyncio.sleep(max(0.0, eta - time.time()))
        backoff, tries, answered, last = FIRST_BACKOFF, 0, 0, None
        deadline = task.dispatch_deadline.total_seconds() if task.dispatch_deadline else DEADLINE
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(deadline)) as session:
            while task.name not in self.ended:
                status = await _call(session, task, _headers(task, eta, tries, answered, last))
                if status is not None and 200 <= status < 300:
                    self.ended.add(task.name)
                    return
                tries, last = tries + 1, status
                answered += status is not None
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, LAST_BACKOFF)


async def _call(session: Any, task: Any, headers: dict[str, str]) -> int | None:
    """The status of the answer, or None where there was none."""
    import aiohttp

    request = task.http_request
    method = request.http_method.name if request.http_method else "POST"
    try:
        async with session.request(method, request.url, data=request.body, headers=headers) as answer:
            return int(answer.status)
    except (aiohttp.ClientError, TimeoutError):
        return None


def _headers(task: Any, eta: float, tries: int, answered: int, last: int | None) -> dict[str, str]:
    """As the service sends them: executions are the tries that were answered."""
    _, _, _, _, _, queue, _, name = task.name.split("/")
    headers = {
        **task.http_request.headers,
        "User-Agent": "Google-Cloud-Tasks",
        "X-CloudTasks-QueueName": queue,
        "X-CloudTasks-TaskName": name,
        "X-CloudTasks-TaskRetryCount": str(tries),
        "X-CloudTasks-TaskExecutionCount": str(answered),
        "X-CloudTasks-TaskETA": f"{eta:.6f}",
    }
    return headers if last is None else {**headers, "X-CloudTasks-TaskPreviousResponse": str(last)}
