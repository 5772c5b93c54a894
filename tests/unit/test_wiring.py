"""What the wiring itself does: the log."""

from __future__ import annotations

import io
import json
import sys

import pytest
from onward.wiring import log


class Recorder(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return super().write(text)


def test_a_line_of_the_log_is_written_at_once_so_that_requests_at_the_same_time_do_not_mix_theirs(
    monkeypatch: pytest.MonkeyPatch,
):
    output = Recorder()
    monkeypatch.setattr(sys, "stdout", output)
    log({"severity": "ERROR", "message": "two\nlines"})
    (line,) = output.writes
    assert line.endswith("\n")
    assert json.loads(line) == {"severity": "ERROR", "message": "two\nlines"}
