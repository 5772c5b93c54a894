"""Folders of users' Python files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pool_harness import Files


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    files = Files(tmp_path / "pipeline")
    yield files
    for pipe in files.pipes:
        pipe.close()


@pytest.fixture
def other_files(tmp_path: Path) -> Files:
    return Files(tmp_path / "other" / "pipeline")
