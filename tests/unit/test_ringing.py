"""A PySpark main runs as it would alone, and a bell is rung at its end, whatever that is."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from onward import ringing

MAIN = """
import sys
from helper import answer

def shout(text):
    return text.upper()

if __name__ == "__main__":
    print(shout(answer), sys.argv[1:], __file__.endswith("totals.py"), shout.__module__)
    sys.exit(int(sys.argv[1]))
"""
TOPIC, JOB = "projects/p/topics/onward-completions", "totals-0123456789abcdef0123-1-3-1"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """What Spark puts on the path of the driver."""
    (tmp_path / "totals.py").write_text(MAIN)
    (tmp_path / "helper.py").write_text('answer = "ended"')
    (tmp_path / "broken.py").write_text("raise ValueError('no such day')")
    return tmp_path


def run(files: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environ = {"PYTHONPATH": str(files), "http_proxy": "http://127.0.0.1:9"}
    return subprocess.run(
        [sys.executable, ringing.__file__, TOPIC, JOB, *args],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("code", [0, 3])
def test_a_main_sees_its_own_arguments_is_main_and_ends_the_process_as_it_would_alone(files: Path, code: int):
    done = run(files, "totals.py", str(code), "--day", "x")
    assert done.stdout == f"ENDED ['{code}', '--day', 'x'] True __main__\n"
    assert done.returncode == code


def test_a_bell_that_can_not_be_rung_is_said_and_harms_nobody(files: Path):
    done = run(files, "totals.py", "0")
    assert done.returncode == 0
    assert f"no bell was rung for {JOB}: " in done.stderr


def test_what_a_main_raises_is_raised(files: Path):
    done = run(files, "broken.py")
    assert done.returncode == 1
    assert "ValueError: no such day" in done.stderr


def test_the_bell_is_a_message_that_names_the_job_with_the_drivers_own_credentials(
    files: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[Any] = []

    def urlopen(request: urllib.request.Request, timeout: float) -> BytesIO:
        asked.append((request.full_url, dict(request.header_items()), request.data, timeout))
        return BytesIO(json.dumps({"access_token": "secret"}).encode())

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    monkeypatch.setattr(sys, "path", [*sys.path, str(files)])
    monkeypatch.setattr(sys, "argv", [])
    with pytest.raises(ValueError, match="no such day"):
        ringing.run(TOPIC, JOB, "broken.py", [])
    (metadata, rung) = asked
    assert metadata[1] == {"Metadata-flavor": "Google"}
    assert rung[0] == f"https://pubsub.googleapis.com/v1/{TOPIC}:publish"
    assert rung[1]["Authorization"] == "Bearer secret"
    assert json.loads(rung[2]) == {"messages": [{"attributes": {"onward-job": JOB}}]}
    assert metadata[3] == rung[3] == ringing.SECONDS
