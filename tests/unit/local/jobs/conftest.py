from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs_harness import Line, Runtime, runtime


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "jobs"


@pytest.fixture
def life(root: Path) -> Iterator[Runtime]:
    with runtime(root) as life:
        yield life


@pytest.fixture
def heard(tmp_path: Path) -> Line:
    """What a job says to its test."""
    return Line(tmp_path / "heard")


@pytest.fixture
def gate(tmp_path: Path) -> Line:
    """Where a job waits until its test lets it go on."""
    return Line(tmp_path / "gate")
