"""A world that tests hold in their hands: a clock that only sleeping moves, and answers that they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from onward.local.gcw import HttpRequest, HttpResponse, Value, WorkflowError
from onward.local.gcw.objects import FolderObjects

Execute = Callable[..., Value]


@dataclass
class FakeIo:
    objects: FolderObjects
    clock: float = 1_700_000_000.0
    slept: list[float] = field(default_factory=list)
    logs: list[tuple[str, Value]] = field(default_factory=list)
    requests: list[HttpRequest] = field(default_factory=list)
    answers: list[HttpResponse | WorkflowError] = field(default_factory=list)
    published: list[tuple[str, Value]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock += seconds

    def uuid(self) -> str:
        return "5f0c1f0e-0000-4000-8000-000000000000"

    def env(self, name: str) -> str | None:
        return self.variables.get(name)

    def log(self, severity: str, payload: Value) -> None:
        self.logs.append((severity, payload))

    def http(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, WorkflowError):
            raise answer
        return answer

    def publish(self, topic: str, body: Value) -> Value:
        self.published.append((topic, body))
        return {"messageIds": ["1"]}
