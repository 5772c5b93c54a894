"""What a person is told at the end of a run that failed."""

from __future__ import annotations

from typing import Any

import pytest
from onward.cli.places import Places
from onward.cli.render import ending, show

RUN = "0123456789abcdef0123"


def told(capsys: pytest.CaptureFixture[str], **step: Any) -> str:
    one = {
        "name": "each",
        "state": "failed",
        "attempts": 0,
        "job": None,
        "error": "1 of 3 items failed",
        **step,
    }
    run = {"run": RUN, "pipeline": "p", "state": "failed", "started": "2026-11-23T10:00:00.000000Z"}
    show(ending({**run, "ended": "2026-11-23T10:00:01.000000Z", "steps": [one]}, Places()))
    return capsys.readouterr().out


def test_a_list_with_items_that_failed_leads_to_them(capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, items={"count": 3, "succeeded": 2, "failed": 1, "running": 0})
    assert "each failed:" in said
    assert f"onward show {RUN} --step each" in said
    assert "logs" not in said


def test_a_step_that_never_began_has_printed_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, error="its `if` is neither true nor false")
    assert "each could not begin:" in said
    assert "logs" not in said


def test_a_step_that_failed_leads_to_what_it_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert f"onward logs {RUN} each" in told(capsys, attempts=2)
