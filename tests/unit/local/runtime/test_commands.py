"""What is refused before a job of this machine begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from onward.core.errors import Refused
from onward.core.pipeline import Step, Workflow
from onward.local.buckets import Buckets
from onward.local.commands import Commands
from onward.ports import JobRequest


def request(size: int) -> JobRequest:
    step = Step("tell", Workflow("tell.yaml", {"text": "x" * size}))
    return JobRequest("job", "run", "tell", 1, "p", "plan", step, 0)


def test_an_argument_that_cloud_workflows_would_not_take_is_not_taken_here(tmp_path: Path) -> None:
    commands = Commands(Buckets(tmp_path / "buckets"))
    commands.build(request(32_757), tmp_path, tmp_path / "small")
    with pytest.raises(Refused, match="32,769 bytes of JSON, and Cloud Workflows takes 32,768"):
        commands.build(request(32_758), tmp_path, tmp_path / "large")
    assert not (tmp_path / "large").exists()
