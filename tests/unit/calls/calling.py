"""What stands around the calls of python steps: objects in memory, a scripted process, who is told what."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from onward.caller import Caller
from onward.calls.call import Call, Outcome, Returned
from onward.calls.warm import Say
from onward.calls.wire import Results, Task
from onward.core.errors import NotFound, Temporary
from onward.core.naming import job_name

RUN = "0123456789abcdef0123"
JOB = job_name("daily_totals", RUN, 3, 1)


class Objects:
    """Objects that are written once; the next access to one may meet trouble."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.reads = 0
        self.trouble: Temporary | None = None

    def create(self, name: str, body: bytes) -> bool:
        self._meet()
        if name in self.kept:
            return False
        self.kept[name] = body
        return True

    def own(self, name: str) -> bytes | None:
        self._meet()
        self.reads += 1
        return self.kept.get(name)

    def _meet(self) -> None:
        trouble, self.trouble = self.trouble, None
        if trouble is not None:
            raise trouble

    @property
    def results(self) -> dict[str, Any]:
        """The results by job name."""
        found = {name: body for name, body in self.kept.items() if name.endswith(".json")}
        return {name[len("python/") : -len(".json")]: json.loads(body) for name, body in found.items()}


class Calls:
    """A caller whose process does what it is told; also the dead letters."""

    def __init__(self, objects: Objects | None = None) -> None:
        self.objects = objects or Objects()
        self.made: list[tuple[Call, float]] = []
        self.outcome: Callable[[Call], Outcome] = lambda call: Returned(call.id, b"42")
        self.prints: bytes = b""
        self.rings: list[str] = []
        self.ring_trouble: Temporary | None = None
        self.letters: list[tuple[str, str, bytes]] = []
        self.letter_trouble: Temporary | None = None
        self.lines: list[Mapping[str, Any]] = []
        results = Results(self.objects)
        self.caller = Caller(self._folder, self, results, self._ring, self, self.lines.append)

    def make(self, call: Call, seconds: float, say: Say) -> Outcome:
        self.made.append((call, seconds))
        say(self.prints)
        return self.outcome(call)

    def bury(self, door: str, reason: str, data: bytes, attributes: Mapping[str, str]) -> None:
        del attributes
        if self.letter_trouble is not None:
            raise self.letter_trouble
        self.letters.append((door, reason, data))

    def _folder(self, pipeline: str) -> Path:
        if pipeline != "weather":
            raise NotFound(f"no pipeline named `{pipeline}` is deployed")
        return Path("/srv/workflows/weather")

    def _ring(self, job: str) -> None:
        trouble, self.ring_trouble = self.ring_trouble, None
        if trouble is not None:
            raise trouble
        self.rings.append(job)

    def receive(self, body: object, **headers: str) -> int:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.caller.receive({"Content-Type": "application/json", **headers}, sent)

    def deliver(self, **changes: Any) -> int:
        """A delivery of the job's task."""
        return self.receive(task(**changes))

    @property
    def result(self) -> Any:
        return self.objects.results.get(JOB)


def task(**changes: Any) -> dict[str, Any]:
    whole = {
        "job": JOB,
        "run": RUN,
        "step": "daily_totals",
        "attempt": 1,
        "pipeline": "weather",
        "file": "steps.py",
        "function": "totals",
        "args": {"day": "2026-11-22"},
        "seconds": 600,
    }
    assert whole.keys() == set(Task.__struct_fields__)
    return {**whole, **changes}
