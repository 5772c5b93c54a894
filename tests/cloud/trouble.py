"""What tests of bad input share: one line of the log, an entry about a job, and time that passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cloud.deployment import Lines
from onward import wiring
from onward.ingress.envelope import Request
from unit.ingress.envelopes import payload, push, request

DONE = "dataproc_create_batch_last_succeeded.logentry"


def told(lines: Lines) -> tuple[Any, ...]:
    """The one line's severity, outcome, run and step."""
    (line,) = lines()
    return tuple(line.get(name) for name in ("severity", "outcome", "run", "step"))


def entry(job: str, project: str = "p", **members: Any) -> Request:
    """A log entry that says that this batch is done."""
    found = payload(DONE) | members
    found["protoPayload"]["resourceName"] = f"projects/{project}/locations/europe-west1/batches/{job}"
    return request(push(found))


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let that many microseconds pass at once."""
    real, passed = wiring.SystemClock.now, 0
    monkeypatch.setattr(wiring.SystemClock, "now", lambda clock: real(clock) + passed)

    def more(time: int) -> None:
        nonlocal passed
        passed += time

    return more
