"""What a job's file can import."""

from __future__ import annotations

import pytest
from onward.artifacts import modules

FILES = dict.fromkeys(
    [
        "totals.py",
        "helpers.py",
        "a.sql",
        "pipeline.yaml",
        "beam/clean.py",
        "beam/shapes.py",
        "beam/x/deep.py",
    ],
    "",
)


@pytest.mark.parametrize(
    ("main", "found"),
    [("totals.py", ["helpers.py"]), ("beam/clean.py", ["beam/shapes.py"]), ("beam/x/deep.py", [])],
)
def test_a_file_imports_the_python_files_beside_it_and_not_itself(main: str, found: list[str]) -> None:
    assert modules(FILES, main) == found
