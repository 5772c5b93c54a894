"""A deployment on the emulators whose entry points can be measured, and a request for each."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from onward.core.naming import job_name, run_id
from onward.local.buckets import Buckets
from onward.local.standins.dataproc import DataprocStandIn
from onward.local.standins.emulators import FIRESTORE, PUBSUB, running
from onward.local.standins.server import served
from onward.local.standins.storage import Storage
from onward.local.standins.tasks import CloudTasksStandIn

PROJECT, REGION = "bench-project", "europe-west1"
PIPELINE = """
pipeline: p
trigger:
  object: {bucket: landing, match: "{name}"}
params: {name: string}
steps:
  a: {dataproc: {pyspark: job.py}}
"""

Body = dict[str, object]


def message(attributes: Mapping[str, str], data: Body | None = None) -> Body:
    """As Pub/Sub pushes it."""
    encoded = base64.b64encode(json.dumps(data).encode()).decode() if data else ""
    return {"message": {"data": encoded, "attributes": attributes, "messageId": "1"}}


def started(key: str) -> str:
    """The run that `on_message` starts by this key: what the other entry points are asked about."""
    return run_id("p", "hand", key)


def arrival(key: str) -> Body:
    """An object that starts a run."""
    named = {"bucketId": "landing", "objectId": key, "objectGeneration": "1", "payloadFormat": "NONE"}
    return message({"eventType": "OBJECT_FINALIZE", "eventTime": datetime.now(UTC).isoformat(), **named})


def sweep(key: str) -> Body:
    """What the run's timer brings."""
    return {"event": "sweep", "run": started(key), "purpose": "watch", "n": 1}


def call(key: str) -> Body:
    """A task for a function that does nothing, which the process of users' code is started for."""
    run = started(key)
    of = {"job": job_name("a", run, 0, 1), "run": run, "step": "a", "attempt": 1, "pipeline": "p"}
    return {**of, "file": "steps.py", "function": "nothing", "args": {}, "seconds": 60}


# In this order, each finds what the ones before it have made. By a key, which no two requests share.
REQUESTS: Mapping[str, Callable[[str], Body]] = {
    "on_message": lambda key: message({"pipeline": "p", "key": key}, {"name": key}),
    "on_object": arrival,
    "on_wake": lambda key: message({}, {"event": "wake", "run": started(key), "node": "a"}),
    "on_job_event": lambda key: message({"onward-job": job_name("a", started(key), 0, 1)}),
    "on_timer": lambda key: {"name": key, "at": 1, "event": sweep(key)},
    "on_command": lambda key: message({}, {"command": "cancel", "run": started(key)}),
    "run_python": call,
}


@contextmanager
def cloud() -> Iterator[dict[str, str]]:
    """A deployment of one pipeline on emulators and stand-ins; yields its environment."""
    with TemporaryDirectory(prefix="onward-bench-") as folder, ExitStack() as held:
        home, pipeline = Path(folder), Path(folder) / "workflows" / "p"
        pipeline.mkdir(parents=True)
        (pipeline / "pipeline.yaml").write_text(PIPELINE)
        (pipeline / "job.py").touch()
        (pipeline / "steps.py").write_text("def nothing():\n    pass\n")
        firestore = held.enter_context(running(FIRESTORE, home))
        pubsub = held.enter_context(running(PUBSUB, home))
        tasks = CloudTasksStandIn(f"projects/{PROJECT}/locations/{REGION}/queues/onward-timers")
        standins = held.enter_context(served(DataprocStandIn(), tasks))
        storage = held.enter_context(stored(Buckets(home / "buckets")))
        topics(pubsub)
        yield {
            **os.environ,
            "ONWARD_PROJECT": PROJECT,
            "ONWARD_REGION": REGION,
            "ONWARD_WORK_BUCKET": "work",
            "ONWARD_WORKFLOWS": str(pipeline.parent),
            "ONWARD_TIMER_URL": "https://on-timer.example.com",
            "ONWARD_TIMER_ACCOUNT": "timers@example.com",
            "ONWARD_PYTHON_URL": "https://run-python.example.com",
            "ONWARD_PYTHON_ACCOUNT": "python@example.com",
            "ONWARD_STANDINS": standins,
            "CLOUD_TASKS_EMULATOR_HOST": standins,
            "FIRESTORE_EMULATOR_HOST": firestore,
            "PUBSUB_EMULATOR_HOST": pubsub,
            "STORAGE_EMULATOR_HOST": storage,
        }


@contextmanager
def stored(buckets: Buckets) -> Iterator[str]:
    """Cloud Storage over these folders; yields its address."""
    served = Storage(buckets)
    with asyncio.Runner() as runner:
        address = runner.run(served.listen())
        thread = Thread(target=runner.get_loop().run_forever)
        thread.start()
        try:
            yield address
        finally:
            runner.get_loop().call_soon_threadsafe(runner.get_loop().stop)
            thread.join()
            runner.run(served.close())


def topics(pubsub: str) -> None:
    """Where the entry points publish."""
    import grpc  # type: ignore[import-untyped]
    from google.pubsub_v1.services.publisher import PublisherClient
    from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

    with grpc.insecure_channel(pubsub) as channel:
        publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        for name in ("onward-wake", "onward-dead-letter", "onward-completions"):
            publisher.create_topic(name=f"projects/{PROJECT}/topics/{name}")
