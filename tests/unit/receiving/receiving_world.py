"""A deployment of two pipelines with nothing real behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from onward.core.commands import SetTimer
from onward.core.errors import Temporary
from onward.core.events import Event, JobState
from onward.core.state import Run, RunKey, RunState
from onward.deployed import Deployed
from onward.engine import Engine
from onward.ingress.envelope import Request
from onward.ingress.facts import Doorbell, Parser
from onward.intake import Intake
from onward.ports import Accepted, JobRef, JobRequest, Owned, Status, Submission
from onward.receiver import Receiver
from onward.stores.memory import MemoryStore
from unit.ingress.envelopes import NOW, pushed

PIPELINE = """
pipeline: {name}
trigger:
  object: {{bucket: landing, match: "in/{{date}}.csv"}}
params: {{date: {type}}}
steps:
  first: {{dataproc: {{pyspark: job.py}}}}
  second: {{needs: [first], dataproc: {{pyspark: job.py}}}}
"""


class World:
    """Also the ports: the clock, the service, the timers, the bus and the dead letters."""

    def __init__(self, folder: Path) -> None:
        for name, kind in (("daily", "date"), ("texts", "string")):
            (folder / name).mkdir(parents=True)
            (folder / name / "pipeline.yaml").write_text(PIPELINE.format(name=name, type=kind))
            (folder / name / "job.py").write_text(f"print('{name}')")
        self.at = NOW
        self.submitted: list[str] = []
        self.states: dict[str, Status] = {}
        self.reads = 0
        self.timers: list[SetTimer] = []
        self.told: list[Event] = []
        self.letters: list[tuple[str, str, bytes, Mapping[str, str]]] = []
        self.lines: list[Mapping[str, Any]] = []
        self.trouble: Exception | None = None
        self.trouble_of: str = ""
        self.labels: dict[str, str] = {}
        self.seen: dict[str, Status] = {}
        self.store = MemoryStore()
        self.engine = Engine(
            self.store,
            dict.fromkeys(("dataproc", "cluster", "dataflow"), self),
            _Timers(self.timers),
            _Bus(self.told),
            None,
            self,
            lambda: "t",
        )
        self.deployed = Deployed(folder, "code", lambda: self.engine.plans)
        self.intake = Intake(
            self.store,
            self.engine.plans,
            self.deployed,
            _Timers(self.timers),
            _Bus(self.told),
            self.whose,
            self.engine.verdict,
            self,
        )
        self.receiver = Receiver(self.intake, self.engine, self, self, self.lines.append)

    def receive(self, parse: Parser, sent: Request) -> int:
        return self.receiver.receive("on_test", parse, sent.headers, sent.body)

    def settle(self) -> None:
        """What one invocation told another is heard."""
        while self.told:
            self.engine.handle(self.told.pop(0))

    def wait(self, time: int) -> None:
        """Timers ring."""
        self.at += time
        due = [timer for timer in self.timers if timer.at <= self.at]
        self.timers[:] = [timer for timer in self.timers if timer.at > self.at]
        for timer in due:
            self.engine.handle(timer.event)
            self.settle()

    def run(self, run: str) -> Run | None:
        found = self.store.read([RunKey(run)]).get(RunKey(run))
        return found.doc if found else None

    @property
    def runs(self) -> dict[str, Run]:
        return dict(self.store.runs())

    def end_run(self, run: str, state: RunState) -> None:
        found = self.store.docs[RunKey(run)]
        ended = msgspec.structs.replace(found.doc, state=state, ended=self.at)
        self.store.docs[RunKey(run)] = found._replace(doc=ended)

    # The ports

    def now(self) -> int:
        return self.at

    def submit(self, request: JobRequest) -> Submission:
        if self.trouble is not None and request.name.startswith(self.trouble_of):
            raise self.trouble
        self.submitted.append(request.name)
        return Accepted(request.name)

    def status(self, ref: JobRef) -> Status:
        self.reads += 1
        return self.states.get(ref.name, Status(JobState.RUNNING, ref.name))

    def cancel(self, ref: JobRef) -> None:
        pass

    def whose(self, bell: Doorbell) -> Owned | None:
        name = self.labels.get(bell.id)
        return None if name is None else Owned(name, self.seen.get(bell.id))

    def bury(self, door: str, reason: str, data: bytes, attributes: Mapping[str, str]) -> None:
        if isinstance(self.trouble, Temporary):
            raise self.trouble
        self.letters.append((door, reason, data, attributes))


class _Timers:
    def __init__(self, timers: list[SetTimer]) -> None:
        self.set: Callable[[Sequence[SetTimer]], None] = timers.extend


class _Bus:
    def __init__(self, told: list[Event]) -> None:
        self.publish: Callable[[Sequence[Event]], None] = told.extend


def notified(name: str, generation: int = 1) -> Request:
    """A bucket's notification that this object became final."""
    attributes = {
        "eventType": "OBJECT_FINALIZE",
        "bucketId": "landing",
        "objectId": name,
        "objectGeneration": str(generation),
        "eventTime": "2026-09-01T08:00:00.109Z",
        "payloadFormat": "NONE",
    }
    return pushed(b"", attributes)
