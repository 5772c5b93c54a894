"""Python steps from the object that starts their run to its end: real entry points, processes and clients."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from cloud.deployment import REGION, RUN, Deployment, Lines, arrival
from google.pubsub_v1.services.publisher import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from onward import wiring
from onward.core.state import Node, NodeKey, RunKey
from onward.local.buckets import Buckets
from onward.local.standins.storage import Storage
from unit.ingress.envelopes import push, request, structured

PIPELINE = """
pipeline: sales
trigger:
  object: {bucket: invented-landing, match: "sales/{date}/_SUCCESS"}
params: {date: date}
steps:
  count: {python: {call: "steps.py:count", args: {uri: "{{ trigger.uri }}"}}}
  report: {needs: [count], python: {call: "steps.py:report", args: {rows: "{{ steps.count.output }}"}}}
"""
STEPS = """
import os
from helper import LENGTH

def count(uri):
    print("counting", uri)
    if os.path.exists("__DIE__"):
        os._exit(9)
    return {"length": LENGTH(uri), "ours": [name for name in os.environ if name.startswith("ONWARD_")]}

def report(rows):
    raise LookupError(f"no station in {rows['length']} rows")
"""
COMPLETIONS = "onward-completions"


@pytest.fixture
def die(tmp_path: Path) -> Path:
    """While it is there, calls die with their process."""
    return tmp_path / "die"


@pytest.fixture
def workflows(tmp_path: Path, die: Path) -> Path:
    folder = tmp_path / "workflows" / "sales"
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(PIPELINE)
    (folder / "steps.py").write_text(STEPS.replace("__DIE__", str(die)))
    (folder / "helper.py").write_text("LENGTH = len\n")
    (folder / "report.yaml").write_text("main: {steps: [{done: {return: {}}}]}")
    return folder.parent


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Buckets]:
    """Cloud Storage, by its own API, over these folders."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    buckets = Buckets(tmp_path / "buckets")
    served = Storage(buckets)
    address = asyncio.run_coroutine_threadsafe(served.listen(), loop).result()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
    yield buckets
    asyncio.run_coroutine_threadsafe(served.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class Cloud:
    """Delivers what waits: tasks to `run_python`, rings to `on_job_event`, wakes to `on_wake`."""

    def __init__(self, deployment: Deployment, pubsub: str) -> None:
        self.deployment = deployment
        self.tasks = deployment.services.tasks
        self.queue = f"projects/{deployment.project}/locations/{REGION}/queues/onward-python"
        self.tasks.queues.add(self.queue)
        channel = grpc.insecure_channel(pubsub)
        topic = f"projects/{deployment.project}/topics/{COMPLETIONS}"
        PublisherClient(transport=PublisherGrpcTransport(channel=channel)).create_topic(name=topic)
        subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        name = f"projects/{deployment.project}/subscriptions/{COMPLETIONS}"
        subscriber.create_subscription(name=name, topic=topic)

    def start(self) -> None:
        assert self.deployment.post("on_object", structured(arrival())) == 204

    def deliver(self) -> list[int]:
        """Each task that is not over is called; the answers."""
        answers = []
        for name, task in list(self.tasks.tasks.items()):
            if name.startswith(self.queue) and name not in self.tasks.ended:
                call = task.http_request
                answers.append(self.deployment.post("run_python", request(call.body, dict(call.headers))))
                if answers[-1] == 204:
                    self.tasks.ended.add(name)
        return answers

    def ring(self) -> int:
        (message,) = self.deployment.published(COMPLETIONS, 1)
        assert message.data == b""
        return self.deployment.post("on_job_event", request(push(b"", dict(message.attributes))))

    def phase(self, step: str) -> str:
        return self.deployment.phase(step)

    def node(self, step: str) -> Node:
        found = self.deployment.document(NodeKey(RUN, step))
        assert isinstance(found, Node)
        return found


@pytest.fixture
def cloud(storage: Buckets, deployment: Deployment, pubsub_address: str) -> Iterator[Cloud]:
    del storage
    yield Cloud(deployment, pubsub_address)
    wiring.cloud().caller._process.close()


def results(storage: Buckets) -> dict[str, Any]:
    found = (storage.root / "work" / "onward" / "python").glob("*.json")
    return {path.name: json.loads(path.read_bytes()) for path in found}


def test_a_run_of_python_steps_goes_from_its_object_to_its_end(cloud: Cloud, storage: Buckets, lines: Lines):
    cloud.start()
    assert cloud.phase("count") == "running"
    lines()
    assert cloud.deliver() == [204]
    said = lines()
    uri = "gs://invented-landing/sales/2026-09-01/_SUCCESS"
    assert [line["message"] for line in said] == [
        f"counting {uri}",
        "run_python: handled: the call succeeded",
    ]
    assert all((line["run"], line["step"], line["attempt"]) == (RUN, "count", 1) for line in said)
    assert cloud.ring() == 204
    assert cloud.node("count").phase.output == {"length": len(uri), "ours": []}
    assert cloud.deliver() == [204]
    trace = [line["message"] for line in lines() if line["message"].startswith(("Traceback", "LookupError"))]
    assert trace == ["Traceback (most recent call last):", f"LookupError: no station in {len(uri)} rows"]
    assert cloud.ring() == 204
    assert cloud.node("report").phase.error == f"LookupError: no station in {len(uri)} rows"
    assert cloud.deployment.document(RunKey(RUN)).state == "failed"
    assert len(results(storage)) == 2


def test_a_ring_is_not_believed(cloud: Cloud):
    cloud.start()
    job = next(iter(cloud.tasks.tasks.values())).name  # the watchdog: nothing of ours
    count = cloud.node("count").phase.job.rpartition("/")[2].partition("-")[2]
    assert cloud.deployment.post("on_job_event", request(push(b"", {"onward-job": job}))) == 204
    assert cloud.deployment.post("on_job_event", request(push(b"", {"onward-job": count}))) == 204
    assert cloud.phase("count") == "running"


def test_a_process_that_dies_in_a_call_is_replaced_and_the_call_made_again(cloud: Cloud, die: Path):
    cloud.start()
    die.touch()
    assert cloud.deliver() == [500]
    assert cloud.deliver() == [500]
    die.unlink()
    assert cloud.deliver() == [204]
    assert cloud.ring() == 204
    assert cloud.phase("count") == "succeeded"
    assert cloud.node("count").attempt == 1


def test_a_run_that_is_cancelled_stops_a_call_that_has_not_begun(cloud: Cloud, storage: Buckets):
    cloud.start()
    command = request(push({"command": "cancel", "run": RUN}))
    assert cloud.deployment.post("on_command", command) == 204
    cloud.deployment.wake(1)  # the sweep
    cloud.deployment.wake(1)  # the node that it found
    assert cloud.deliver() == []
    (result,) = results(storage).values()
    assert result["state"] == "cancelled"


def test_a_submit_that_came_through_without_an_answer_is_found_by_the_ring_of_its_call(cloud: Cloud):
    cloud.start()
    assert cloud.deliver() == [204]
    cloud.tasks.fault("CreateTask", "UNAVAILABLE", after=True)
    assert cloud.ring() == 204
    assert cloud.phase("report") == "retrying"
    assert cloud.deliver() == [204]
    assert cloud.ring() == 204
    assert cloud.node("report").phase.error.startswith("LookupError: no station")
