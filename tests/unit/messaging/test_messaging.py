from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from google.api_core.exceptions import AlreadyExists, Forbidden, ServiceUnavailable
from onward.core.commands import SetTimer
from onward.core.errors import Unavailable
from onward.core.events import Wake
from onward.core.pipeline import DAY, HOUR, MINUTE
from onward.ingress.envelope import Request
from onward.ingress.facts import Facts, Rang, Told
from onward.ingress.timers import parse_timer, parse_wake
from onward.messaging.pubsub import LARGEST, DeadLetters, PubSubBus, Topic
from onward.messaging.tasks import CloudTasks
from unit.ingress.envelopes import pushed

NOW = 1_788_250_500_000_000
RUN = "0123456789abcdef0123"
WAKE = Wake(RUN, "clean")
QUEUE = "projects/p/locations/r/queues/q"


class Client:
    """What is sent; refuses once with each of `errors`."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.published: list[Any] = []
        self.tasks: list[Any] = []

    def publish(self, request: Any, **_: float) -> None:
        if self.errors:
            raise self.errors.pop()
        self.published.append(request)

    def create_task(self, parent: str, task: Any, retry: Any, **_: float) -> None:
        assert (parent, retry) == (QUEUE, None)
        if self.errors:
            raise self.errors.pop(0)
        self.tasks.append(task)


class Clock:
    def __init__(self, at: int = NOW) -> None:
        self.at = at

    def now(self) -> int:
        return self.at


def tasks(client: Client, clock: Clock | None = None) -> CloudTasks:
    return CloudTasks(QUEUE, "https://on-timer", "a@p", clock or Clock(), lambda: client)


# Pub/Sub


def test_wakes_are_one_publish_and_each_a_message_that_is_read_back_as_it_was():
    client = Client()
    events = [WAKE, Wake(RUN, "totals", echo=True)]
    PubSubBus(Topic("projects/p/topics/t", lambda: client)).publish(events)
    (request,) = client.published
    assert request.topic == "projects/p/topics/t"
    read = [parse_wake(pushed(message.data)) for message in request.messages]
    assert read == [Facts((Told(event),)) for event in events]


def test_no_client_is_built_before_the_first_publish():
    def connect() -> Client:
        raise AssertionError("built")

    PubSubBus(Topic("t", connect))
    CloudTasks(QUEUE, "u", "a", Clock(), connect)


@pytest.mark.parametrize("error", [ServiceUnavailable("down"), Forbidden("no")])
def test_a_publish_that_fails_is_delivered_again(error: Exception):
    bus = PubSubBus(Topic("projects/p/topics/t", lambda: Client(error)))
    with pytest.raises(Unavailable, match="projects/p/topics/t did not take a message"):
        bus.publish([WAKE])


def test_a_dead_letter_keeps_what_was_sent_and_says_why_and_where():
    client = Client()
    DeadLetters(Topic("t", lambda: client)).bury("on_object", "é" * 2_000, b"data", {"a": "b"})
    ((message,),) = [request.messages for request in client.published]
    assert message.data == b"data"
    reason = "é" * 512
    assert dict(message.attributes) == {"a": "b", "onward-door": "on_object", "onward-reason": reason}


def test_a_dead_letter_that_would_be_too_large_is_cut_and_says_so():
    client = Client()
    DeadLetters(Topic("t", lambda: client)).bury("on_object", "why", b"x" * (LARGEST + 1), {"a": "b" * 5_000})
    ((message,),) = [request.messages for request in client.published]
    assert len(message.data) == LARGEST
    assert message.attributes["onward-cut-from"] == str(LARGEST + 1)
    assert len(message.attributes["a"]) == 1024


# Cloud Tasks


def test_a_timer_is_a_named_task_that_brings_the_timer_to_its_url_as_its_account():
    client = Client()
    timer = SetTimer("abc", NOW + MINUTE, WAKE)
    tasks(client).set([timer])
    (task,) = client.tasks
    assert task.name == f"{QUEUE}/tasks/abc"
    assert task.schedule_time == datetime.fromtimestamp((NOW + MINUTE) / 1e6, UTC)
    assert task.http_request.url == "https://on-timer"
    assert task.http_request.oidc_token.service_account_email == "a@p"
    assert task.http_request.oidc_token.audience == "https://on-timer"
    assert parse_timer(Request({}, task.http_request.body, NOW)) == Facts((Rang(timer),))


def test_a_timer_that_is_set_already_is_left_as_it_is_and_the_others_are_set():
    client = Client(AlreadyExists("there"))
    tasks(client).set([SetTimer("a", NOW, WAKE), SetTimer("b", NOW, WAKE)])
    assert [task.name for task in client.tasks] == [f"{QUEUE}/tasks/b"]


@pytest.mark.parametrize("error", [ServiceUnavailable("down"), Forbidden("no")])
def test_a_timer_that_can_not_be_set_is_delivered_again(error: Exception):
    with pytest.raises(Unavailable, match=f"{QUEUE} did not take a timer"):
        tasks(Client(error)).set([SetTimer("a", NOW, WAKE)])


@pytest.mark.parametrize("wait", [29 * DAY, 30 * DAY, 58 * DAY + HOUR, 100 * DAY, 1000 * DAY])
@pytest.mark.parametrize("late", [0, HOUR - 1, -MINUTE])
def test_a_long_wait_goes_in_hops_of_at_most_30_days_each_a_task_of_its_own_name(wait: int, late: int):
    client, clock = Client(), Clock()
    timer = SetTimer("abc", NOW + wait, WAKE)
    names = []
    while not names or timer.at - clock.at > HOUR:
        tasks(client, clock).set([timer])
        task = client.tasks[-1]
        names.append(task.name)
        rings = datetime.fromtimestamp(0, UTC) + (task.schedule_time - datetime.fromtimestamp(0, UTC))
        now = datetime.fromtimestamp(clock.at / 1e6, UTC)
        assert rings - now < timedelta(days=30)
        clock.at = int(rings.timestamp() * 1_000_000) + late
        assert msgspec.json.decode(task.http_request.body) == msgspec.to_builtins(timer)
    assert len(set(names)) == len(names)
    assert names[-1] == f"{QUEUE}/tasks/abc"
