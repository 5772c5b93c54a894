"""A deployment on the emulators and stand-ins: its settings, topics, entry points, and a run of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import functions_framework
import grpc
import pytest
from google.pubsub_v1 import types
from google.pubsub_v1.services.publisher import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from onward import catalog, wiring
from onward.artifacts import definition_id
from onward.core.naming import job_name, run_id
from onward.core.state import Key, NodeKey
from onward.ingress.envelope import Request
from onward.local.standins import dataflow, dataproc
from onward.local.standins import workflows as workflows_standin
from onward.local.standins.dataflow import DataflowStandIn
from onward.local.standins.server import StandIn, served
from onward.local.standins.tasks import CloudTasksStandIn
from onward.local.standins.templates import TemplatesStandIn
from onward.local.standins.workflows import WorkflowsStandIn
from unit.ingress.envelopes import payload, push, request, structured

REGION = "europe-west1"
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
  total: {dataproc: {pyspark: job.py, cluster: etl}}
  load: {dataflow: {main: job.py}}
  report: {workflow: {source: report.yaml}}
"""
REPORT = "main: {steps: [{done: {return: {}}}]}"
STEPS = ("clean", "total", "load", "report")
RUN = run_id("sales", "object", "invented-landing", "sales/2026-09-01/_SUCCESS", "1756713015917163")
"""What the example's object starts."""
CREATES = {
    "clean": "CreateBatch",
    "total": "SubmitJobAsOperation",
    "load": "LaunchFlexTemplate",
    "report": "CreateExecution",
}
READS = {"clean": "GetBatch", "total": "GetJob", "load": "GetJob", "report": "GetExecution"}


class Services:
    """The stand-ins of all services. What a pipeline needs of them is there."""

    def __init__(self, project: str, definitions: Iterable[str]) -> None:
        place = f"projects/{project}/locations/{REGION}"
        self.dataproc = TemplatesStandIn("etl")
        self.dataflow = DataflowStandIn()
        self.workflows = WorkflowsStandIn(*(f"{place}/workflows/{name}" for name in definitions))
        self.tasks = CloudTasksStandIn(f"{place}/queues/onward-timers")

    def of(self, step: str) -> StandIn:
        """The service that runs a step."""
        return {"load": self.dataflow, "report": self.workflows}.get(step, self.dataproc)

    def succeed(self) -> None:
        """All jobs, without a word."""
        for batch in self.dataproc.batches:
            self.dataproc.end_batch(batch, dataproc.BatchState.SUCCEEDED)
        for job in self.dataproc.jobs:
            self.dataproc.end_job(job, dataproc.JobState.DONE)
        for job in self.dataflow.jobs:
            self.dataflow.end(job, dataflow.State.JOB_STATE_DONE)
        for execution in self.workflows.executions:
            self.workflows.end(execution, workflows_standin.State.SUCCEEDED, "{}")


class Deployment:
    """Posts to its entry points in this process, and reads what they stored, published and set."""

    def __init__(self, project: str, pubsub: str, services: Services) -> None:
        self.project = project
        self.services = services
        self._doors: dict[str, Any] = {}
        channel = grpc.insecure_channel(pubsub, options=[("grpc.max_receive_message_length", -1)])
        self.publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        self.subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        for name in (WAKES, LETTERS):
            self.publisher.create_topic(name=self._topic(name))
            self.subscriber.create_subscription(name=self._subscription(name), topic=self._topic(name))

    def post(self, door: str, sent: Request) -> int:
        """The status that functions-framework answers for an entry point."""
        if door not in self._doors:
            self._doors[door] = functions_framework.create_app(door, str(SOURCE)).test_client()
        answer = self._doors[door].post("/", data=sent.body, headers=dict(sent.headers))
        return int(answer.status_code)

    def wake(self, count: int) -> None:
        """Deliver that many wakes."""
        for message in self.published(WAKES, count):
            assert self.post("on_wake", request(push(message.data))) == 204

    def document(self, key: Key) -> Any:
        """A document of the state, or None."""
        found = wiring.cloud().engine.store.read([key]).get(key)
        return found and found.doc

    def phase(self, step: str) -> str:
        """Of a step of the run."""
        return str(self.document(NodeKey(RUN, step)).phase.__struct_config__.tag)

    def job(self, step: str) -> str:
        """The name of the job of a step's first attempt."""
        plan = wiring.cloud().engine.plans.of_run(RUN)
        assert plan is not None
        return job_name(step, RUN, plan.step_node(step).number, 1)

    @property
    def timers(self) -> list[dict[str, Any]]:
        """Each timer that was set, in order."""
        return [json.loads(task.http_request.body) for task in self.services.tasks.tasks.values()]

    def published(self, topic: str, count: int) -> list[Any]:
        """The next messages of a topic, once there are so many."""
        found: list[Any] = []
        name = self._subscription(topic)
        while len(found) < count:
            pulled = self.subscriber.pull(subscription=name, max_messages=count, timeout=20).received_messages
            if pulled:
                ids = [each.ack_id for each in pulled]
                self.subscriber.acknowledge(subscription=name, ack_ids=ids)
            found += [each.message for each in pulled]
        return found

    def letter(self) -> Any:
        """The next dead letter."""
        return self.published(LETTERS, 1)[0]

    def push(self, topic: str, url: str, attributes: Mapping[str, str]) -> None:
        """Have the emulator push a message of these attributes there, until it gives up."""
        self.publisher.create_topic(name=self._topic(topic))
        self.subscriber.create_subscription(
            types.Subscription(
                name=self._subscription(topic),
                topic=self._topic(topic),
                push_config=types.PushConfig(push_endpoint=url),
                # The fewest deliveries that Pub/Sub takes.
                dead_letter_policy=types.DeadLetterPolicy(
                    dead_letter_topic=self._topic(LETTERS), max_delivery_attempts=5
                ),
            )
        )
        self.publisher.publish(
            topic=self._topic(topic), messages=[types.PubsubMessage(attributes=attributes)]
        )

    def _topic(self, name: str) -> str:
        return f"projects/{self.project}/topics/{name}"

    def _subscription(self, topic: str) -> str:
        return f"projects/{self.project}/subscriptions/{topic}"


def arrival() -> dict[str, Any]:
    """The example's object, as if it were of today."""
    event = payload("gcs_object_finalized")
    event["data"]["updated"] = datetime.now(UTC).isoformat()
    return event


Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """The log lines since the last call, but for those about runs as a whole."""
    return lambda: [line for line in _logged(capsys) if "run_state" not in line]


@pytest.fixture
def run_lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """The log lines since the last call that say what became of a run."""
    return lambda: [line for line in _logged(capsys) if "run_state" in line]


def _logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def workflows(tmp_path: Path) -> Path:
    """The folder of the deployed pipelines."""
    folder = tmp_path / "workflows" / "sales"
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(PIPELINE)
    (folder / "job.py").write_text("print()")
    (folder / "report.yaml").write_text(REPORT)
    return folder.parent


def environment(project: str, workflows: Path, standins: str) -> dict[str, str]:
    """The variables of a deployment whose services are stand-ins at this address."""
    return {
        "ONWARD_PROJECT": project,
        "ONWARD_REGION": REGION,
        "ONWARD_WORK_BUCKET": "work",
        "ONWARD_TIMER_URL": "https://on-timer.example.com",
        "ONWARD_TIMER_ACCOUNT": "timers@example.com",
        "ONWARD_PYTHON_URL": "https://run-python.example.com",
        "ONWARD_PYTHON_ACCOUNT": "python@example.com",
        "ONWARD_WORKFLOWS": str(workflows),
        "ONWARD_STANDINS": standins,
        "CLOUD_TASKS_EMULATOR_HOST": standins,
        # No credentials are to be found, and none are looked for on the network.
        "NO_GCE_CHECK": "true",
        "CLOUDSDK_CONFIG": str(workflows / "no-gcloud"),
    }


@pytest.fixture
def deployment(
    firestore_project: str, pubsub_address: str, workflows: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """One that has never been used. This process is an instance of it; so is every one that it starts."""
    files = catalog.read(workflows).pipelines["sales"].files
    services = Services(firestore_project, [definition_id(files, "report.yaml")])
    with served(services.dataproc, services.dataflow, services.workflows, services.tasks) as address:
        settings = environment(firestore_project, workflows, address)
        settings["PUBSUB_EMULATOR_HOST"] = pubsub_address
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        wiring.cloud.cache_clear()
        yield Deployment(firestore_project, pubsub_address, services)
        wiring.cloud.cache_clear()


@pytest.fixture
def started(deployment: Deployment, lines: Lines) -> Deployment:
    """Its run has begun: each step's wake is published."""
    assert deployment.post("on_object", structured(arrival())) == 204
    lines()
    return deployment


@pytest.fixture
def running(started: Deployment, lines: Lines) -> Deployment:
    """The job of every step runs."""
    started.wake(len(STEPS))
    assert {started.phase(step) for step in STEPS} == {"running"}
    lines()
    return started
