"""A deployment on this machine: what Terraform would make and Cloud Build would upload, by the same names."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from onward import catalog
from onward.artifacts import definition_id
from onward.core.pipeline import Dataproc, Workflow, topics, watched
from onward.local.buckets import Buckets
from onward.local.topics import COMMAND, START

HOME = "emulators"
"""The folder, in the state folder, of all that ends with a deployment."""
PROJECT, REGION = "onward-local", "europe-west1"
CODE, WORK = "onward-code", "onward-work"
"""Buckets: of what was deployed for jobs, and of large outputs."""
OBJECT, COMPLETIONS, DATAFLOW, WAKE = "onward-object", "onward-completions", "onward-dataflow", "onward-wake"
DEAD_LETTER, ANNOUNCEMENTS = "onward-dead-letter", "onward-announcements"
QUEUES = tuple(
    f"projects/{PROJECT}/locations/{REGION}/queues/{name}" for name in ("onward-timers", "onward-python")
)
DOORS: Mapping[str, str] = {
    OBJECT: "on_object",
    START: "on_message",
    COMMAND: "on_command",
    WAKE: "on_wake",
    COMPLETIONS: "on_job_event",
    DATAFLOW: "on_job_event",
}
"""By topic, the function to which its subscription pushes. `onward-dataflow` is Eventarc's."""
TARGETS = (*sorted(set(DOORS.values())), "on_timer")
PYTHON = "run_python"
"""The function that calls users' code: apart from the others, here in a process of its own."""
FIRST_RETRY, LAST_RETRY = 1, 600
"""Seconds until a message is delivered again."""
DELIVERIES = 100
ACK_SECONDS = 600


class Uploaded(NamedTuple):
    """What was put where functions and jobs find it, and what the services must have for it."""

    workflows: Path
    """The functions' archive."""
    definitions: Path
    """A file for each Workflows definition, by its id."""
    watched: tuple[str, ...]
    """Buckets whose objects start runs."""
    clusters: tuple[str, ...]
    """Those that must be there, as no pipeline makes them."""
    topics: tuple[str, ...]
    """Those that pipelines listen to."""
    catalog: catalog.Catalog


def upload(source: Path, home: Path, buckets: Buckets) -> Uploaded:
    """Copy the sound pipelines of `source`: edits after that count from the next deployment on."""
    found = catalog.read(source)
    archive, definitions = home / "workflows", home / "definitions"
    code = buckets.folder(CODE) / "files"
    archive.mkdir(parents=True)
    definitions.mkdir()
    (archive / catalog.ENV).write_bytes(msgspec.json.encode(found.env))
    (archive / catalog.POOLS).write_bytes(msgspec.json.encode(found.pools))
    clusters = set()
    for entry in found.pipelines.values():
        copy = catalog.snapshot(entry, code)
        shutil.copytree(copy, archive / entry.folder.name)
        for step in entry.pipeline.with_handlers:
            match step.does:
                case Workflow(source=name):
                    shutil.copyfile(copy / name, definitions / f"{definition_id(entry.files, name)}.yaml")
                case Dataproc(cluster=str(cluster)) if entry.pipeline.cluster(cluster) is None:
                    clusters.add(cluster)
    pipelines = [entry.pipeline for entry in found.pipelines.values()]
    names, listened = watched(pipelines), topics(pipelines)
    return Uploaded(
        archive, definitions, tuple(names), tuple(sorted(clusters)), tuple(sorted(listened)), found
    )


def subscribe(pubsub: str, functions: str, listened: Sequence[str]) -> None:
    """Make the topics (of pipelines those `listened` to) and push subscriptions, between `host:port`s."""
    import grpc  # type: ignore[import-untyped]
    from google.pubsub_v1 import types
    from google.pubsub_v1.services.publisher import PublisherClient
    from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
    from google.pubsub_v1.services.subscriber import SubscriberClient
    from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

    with grpc.insecure_channel(pubsub) as channel:
        publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        for name in (DEAD_LETTER, ANNOUNCEMENTS, *DOORS, *listened):
            publisher.create_topic(name=_topic(name))
        for name in (DEAD_LETTER, ANNOUNCEMENTS):  # which are looked at, if at all
            subscriber.create_subscription(name=_subscription(name), topic=_topic(name))
        for topic, door in (*DOORS.items(), *((topic, "on_message") for topic in listened)):
            query = f"?topic={quote(topic, safe='')}" if topic in listened else ""
            push = types.PushConfig(push_endpoint=_url(functions, door) + query)
            if topic == DATAFLOW:  # as Eventarc's own: the event's attributes are headers
                push.no_wrapper = types.PushConfig.NoWrapper(write_metadata=True)
            subscriber.create_subscription(
                types.Subscription(
                    name=_subscription(_named(topic, door)),
                    topic=_topic(topic),
                    push_config=push,
                    ack_deadline_seconds=ACK_SECONDS,
                    retry_policy=types.RetryPolicy(
                        minimum_backoff={"seconds": FIRST_RETRY}, maximum_backoff={"seconds": LAST_RETRY}
                    ),
                    dead_letter_policy=types.DeadLetterPolicy(
                        dead_letter_topic=_topic(DEAD_LETTER), max_delivery_attempts=DELIVERIES
                    ),
                )
            )


def emulators(firestore: str, pubsub: str) -> dict[str, str]:
    """Leads clients to them."""
    return {
        "FIRESTORE_EMULATOR_HOST": firestore,
        "PUBSUB_EMULATOR_HOST": pubsub,
        # No credentials are to be found, and none are looked for on the network.
        "NO_GCE_CHECK": "true",
        "GOOGLE_CLOUD_PROJECT": PROJECT,
    }


def settings(workflows: Path, functions: str, python: str, standins: str, storage: str) -> dict[str, str]:
    """What Terraform would set, and where the stand-ins are: `host:port`, and storage's URL."""
    return {
        "ONWARD_PROJECT": PROJECT,
        "ONWARD_REGION": REGION,
        "ONWARD_WORK_BUCKET": WORK,
        "ONWARD_CODE_BUCKET": CODE,
        "ONWARD_WORKFLOWS": str(workflows),
        "ONWARD_TIMER_URL": _url(functions, "on_timer"),
        "ONWARD_TIMER_ACCOUNT": f"timers@{PROJECT}.iam.gserviceaccount.com",
        "ONWARD_PYTHON_URL": _url(python, PYTHON),
        "ONWARD_PYTHON_ACCOUNT": f"python@{PROJECT}.iam.gserviceaccount.com",
        "ONWARD_STANDINS": standins,
        "CLOUD_TASKS_EMULATOR_HOST": standins,
        "STORAGE_EMULATOR_HOST": storage,
    }


def _url(functions: str, door: str) -> str:
    return f"http://{functions}/{door}/"  # without the slash it would be redirected


def _topic(name: str) -> str:
    return name if name.startswith("projects/") else f"projects/{PROJECT}/topics/{name}"


def _named(topic: str, door: str) -> str:
    """The subscription to a topic."""
    if topic == DATAFLOW:
        return "eventarc-dataflow"
    own = topic.removeprefix("projects/").replace("/topics/", "-")
    return f"onward-{door}" if topic in DOORS else f"onward-start-{own}"


def _subscription(name: str) -> str:
    return f"projects/{PROJECT}/subscriptions/{name}"
