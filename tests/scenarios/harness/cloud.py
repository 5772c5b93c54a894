"""The cloud door: the functions' own entry points on the Firestore emulator, in a time of their own.

What the platform would deliver waits here, and is delivered in a drawn order: twice, the second time perhaps
much later. Each message is in the shape in which the platform sends it.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import main
import msgspec
import pytest
from cloud.deployment import REGION, environment
from onward import catalog, wiring
from onward.artifacts import definition_id
from onward.calls import warm
from onward.calls.warm import WarmProcess
from onward.core import schedules
from onward.ingress.completions import RING
from onward.local.buckets import Buckets
from onward.local.standins import notices
from onward.local.standins.server import served
from onward.local.standins.storage import generation, resource
from onward.local.standins.tasks import CloudTasksStandIn
from onward.messaging import pubsub
from onward.ports import Objects, Store
from onward.settings import read
from scenarios.harness.embedded import write
from scenarios.harness.jobs import Job, Jobs, Scripted
from scenarios.harness.platform import Platform, streams
from scenarios.harness.scenario import SECOND, Drop, Object, Publish
from unit.ingress.envelopes import push, request

FUNCTIONS = Path(main.__file__).parent
AGAIN = 10 * SECOND
"""After this long, what was not acknowledged is delivered again."""
TRIES = 12
AT_ONCE = int(os.environ.get("AT_ONCE", "1"))
"""Deliveries at the same time: more than one, and what follows is not the same each time."""
LATEST = 4
"""A message's second delivery comes before so many actions more."""
DOOR_OF = {
    "onward-wake": "on_wake",
    "onward-completions": "on_job_event",
    "onward-start": "on_message",
    "onward-command": "on_command",
}
"""By topic; other topics' messages start what is triggered by them."""


STOOD_IN = ("dataflow", "dataproc", "workflow")
"""Services of which the jobs end as the scenario says."""


class Delivery(NamedTuple):
    """A request that an entry point is to get."""

    door: str
    headers: Mapping[str, str]
    body: bytes
    topic: str = ""
    """Of a pipeline's: its subscription says it."""
    task: str = ""
    tries: int = 0
    schedule: tuple[str, str] | None = None
    """The cron expression and the time zone that ring again after it."""


class Cloud:
    """See `door.Door`."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it stands on
        self,
        workflows: Path,
        jobs: Jobs,
        at: int,
        project: str,
        buckets: Buckets,
        seed: int,
        patch: pytest.MonkeyPatch,
    ) -> None:
        self._project = project
        self._buckets = buckets
        self.jobs = jobs
        self._at = at
        self._rng = Random(seed)
        self._order = count()
        self._now: list[Delivery] = []
        self._late: list[tuple[int, Delivery]] = []
        self._settles = 0
        self._threads = ThreadPoolExecutor(AT_ONCE)
        self._due: list[tuple[int, int, Delivery]] = []
        self._lines: list[Mapping[str, Any]] = []
        self._letters: list[str] = []
        self.announced: list[dict[str, Any]] = []
        jobs.around = self
        buckets.folder("work").mkdir(parents=True, exist_ok=True)
        self._tasks = CloudTasksStandIn(
            *(f"projects/{project}/locations/{REGION}/queues/onward-{name}" for name in ("timers", "python")),
            dispatch=self._task,
            now=lambda: self._at / SECOND,
        )
        self.platform = Platform(project, _definitions(project, workflows), self._job_event, jobs.stop)
        self._served = served(self._tasks, *self.platform.standins)
        environ = environment(project, workflows, self._served.__enter__())
        for name, value in environ.items():
            patch.setenv(name, value)
        patch.setattr(pubsub, "Topic", lambda name: _Topic(self, name))
        self._calls = WarmProcess({})
        patch.setattr(warm, "WarmProcess", lambda _: self._calls)
        patch.setattr(wiring, "log", self._lines.append)
        patch.setattr(wiring, "cloud", lambda: self._instance)
        self._settings = read(environ, FUNCTIONS)
        self.restart(0)
        for entry in catalog.read(workflows).pipelines.values():
            for number, trigger in enumerate(entry.pipeline.triggers):
                if (when := schedules.timing(trigger)) is not None:
                    told = {
                        "pipeline": entry.pipeline.name,
                        "schedule": schedules.name(entry.pipeline, number),
                    }
                    self._schedule(Delivery("on_timer", {}, msgspec.json.encode(told), schedule=when))

    def now(self) -> int:
        return self._at

    @property
    def store(self) -> Store:
        return self._instance.engine.store

    @property
    def objects(self) -> Objects:
        return self._instance.engine.objects

    # What comes from outside

    def drop(self, drop: Drop) -> None:
        path = self._buckets.path(f"gs://{drop.bucket}/{drop.name}")
        if not drop.again:
            write(path, drop.content, self._at, drop.metadata)
        status = path.stat()
        identity = f"{status.st_ino}.{status.st_mtime_ns}.{status.st_size}"
        described = resource(
            drop.bucket,
            drop.name,
            generation(identity),
            status.st_size,
            status.st_mtime_ns // 1_000,
            self._buckets.metadata(drop.bucket, drop.name),
        )
        self._notice("on_object", notices.object_final(described))

    def delete(self, gone: Object) -> None:
        self._buckets.path(f"gs://{gone.bucket}/{gone.name}").unlink()

    def publish(self, message: Publish) -> None:
        data = b"" if message.data is None else message.data
        door = DOOR_OF.get(message.topic, "on_message")
        sent = push(data.encode() if isinstance(data, str) else data, dict(message.attributes))
        sent["message"]["messageId"] = sent["message"]["message_id"] = message.id or str(next(self._order))
        sent["subscription"] = f"projects/{self._project}/subscriptions/{message.topic}"
        self._post(door, sent, "" if message.topic in DOOR_OF else message.topic)

    def published(self, topic: str, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> None:
        """By an entry point."""
        for data, attributes in messages:
            match topic:
                case "onward-dead-letter":
                    self._letters.append(attributes[pubsub.REASON])
                case "onward-announcements":
                    about = {"id": attributes["ce-id"], "kind": attributes["kind"]}
                    self.announced.append({**msgspec.json.decode(data), **about})
                case _:
                    self._post(DOOR_OF[topic], push(data, dict(attributes)))

    def _task(self, task: Any) -> None:
        door = "run_python" if "/queues/onward-python/" in task.name else "on_timer"
        due = round(task.schedule_time.timestamp() * SECOND) if task.schedule_time else self._at
        call = Delivery(door, dict(task.http_request.headers), task.http_request.body, task=task.name)
        if due > self._at:
            heapq.heappush(self._due, (due, next(self._order), call))
        else:
            self._add(call)

    def began(self, job: Job) -> bool:
        if job.there:
            self.platform.began(job)
        return streams(job)

    def ended(self, job: Job) -> None:
        if job.there:
            self.platform.ended(job)
        else:
            self._post("on_job_event", push(b"", {RING: job.request.name}))

    def _job_event(self, notice: notices.Notice) -> None:
        if "ce-type" in notice.attributes:  # Eventarc's own subscription has no wrapper
            headers = {name.lower(): value for name, value in notice.attributes.items()}
            self._add(Delivery("on_job_event", headers, notice.data))
        else:
            self._notice("on_job_event", notice)

    def _notice(self, door: str, notice: notices.Notice) -> None:
        self._post(door, push(notice.data, dict(notice.attributes)))

    def _post(self, door: str, body: dict[str, Any], topic: str = "") -> None:
        sent = request(body)
        self._add(Delivery(door, sent.headers, sent.body, topic))

    def _add(self, delivery: Delivery) -> None:
        """It comes twice. The second time may be after what the next actions bring about."""
        self._now.append(delivery)
        if self._rng.random() < 0.5:
            self._now.append(delivery)
        else:
            self._late.append((self._settles + self._rng.randrange(LATEST), delivery))

    # How time passes

    def settle(self) -> None:
        self._until_quiet()
        self._deliver_late(self._settles)
        self._settles += 1

    def finish(self) -> None:
        """What is late still comes."""
        self._deliver_late(self._settles + LATEST)

    def _deliver_late(self, until: int) -> None:
        while any(when <= until for when, _ in self._late):
            self._now += (delivery for when, delivery in self._late if when <= until)
            self._late = [(when, delivery) for when, delivery in self._late if when > until]
            self._until_quiet()

    def _until_quiet(self) -> None:
        self._deliver()
        while any(delivery.tries for _, _, delivery in self._due):  # nobody waits for these but Pub/Sub
            self._pass(self._due[0][0])

    def advance(self, until: int) -> None:
        while self._due and self._due[0][0] <= until:
            self._pass(self._due[0][0])
        self._at = max(self._at, until)

    def _schedule(self, call: Delivery) -> None:
        """As Cloud Scheduler does: at its next time."""
        assert call.schedule is not None
        time = schedules.following(*call.schedule, self._at)
        assert time is not None
        headers = {
            "X-CloudScheduler-ScheduleTime": schedules.spoken(time),
            "Content-Type": "application/json",
        }
        heapq.heappush(self._due, (time, next(self._order), call._replace(headers=headers)))

    def _pass(self, until: int) -> None:
        self._at = max(self._at, until)
        while self._due and self._due[0][0] <= self._at:
            delivery = heapq.heappop(self._due)[2]
            if delivery.schedule is not None:
                self._schedule(delivery)
                delivery = delivery._replace(schedule=None)
            if delivery.tries:
                self._now.append(delivery)
            else:
                self._add(delivery)
        self._deliver()

    def _deliver(self) -> None:
        while self._now:
            some = [self._drawn() for _ in range(min(AT_ONCE, len(self._now)))]
            list(self._threads.map(self._send, (each for each in some if each.door != "run_python")))
            for each in some:
                if each.door == "run_python":  # the process of a call belongs to a thread
                    self._send(each)

    def _drawn(self) -> Delivery:
        return self._now.pop(self._rng.randrange(len(self._now)))

    def _send(self, delivery: Delivery) -> None:
        _, status = getattr(main, delivery.door)(_Request(delivery))
        if status < 300:
            if delivery.task:
                self._tasks.ended.add(delivery.task)
            return
        assert delivery.tries < TRIES, f"{delivery} is never acknowledged: {self._lines[-1]}"
        again = delivery._replace(tries=delivery.tries + 1)
        heapq.heappush(self._due, (self._at + AGAIN, next(self._order), again))

    def restart(self, after: int) -> None:
        """Nobody misses an instance: time passes as ever."""
        self.advance(self._at + after)
        self._calls.close()
        self._instance = _Instance(self._settings, self)

    @property
    def refused(self) -> list[str]:
        return list(dict.fromkeys(self._letters))

    @property
    def clusters(self) -> dict[str, int]:
        dataproc = self.platform.dataproc
        return {"created": dataproc.created, "left": len(dataproc.made)} if dataproc.created else {}

    @property
    def troubles(self) -> list[str]:
        return [str(line) for line in self._lines if line.get("outcome") == "crashed"]

    def close(self) -> None:
        self._calls.close()
        self._threads.shutdown()
        self._served.__exit__(None, None, None)


class _Instance(wiring.Cloud):
    """The cloud's adapters as they are, but for the clock and the jobs' services."""

    def __init__(self, settings: Any, world: Cloud) -> None:
        super().__init__(settings)
        self._clock = world
        self._world = world

    @property
    def _services(self) -> Any:
        jobs = self._world.jobs
        return {
            kind: Scripted(jobs, real, ends=kind not in STOOD_IN) for kind, real in super()._services.items()
        }


def _definitions(project: str, workflows: Path) -> Iterator[str]:
    """The full names of all that could be executions."""
    for entry in catalog.read(workflows).pipelines.values():
        for name in entry.files:
            definition = definition_id(entry.files, name, "onward")
            yield f"projects/{project}/locations/{REGION}/workflows/{definition}"


class _Topic:
    def __init__(self, world: Cloud, name: str) -> None:
        self._world = world
        self._name = name.rpartition("/")[2]

    def publish(self, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> None:
        self._world.published(self._name, messages)


class _Request:
    """As much of Flask's as the entry points look at."""

    def __init__(self, delivery: Delivery) -> None:
        self.headers = delivery.headers
        self.args = {"topic": delivery.topic} if delivery.topic else {}
        self._body = delivery.body

    def get_data(self) -> bytes:
        return self._body
