"""Typed looks at a source tree. What does not fit becomes a problem, and reading goes on."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from onward.core.problems import Report, listed, shown
from onward.local.gcw import expressions as ex
from onward.local.gcw.definition import Computed, Constant, Template
from onward.local.gcw.source import Node
from onward.local.gcw.templates import computed, template
from onward.local.gcw.tokens import ExpressionError

Names = Collection[str]
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")


@dataclass(frozen=True, slots=True)
class Context:
    """Where a step stands, and what the steps around it allow it."""

    workflow: str
    step: str = ""
    targets: frozenset[str] = frozenset()
    """Steps that `next` may lead to."""
    jumps: frozenset[str] = frozenset({"end"})
    """Those of `end`, `break` and `continue` that `next` may say here."""
    in_parallel: bool = False

    @property
    def path(self) -> tuple[str, ...]:
        return (self.workflow, self.step) if self.step else (self.workflow,)

    def at(self, step: str) -> Context:
        return replace(self, step=step)


@dataclass(slots=True)
class Reader:
    report: Report

    def problem(self, line: int, context: Context, message: str, hint: str = "") -> None:
        self.report.say(line, context.path, message, hint)

    def mapping(self, node: Node, context: Context, what: str) -> dict[str, Node]:
        if isinstance(node.content, dict):
            return node.content
        self.problem(node.line, context, f"{what} must be a map")
        return {}

    def sequence(self, node: Node, context: Context, what: str) -> list[Node]:
        if isinstance(node.content, list):
            if not node.content:
                self.problem(node.line, context, f"{what} must not be empty")
            return node.content
        self.problem(node.line, context, f"{what} must be a list")
        return []

    def single_keys(self, node: Node, context: Context, what: str) -> Iterator[tuple[str, Node, int]]:
        """A list of maps with one key each, as key, value and line."""
        for entry in self.sequence(node, context, f"`{what}`"):
            if isinstance(entry.content, dict) and len(entry.content) == 1:
                [(name, value)] = entry.content.items()
                yield name, value, entry.line
            else:
                self.problem(entry.line, context, f"each item of `{what}` must be a map with one key")

    def keys(
        self, node: Node, context: Context, what: str, allowed: Names, required: Names = ()
    ) -> dict[str, Node]:
        """A map whose keys are all known; a missing one is a problem too."""
        found = self.mapping(node, context, what)
        for key in found:
            if key not in allowed:
                hint = self.report.similar(key, allowed) or f"{what} takes {listed(sorted(allowed))}"
                self.problem(found[key].line, context, f"{shown(key)} is not available here", hint)
        for key in required:
            if key not in found and isinstance(node.content, dict):
                self.problem(node.line, context, f"{what} needs `{key}`")
        return found

    def text(self, node: Node, context: Context, what: str) -> str:
        if isinstance(node.content, str):
            return node.content
        self.problem(node.line, context, f"`{what}` must be a string")
        return ""

    def variable(self, node: Node | None, context: Context, what: str) -> str | None:
        if node is None:
            return None
        if isinstance(node.content, str) and VARIABLE.fullmatch(node.content):
            return node.content
        self.problem(node.line, context, f"`{what}` must name a variable: letters, digits and _")
        return None

    def value(self, node: Node | None, context: Context, default: Template | None = None) -> Template:
        if node is not None:
            try:
                return template(node)
            except ExpressionError as error:
                self.problem(node.line, context, str(error))
        return default or Constant(None)

    def reference(self, node: Node, context: Context, what: str) -> str | None:
        """The function that `${a.b}` names; None, and a problem, for anything else."""
        try:
            source = computed(self.text(node, context, what), node.line)
        except ExpressionError as error:
            self.problem(node.line, context, str(error))
            return None
        name = ex.dotted(source.expression) if isinstance(source, Computed) else None
        if name is None:
            self.problem(node.line, context, f"`{what}` must name a function, as in ${{http.default_retry}}")
        return name
