"""`kill -9` of the runtime at every step of a set's filling: nothing is lost, and nothing starts twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.filling import PIPELINES


@pytest.mark.parametrize("kind", PIPELINES)
def test_a_set_survives_a_kill_at_every_step_of_its_filling(kind: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "e2e.filling", str(tmp_path), kind],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    points = int(done.stdout.split()[0])
    assert points > 8, "it was killed at hardly any point"
