"""A world that tests hold in their hands: a clock that only sleeping moves, and answers that they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest

from onward.core.errors import BadPipeline
from onward.local.gcw import HttpRequest, HttpResponse, Value, WorkflowError, load, run
from onward.local.gcw.objects import FolderObjects


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


Execute = Callable[..., Value]


@pytest.fixture
def io(tmp_path: Path) -> FakeIo:
    return FakeIo(FolderObjects(tmp_path / "buckets"))


@pytest.fixture
def execute(io: FakeIo) -> Execute:
    """Runs YAML text to its result."""

    def execute(source: str, args: Value = None) -> Value:
        return run(load(dedent(source), "flow.yaml"), args, io)

    return execute


@pytest.fixture
def evaluate(execute: Execute) -> Execute:
    """The value of one expression; keywords are its variables."""

    def evaluate(expression: str, **variables: Value) -> Value:
        quoted = expression.replace("'", "''")
        source = f"main:\n  params: [args]\n  steps:\n    - copy: {{assign: [{{unused: 0}}]}}\n"
        for name in variables:
            source += f"    - set_{name}: {{assign: [{{{name}: '${{args.{name}}}'}}]}}\n"
        return execute(source + f"    - value: {{return: '${{{quoted}}}'}}\n", variables)

    return evaluate


@pytest.fixture
def problems() -> Callable[[str], list[str]]:
    """The problems of YAML text, as text."""

    def problems(source: str) -> list[str]:
        with pytest.raises(BadPipeline) as caught:
            load(dedent(source), "flow.yaml")
        return [str(problem) for problem in caught.value.problems]

    return problems
