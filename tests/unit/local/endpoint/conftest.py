import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from endpoint_harness import ORDERS, PIPELINE, WAIT, WAITING, Served


@pytest.fixture
def workflows(tmp_path: Path) -> Path:
    folder = tmp_path / "workflows"
    for name, text, file, code in (
        ("echo", PIPELINE, "say.py", "def say(word):\n    return word\n"),
        ("orders", ORDERS, "say.py", "def say(word):\n    return word\n"),
        ("waiting", WAITING, "wait.py", WAIT),
    ):
        (folder / name).mkdir(parents=True)
        (folder / name / "pipeline.yaml").write_text(text)
        (folder / name / file).write_text(code)
    return folder


@pytest.fixture
def served(workflows: Path, tmp_path: Path) -> Iterator[Served]:
    opened = Served(workflows, tmp_path / "state")
    yield opened
    opened.close()


@pytest.fixture
def gate(tmp_path: Path) -> Callable[[str], Path]:
    """Makes FIFOs: a step that reads one waits until the test writes to it."""

    def make(name: str) -> Path:
        os.mkfifo(tmp_path / name)
        return tmp_path / name

    return make
