"""Definitions run over a fake world."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from fake_world import Execute, FakeIo
from onward.core.errors import BadPipeline
from onward.local.gcw import Value, load, run
from onward.local.gcw.objects import FolderObjects


@pytest.fixture
def io(tmp_path: Path) -> FakeIo:
    return FakeIo(FolderObjects(tmp_path / "buckets"))


@pytest.fixture
def execute(io: FakeIo) -> Execute:
    """Runs YAML text to its result."""

    def execute(source: str, args: Value = None) -> Value:
        return run(load(dedent(source), "flow.yaml"), args, io)

    return execute


@pytest.fixture
def evaluate(execute: Execute) -> Execute:
    """The value of one expression; keywords are its variables."""

    def evaluate(expression: str, **variables: Value) -> Value:
        quoted = expression.replace("'", "''")
        source = "main:\n  params: [args]\n  steps:\n    - copy: {assign: [{unused: 0}]}\n"
        for name in variables:
            source += f"    - set_{name}: {{assign: [{{{name}: '${{args.{name}}}'}}]}}\n"
        return execute(source + f"    - value: {{return: '${{{quoted}}}'}}\n", variables)

    return evaluate


@pytest.fixture
def problems() -> Callable[[str], list[str]]:
    """The problems of YAML text, as text."""

    def problems(source: str) -> list[str]:
        with pytest.raises(BadPipeline) as caught:
            load(dedent(source), "flow.yaml")
        return [str(problem) for problem in caught.value.problems]

    return problems
