"""YAML → Pipeline, or every problem with file, line, field and hint."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from onward.core.definition.checks import check
from onward.core.definition.grammar import PIPELINE
from onward.core.definition.names import IDENTIFIER, NAME
from onward.core.definition.nodes import Node
from onward.core.definition.parsing import parse
from onward.core.definition.shapes import Text, Whole
from onward.core.pipeline import Pipeline
from onward.core.problems import Finding, Problem, Report, shown


def load(text: str, file: str, files: Collection[str], env: Mapping[str, str]) -> Pipeline:
    """The pipeline that `text` describes, with every rule checked.

    `file` is its name for messages; `files` are the names of the files beside it, relative to its folder;
    `env` are the deployment's values. Raises BadPipeline with all `Problem`s at once.
    """
    report = Report(file, text.count("\n") + 1, files)
    root = parse(text, report)
    if root is None:
        raise report.failure()
    pipeline = check(PIPELINE.read(root, (), report), root, env, report)
    if report.problems:
        raise report.failure()
    return pipeline


def locate(findings: Iterable[Finding], text: str, file: str) -> tuple[Problem, ...]:
    """What was found in a pipeline after its `text` was loaded, each on its line."""
    report = Report(file, text.count("\n") + 1)
    root = parse(text, report)
    for finding in findings:
        line = root.line_at(finding.at) if root else 1
        report.say(line, finding.at, finding.message, finding.hint)
    return report.problems


def load_env(text: str, file: str) -> tuple[dict[str, str], tuple[Problem, ...]]:
    """The values of an `env.yaml`: text by name; and the problems of those that were left out."""
    report = Report(file, text.count("\n") + 1)
    values: dict[str, str] = {}
    for name, node in _mapping(text, "values", report):
        if not re.fullmatch(IDENTIFIER.pattern, name):
            report.say(node.line, (name,), f"{shown(name)} can't be named in a template", IDENTIFIER.hint)
        values[name] = Text().read(node, (name,), report)
    return values, report.problems


def load_pools(text: str, file: str) -> tuple[dict[str, int], tuple[Problem, ...]]:
    """The sizes of a `pools.yaml` by name; and the problems of those that were left out."""
    report = Report(file, text.count("\n") + 1)
    sizes: dict[str, int] = {}
    for name, node in _mapping(text, "sizes", report):
        if not re.fullmatch(NAME.pattern, name):
            report.say(node.line, (name,), f"{shown(name)} is not {NAME.wants}", NAME.hint)
        elif size := Whole(1, 1_000).read(node, (name,), report):
            sizes[name] = size
    return sizes, report.problems


def _mapping(text: str, what: str, report: Report) -> Iterable[tuple[str, Node]]:
    empty = all(line.lstrip().startswith("#") or not line.strip() for line in text.splitlines())
    root = None if empty else parse(text, report)
    if root is None:
        return ()
    if isinstance(root.value, dict):
        return root.value.items()
    report.say(1, (), f"must be a mapping from names to {what}")
    return ()
