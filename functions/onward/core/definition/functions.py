"""What Python files define, without running them, and whether it is what the steps call."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Set

from onward.core.errors import BadPipeline
from onward.core.pipeline import Pipeline, Python
from onward.core.problems import Finding, Problem, did_you_mean, shown

EVERYTHING = "*"
"""Among the names: `from ... import *`, so that any name may be there."""


def defined(text: str, file: str) -> frozenset[str]:
    """The names that the file gives to something, outside of functions and classes.

    `file` is its name for messages. Raises BadPipeline when it is not Python.
    """
    try:
        tree = ast.parse(text.removeprefix("\ufeff"), file)
    except SyntaxError as error:
        raise _not_python(file, error.lineno, error.msg) from None
    except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes, or nested too deeply
        raise _not_python(file, 1, str(error) or "it is nested too deeply") from None
    names: set[str] = set()
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        match waiting.pop():
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.alias(name=name, asname=renamed):
                names.add(renamed or name.partition(".")[0])
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                pass  # what they name is theirs
            case node:
                waiting.extend(ast.iter_child_nodes(node))
    return frozenset(names)


def check_calls(pipeline: Pipeline, names: Mapping[str, Set[str]]) -> list[Finding]:
    """The calls of what is not there. `names`: what each file defines; calls of other files are left out."""
    findings = []
    for step in pipeline.with_handlers:
        match step.does:
            case Python(file=file, function=function) if file in names:
                if not names[file] & {function, EVERYTHING}:
                    message = f"{shown(file)} defines no {shown(function)}"
                    hint = did_you_mean(function, names[file])
                    findings.append(Finding((*step.place, "python", "call"), message, hint))
            case _:
                pass
    return findings


def _not_python(file: str, line: int | None, reason: str) -> BadPipeline:
    return BadPipeline((Problem(file, line or 1, "", f"not Python: {reason}"),))
