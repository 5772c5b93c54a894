"""A deployment on the emulators: its settings, topics and entry points, and a stand-in for Cloud Tasks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import functions_framework
import grpc
import pytest
from google.cloud import tasks_v2
from google.pubsub_v1.services.publisher import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from onward import wiring
from onward.core.state import Key
from onward.ingress.envelope import Request

FUNCTIONS = Path(__file__).parents[2] / "functions"
SOURCE = FUNCTIONS / "main.py"
DOORS = ("on_object", "on_message", "on_command", "on_wake", "on_job_event", "on_timer")
WAKES, LETTERS = "onward-wake", "onward-dead-letter"

PIPELINE = """
pipeline: sales
trigger:
  object: {bucket: invented-landing, match: "sales/{date}/_SUCCESS"}
params: {date: date}
steps:
  clean: {dataproc: {pyspark: job.py}}
  load: {dataproc: {pyspark: job.py}}
"""


class Tasks:
    """Cloud Tasks: a name is used once."""

    def __init__(self) -> None:
        self._tasks: dict[str, Any] = {}
        self._lock = threading.Lock()

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Yields `host:port`."""
        method = grpc.unary_unary_rpc_method_handler(
            self._create, tasks_v2.CreateTaskRequest.deserialize, tasks_v2.Task.serialize
        )
        server = grpc.server(ThreadPoolExecutor(2))
        name = "google.cloud.tasks.v2.CloudTasks"
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(name, {"CreateTask": method})])
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield address
        finally:
            server.stop(None).wait()

    def _create(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._lock:
            if request.task.name in self._tasks:
                context.abort(grpc.StatusCode.ALREADY_EXISTS, "the task exists")
            self._tasks[request.task.name] = request.task
        return request.task

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The body of each task, in the order they were created."""
        return [json.loads(task.http_request.body) for task in self._tasks.values()]


class Deployment:
    """Posts to its entry points in this process, and reads what they stored, published and set."""

    def __init__(self, project: str, pubsub: str, tasks: Tasks) -> None:
        self.project = project
        self._tasks = tasks
        self._doors: dict[str, Any] = {}
        channel = grpc.insecure_channel(pubsub, options=[("grpc.max_receive_message_length", -1)])
        publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        self._subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        for name in (WAKES, LETTERS):
            topic = f"projects/{project}/topics/{name}"
            publisher.create_topic(name=topic)
            self._subscriber.create_subscription(name=self._subscription(name), topic=topic)

    def post(self, door: str, sent: Request) -> int:
        """The status that functions-framework answers for an entry point."""
        if door not in self._doors:
            self._doors[door] = functions_framework.create_app(door, str(SOURCE)).test_client()
        answer = self._doors[door].post("/", data=sent.body, headers=dict(sent.headers))
        return int(answer.status_code)

    def document(self, key: Key) -> Any:
        """A document of the state, or None."""
        found = wiring.cloud().engine.store.read([key]).get(key)
        return found and found.doc

    @property
    def timers(self) -> list[dict[str, Any]]:
        """Each timer that was set, in order."""
        return self._tasks.bodies

    def published(self, topic: str, count: int) -> list[Any]:
        """The next messages of a topic, once there are so many."""
        found: list[Any] = []
        name = self._subscription(topic)
        while len(found) < count:
            pulled = self._subscriber.pull(
                subscription=name, max_messages=count, timeout=20
            ).received_messages
            if pulled:
                ids = [each.ack_id for each in pulled]
                self._subscriber.acknowledge(subscription=name, ack_ids=ids)
            found += [each.message for each in pulled]
        return found

    def letter(self) -> Any:
        """The next dead letter."""
        return self.published(LETTERS, 1)[0]

    def _subscription(self, topic: str) -> str:
        return f"projects/{self.project}/subscriptions/{topic}"


Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """The log lines since the last call."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def workflows(tmp_path: Path) -> Path:
    """The folder of the deployed pipelines."""
    folder = tmp_path / "workflows" / "sales"
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(PIPELINE)
    (folder / "job.py").write_text("print()")
    return folder.parent


@pytest.fixture
def deployment(
    firestore_project: str, pubsub_address: str, workflows: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """One that has never been used. This process is an instance of it; so is every one that it starts."""
    tasks = Tasks()
    with tasks.serving() as address:
        settings = {
            "ONWARD_PROJECT": firestore_project,
            "ONWARD_REGION": "europe-west1",
            "ONWARD_WORK_BUCKET": "work",
            "ONWARD_TIMER_URL": "https://on-timer.example.com",
            "ONWARD_TIMER_ACCOUNT": "timers@example.com",
            "ONWARD_WORKFLOWS": str(workflows),
            "CLOUD_TASKS_EMULATOR_HOST": address,
            "PUBSUB_EMULATOR_HOST": pubsub_address,
            # No credentials are to be found, and none are looked for on the network.
            "NO_GCE_CHECK": "true",
            "CLOUDSDK_CONFIG": str(workflows / "no-gcloud"),
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        wiring.cloud.cache_clear()
        yield Deployment(firestore_project, pubsub_address, tasks)
        wiring.cloud.cache_clear()
