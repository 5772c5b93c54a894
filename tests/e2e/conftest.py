from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from e2e.cli_harness import PIPELINES, Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    for name, (pipeline, code) in PIPELINES.items():
        folder = tmp_path / "workflows" / name
        folder.mkdir(parents=True)
        (folder / "pipeline.yaml").write_text(dedent(pipeline))
        (folder / "code.py").write_text(dedent(code))
    opened = Project(tmp_path)
    yield opened
    opened.close()
