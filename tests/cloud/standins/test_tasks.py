"""Cloud Tasks' stand-in: names, times, and calls until one is answered with success."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists, InvalidArgument, NotFound
from google.cloud import tasks_v2
from onward.local.http import Request, Response, Server
from onward.local.standins import tasks
from onward.local.standins.tasks import DAY, REMEMBERED, CloudTasksStandIn, Dispatcher

QUEUE = "projects/p/locations/r/queues/timers"
NOW = 1_800_000_000.0
Create = Callable[..., Any]


class Clock:
    now = NOW


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def create(clock: Clock) -> Iterator[Create]:
    with CloudTasksStandIn(QUEUE, now=lambda: clock.now).serving() as connect:
        client = connect(tasks_v2.CloudTasksClient, "")

        def created(name: str, at: float = NOW, queue: str = QUEUE, url: str = "http://x/y") -> Any:
            task = tasks_v2.Task(
                name=f"{QUEUE}/tasks/{name}",
                schedule_time=datetime.fromtimestamp(at, UTC),
                http_request={"url": url},
            )
            return client.create_task(parent=queue, task=task, retry=None)

        yield created


def test_a_name_is_refused_while_its_task_is_there_and_for_days_after(create: Create, clock: Clock) -> None:
    create("a", NOW + DAY)
    with pytest.raises(AlreadyExists):
        create("a")
    clock.now = NOW + DAY + REMEMBERED - 1
    with pytest.raises(AlreadyExists):
        create("a")
    clock.now += 2
    create("a")


def test_a_task_is_at_most_thirty_days_ahead(create: Create) -> None:
    create("near", NOW + 30 * DAY)
    with pytest.raises(InvalidArgument, match="30 days"):
        create("far", NOW + 30 * DAY + 1)


@pytest.mark.parametrize("name", ["a.b", "", "ä", "x" * 501])
def test_a_name_has_only_the_documented_characters(create: Create, name: str) -> None:
    with pytest.raises(InvalidArgument, match="task name"):
        create(name)


def test_what_can_not_be_called_or_queued_is_refused(create: Create) -> None:
    with pytest.raises(InvalidArgument, match="http"):
        create("a", url="ftp://x")
    with pytest.raises(NotFound):
        create("a", queue=QUEUE + "2")


class Called:
    """An HTTP endpoint that answers with these statuses in turn."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.requests: list[Request] = []
        self.times: list[float] = []
        self.done = asyncio.Event()

    async def handle(self, request: Request) -> Response:
        self.requests.append(request)
        self.times.append(time.time())
        status = self.statuses.pop(0)
        if not self.statuses:
            self.done.set()
        return Response(status, b"")


def dispatched(called: Called, *, ahead: float = 0.0) -> Any:
    """A task that was carried to its end; gives it."""

    async def carry() -> Any:
        server = Server(called.handle, lambda status, _: Response(status, b""), 1_000_000)
        port = await server.listen("127.0.0.1", 0)
        dispatcher = Dispatcher(asyncio.get_running_loop())
        task = tasks_v2.Task(
            name=f"{QUEUE}/tasks/a",
            schedule_time=datetime.fromtimestamp(time.time() + ahead, UTC),
            http_request={
                "url": f"http://127.0.0.1:{port}/on_timer/",
                "headers": {"content-type": "application/json"},
                "body": b'{"a": 1}',
            },
        )
        dispatcher.dispatch(task)
        await asyncio.wait_for(called.done.wait(), 30)
        await dispatcher.close()
        await server.close()
        return task

    return asyncio.run(carry())


def test_a_task_calls_its_url_at_its_time_and_says_which_it_is() -> None:
    called = Called(204)
    task = dispatched(called, ahead=0.3)
    (request,) = called.requests
    assert called.times[0] >= task.schedule_time.timestamp()
    assert (request.method, request.path, request.body) == ("POST", "/on_timer/", b'{"a": 1}')
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-cloudtasks-queuename"] == "timers"
    assert request.headers["x-cloudtasks-taskname"] == "a"
    assert request.headers["x-cloudtasks-taskretrycount"] == "0"
    assert float(request.headers["x-cloudtasks-tasketa"]) == pytest.approx(task.schedule_time.timestamp())


def test_a_call_that_fails_is_made_again_after_longer_and_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "FIRST_BACKOFF", 0.02)
    called = Called(500, 503, 404, 204)
    dispatched(called)
    told = [request.headers for request in called.requests]
    assert [each["x-cloudtasks-taskretrycount"] for each in told] == ["0", "1", "2", "3"]
    assert [each.get("x-cloudtasks-taskpreviousresponse") for each in told] == [None, "500", "503", "404"]
    first, second, third, fourth = called.times
    assert second - first >= 0.02
    assert third - second >= 0.04
    assert fourth - third >= 0.08
