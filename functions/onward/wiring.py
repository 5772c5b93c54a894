"""The only place that builds the cloud's adapters: each when it is first used, and kept with the process.

Nothing here is built, read or contacted at import.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from onward.core.errors import UserError

if TYPE_CHECKING:
    from onward.caller import Caller
    from onward.calls.wire import Results
    from onward.core.commands import TellOfSet
    from onward.core.state import Run
    from onward.deployed import Deployed
    from onward.engine import Engine
    from onward.ingress.facts import Doorbell, Parser
    from onward.messaging.pubsub import Announcements, PubSubBus
    from onward.messaging.tasks import CloudTasks
    from onward.ports import Owned, Services
    from onward.receiver import Receiver
    from onward.services.clients import Clients
    from onward.settings import Settings
    from onward.stores.firestore import FirestoreStore
    from onward.stores.gcs import GcsObjects

_BESIDE = Path(__file__).parent.parent


class SystemClock:
    """See `ports.Clock`."""

    def now(self) -> int:
        """See `ports.Clock`."""
        return time.time_ns() // 1000


class Cloud:
    """One deployment's adapters. May be shared by threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = SystemClock()

    @cached_property
    def receiver(self) -> Receiver:
        """What answers the requests."""
        from onward.intake import Intake
        from onward.messaging.pubsub import DeadLetters, Topic
        from onward.receiver import Receiver

        engine = self.engine
        intake = Intake(
            engine.store,
            engine.plans,
            self._deployed,
            self._timers,
            self._bus,
            self._whose,
            engine.verdict,
            self._clock,
            self._settings.deployment,
        )
        letters = DeadLetters(Topic(self._settings.topic(self._settings.dead_letter_topic)))
        return Receiver(intake, engine, letters, self._clock, log)

    @cached_property
    def caller(self) -> Caller:
        """What makes the calls of python steps: it has no part in the state, nor do the users' functions."""
        from onward.caller import Caller
        from onward.calls.warm import WarmProcess
        from onward.ingress.completions import RING
        from onward.messaging.pubsub import DeadLetters, Topic

        settings = self._settings
        environ = {name: value for name, value in os.environ.items() if not name.startswith("ONWARD_")}
        completions = Topic(settings.topic(settings.completions_topic))
        return Caller(
            self._deployed.folder,
            WarmProcess(environ),
            self._results,
            lambda job: completions.publish([(b"", {RING: job})]),
            DeadLetters(Topic(settings.topic(settings.dead_letter_topic))),
            log,
        )

    @cached_property
    def engine(self) -> Engine:
        """The engine on Firestore, Pub/Sub and Cloud Tasks."""
        from onward.engine import Engine

        engine = Engine(
            self._store,
            self._services,
            self._timers,
            self._bus,
            self._objects,
            self._clock,
            lambda: secrets.token_hex(8),
        )
        engine.on_run = _tell
        engine.on_crowded = _tell_crowded
        engine.followed = lambda name: self._deployed.followed(name)  # noqa: PLW0108 - made when needed
        engine.limit = lambda gate: self._deployed.limit(gate)  # noqa: PLW0108 - made when needed
        engine.on_set = _tell_of_set
        engine.announcer = self._announcer
        return engine

    @cached_property
    def _objects(self) -> GcsObjects:
        from onward.stores.gcs import GcsObjects

        return GcsObjects(self._settings.work_bucket)

    @cached_property
    def _results(self) -> Results:
        from onward.calls.wire import Results

        return Results(self._objects)

    @cached_property
    def _store(self) -> FirestoreStore:
        from onward.stores.firestore import FirestoreStore

        return FirestoreStore(self._settings.project, self._settings.database)

    @cached_property
    def _bus(self) -> PubSubBus:
        from onward.messaging.pubsub import PubSubBus, Topic

        return PubSubBus(Topic(self._settings.topic(self._settings.wake_topic)))

    @cached_property
    def _announcer(self) -> Announcements:
        from onward.messaging.pubsub import Announcements, Topic

        settings = self._settings
        source = f"/projects/{settings.project}/{settings.deployment or 'onward'}"
        return Announcements(Topic(settings.topic(settings.announcement_topic)), source)

    @cached_property
    def _services(self) -> Services:
        from onward.services.dataflow import dataflow
        from onward.services.dataflow_drains import Drains
        from onward.services.dataproc import Dataproc
        from onward.services.ephemeral import ClusterDeletions
        from onward.services.python import Python
        from onward.services.runs import SubRuns
        from onward.services.workflows import workflows

        settings, clock, clients = self._settings, self._clock, self._clients
        jobs = settings.jobs
        beam = dataflow(jobs, self._deployed.template, clients, clock)
        return {
            "dataflow": beam,
            "drain": Drains(beam, clients, clock),
            "dataproc": Dataproc(jobs, self._deployed, clients, clock),
            "cluster": ClusterDeletions(jobs, clients, clock),
            "workflow": workflows(jobs, self._deployed.definition, clients, clock),
            "python": Python(
                settings.queue(settings.python_queue),
                settings.python_url,
                settings.python_account,
                self._results,
                clients,
                clock,
            ),
            "pipeline": SubRuns(
                self._store, self._deployed.plan, lambda event: self._bus.publish([event]), lasting=True
            ),
        }

    @cached_property
    def _clients(self) -> Clients:
        from onward.services.clients import Clients

        return Clients()

    @cached_property
    def _timers(self) -> CloudTasks:
        from onward.messaging.tasks import CloudTasks

        settings = self._settings
        queue = settings.queue(settings.timer_queue)
        return CloudTasks(queue, settings.timer_url, settings.timer_account, self._clock)

    @cached_property
    def _deployed(self) -> Deployed:
        from onward.deployed import Deployed

        settings = self._settings
        return Deployed(
            settings.workflows,
            settings.code_bucket,
            lambda: self.engine.plans,
            settings.deployment or "onward",
            settings.topic(settings.pyspark_bell) if settings.pyspark_bell else "",
        )

    def _whose(self, bell: Doorbell) -> Owned | None:
        from onward.services import owners

        match bell.kind:
            case "execution":
                place = f"projects/{bell.project}/locations/{bell.region}"
                name = f"{place}/workflows/{bell.parent}/executions/{bell.id}"
                return owners.execution(self._clients, name)
            case "template":
                name = f"projects/{bell.project}/regions/{bell.region}/operations/{bell.id}"
                return owners.workflow(self._clients, name)
            case _:
                return None


@cache
def cloud() -> Cloud:
    """This process's deployment. Raises `UserError` for settings that are wrong."""
    from onward.settings import read

    return Cloud(read(os.environ, _BESIDE))


def receive(door: str, parse: Parser, headers: Mapping[str, str], body: bytes) -> int:
    """The status with which an entry point answers a request."""
    deployment = _deployment(door)
    return 500 if deployment is None else deployment.receiver.receive(door, parse, headers, body)


def run_python(headers: Mapping[str, str], body: bytes) -> int:
    """The status with which the calls' own entry point answers a task."""
    deployment = _deployment("run_python")
    return 500 if deployment is None else deployment.caller.receive(headers, body)


def _deployment(door: str) -> Cloud | None:
    try:
        return cloud()
    except UserError as error:
        # Delivered again until the deployment is mended.
        log({"severity": "CRITICAL", "message": f"the settings are wrong: {error}", "door": door})
        return None


def _tell(run: str, doc: Run, state: str) -> None:
    """A line for each state that a run comes to, or "late" or "overdue": alerts and people look for it."""
    why = f": {doc.error}" if doc.error else ""
    log(
        {
            "severity": {"failed": "ERROR", "late": "WARNING", "overdue": "WARNING"}.get(state, "NOTICE"),
            "message": f"run {run} of {doc.pipeline} is {state}{why}",
            "run_state": state,
            "run": run,
            "pipeline": doc.pipeline,
        }
    )


def _tell_crowded(pipeline: str) -> None:
    """A line when runs begin to wait for the hour to have room."""
    log(
        {
            "severity": "WARNING",
            "message": f"runs of {pipeline} wait: `max_runs_per_hour` of them have started in the last hour",
            "run_state": "crowded",
            "pipeline": pipeline,
        }
    )


def _tell_of_set(told: TellOfSet) -> None:
    """A line for what people should know of a set: `absent`, `refused` or `expired`."""
    from onward.core.sets import spoken

    log(
        {
            "severity": "WARNING",
            "message": f"set {spoken(told.set, told.key)} of {told.pipeline} is {told.what}: {told.why}",
            "set_state": told.what,
            "set": told.set,
            "pipeline": told.pipeline,
            "key": told.key,
        }
    )


def log(line: Mapping[str, Any]) -> None:
    """One line of JSON, as Cloud Logging takes it from a process's output."""
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")  # at once: other requests write, too
    sys.stdout.flush()
