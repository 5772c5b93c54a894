"""Ports for the engine's tests: they do what they are told and keep a journal of what was asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from onward.core import matching
from onward.core.commands import SetTimer
from onward.core.errors import NotFound, Temporary
from onward.core.events import Event, JobState, StartRun
from onward.core.pipeline import SECOND, Pipeline, Python, Step
from onward.core.plan import Plan, compile_plan
from onward.core.state import Key, Node, NodeKey, Run, RunKey
from onward.engine import Engine
from onward.ports import Accepted, Ages, JobRef, JobRequest, Listed, Status, Submission, Versioned, Write
from onward.stores.memory import MemoryStore

RUN = "a" * 20
NOON = 1_700_000_000 * SECOND


def step(name: str, *needs: str, args: dict[str, Any] | None = None, **fields: Any) -> Step:
    return Step(name, Python("steps.py", name, args or {}), needs, **fields)


class Shelf:
    """An engine and all that stands around it."""

    def __init__(self, *steps: Step, alone: bool = False, pipeline: Pipeline | None = None) -> None:
        self.journal: list[str] = []
        self.store = JournalledStore(self.journal)
        self.service = ScriptedService(self.journal)
        self.timers: list[SetTimer] = []
        self.published: list[Event] = []
        self.objects: dict[str, bytes] = {}
        self.written: dict[str, int] = {}
        self.time = NOON
        self.tokens = 0
        self.engine = Engine(
            self.store, {"python": self.service}, self, self, self, self, self._token, alone=alone
        )
        self.plan: Plan = compile_plan(pipeline or Pipeline("p", steps), {"work": "w"})
        self.engine.plans.add(self.plan)
        self.journal.clear()

    def _token(self) -> str:
        self.tokens += 1
        return f"token{self.tokens}"

    def start(self, **params: Any) -> None:
        self.engine.handle(self.start_event(**params))

    def start_event(self, run: str = RUN, **params: Any) -> StartRun:
        return StartRun(run, "p", self.plan.name, params, {"on": "hand"})

    def node(self, name: str, run: str = RUN) -> Node:
        found = self.store.docs.get(NodeKey(run, name))
        return found.doc if found is not None and isinstance(found.doc, Node) else Node()

    def state(self, name: str, run: str = RUN) -> str:
        return str(self.node(name, run).phase.__struct_config__.tag)

    def run(self, run: str = RUN) -> Run:
        doc = self.store.docs[RunKey(run)].doc
        assert isinstance(doc, Run)
        return doc

    # Timers, Bus, Objects, Clock ----------------------------------------

    def set(self, timers: Sequence[SetTimer]) -> None:
        self.journal.append("set timers")
        self.timers += timers

    def publish(self, events: Sequence[Event]) -> None:
        self.journal.append("publish")
        self.published += events

    def put(self, name: str, body: bytes) -> str:
        self.journal.append("put object")
        self.objects[f"gs://state/{name}"] = body
        return f"gs://state/{name}"

    def get(self, uri: str) -> bytes:
        try:
            return self.objects[uri]
        except KeyError:
            raise NotFound(f"there is no object {uri}") from None

    def own(self, name: str) -> bytes | None:
        return self.objects.get(f"gs://state/{name}")

    def exists(self, uri: str) -> bool:
        return uri in self.objects

    def ages(self, uri: str) -> Ages | None:
        at = self.written.get(uri, 0)
        return Ages(at, at) if uri in self.objects else None

    def list(self, glob: str, limit: int) -> Sequence[Listed]:
        pattern = matching.compile(glob.removeprefix("gs://"))
        there = [uri for uri in sorted(self.objects) if pattern.match(uri.removeprefix("gs://")) is not None]
        return [Listed(uri, self.objects[uri].decode(), 1) for uri in there[:limit]]

    def now(self) -> int:
        return self.time


class JournalledStore(MemoryStore):
    """Fails when told to."""

    def __init__(self, journal: list[str]) -> None:
        super().__init__()
        self.journal = journal
        self.errors: list[Temporary] = []
        self.reads: list[list[Key]] = []

    def read(self, keys: Iterable[Key]) -> dict[Key, Versioned]:
        wanted = list(keys)
        self.reads.append(wanted)
        return super().read(wanted)

    def commit(self, writes: Sequence[Write]) -> dict[Key, int]:
        self.journal.append("commit")
        if self.errors:
            raise self.errors.pop(0)
        return super().commit(writes)

    def first(self, run: str, where: Literal["due", "active", "any"], limit: int) -> list[tuple[str, Node]]:
        self.journal.append(f"first {where} {limit}")
        return super().first(run, where, limit)


class ScriptedService:
    """Answers what `answers` and `states` say, else that all is well."""

    def __init__(self, journal: list[str]) -> None:
        self.journal = journal
        self.requests: list[JobRequest] = []
        self.refs: list[JobRef] = []
        self.cancelled: list[JobRef] = []
        self.answers: dict[str, Submission | Exception] = {}
        self.states: dict[str, Status | Exception] = {}

    def submit(self, request: JobRequest) -> Submission:
        self.journal.append(f"submit {request.node}")
        self.requests.append(request)
        answer = self.answers.get(request.node, Accepted(f"id-{request.node}", rings=not request.again))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def status(self, ref: JobRef) -> Status:
        self.journal.append(f"status {ref.node}")
        self.refs.append(ref)
        answer = self.states.get(ref.node, Status(JobState.SUCCEEDED, ref.job or "", {"of": ref.node}))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cancel(self, ref: JobRef) -> None:
        self.journal.append(f"cancel {ref.node}")
        self.cancelled.append(ref)
