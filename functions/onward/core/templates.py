"""Rendering `{{ }}`: strict, sandboxed, over nested JSON values.

A text that is exactly one `{{ expression }}` keeps the expression's own type, so that numbers and lists pass
through as they are; anything else around it makes it text. What a template may name:

    date, params.date                            parameters, bare or under `params`
    env.landing                                  the deployment's values
    trigger.uri|bucket|name|generation|size      what started the run, and the captured names
    run.id|pipeline|started|try                  the run
    step.name|attempt                            the step and its attempt
    steps.clean.output|outputs                   the result of an earlier step
"""

from __future__ import annotations

import re
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from datetime import date
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from onward.core.errors import BadTemplate
from onward.core.pipeline import MAX_INT
from onward.core.problems import did_you_mean, listed, shown

if TYPE_CHECKING:
    from jinja2 import nodes

MAX_DEPTH = 64
MAX_TEXT = 1024 * 1024

Render = Callable[[Mapping[str, Any]], Any]


def texts(value: Any) -> Iterator[str]:
    """Every text in it."""
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from texts(item)
        case list() | tuple():
            for item in value:
                yield from texts(item)


def is_template(text: str) -> bool:
    return "{{" in text or "{%" in text


def render(value: Any, context: Mapping[str, Any]) -> Any:
    """`value` with every template in it rendered; keys stay as they are. Raises BadTemplate."""
    match value:
        case str():
            return _render(value, context) if is_template(value) else value
        case dict():
            return {key: render(item, context) for key, item in value.items()}
        case list() | tuple():
            return [render(item, context) for item in value]
        case _:
            return value


def render_text(template: str, context: Mapping[str, Any]) -> str:
    """Like `render`, for what must be text. Raises BadTemplate."""
    match render(template, context):
        case str() as text:
            return text
        case bool() as flag:
            return str(flag).lower()
        case int() | float() as number:
            return str(number)
        case other:
            raise BadTemplate(f"{shown(template)} must give text, not {type(other).__name__}")


@lru_cache(4096)
def compiled(template: str) -> Render:
    from onward.core import sandbox  # Jinja costs 40 ms to import

    return sandbox.compile(template)


def place(error: BadTemplate) -> tuple[int, str]:
    """The line within the template that an error is about, and its message."""
    found = re.match(r"line (\d+): ", str(error))
    return (int(found[1]), str(error)[found.end() :]) if found else (1, str(error))


def _render(template: str, context: Mapping[str, Any]) -> Any:
    from jinja2.exceptions import UndefinedError

    try:
        return _json(compiled(template)(context))
    except BadTemplate:
        raise
    except UndefinedError as error:
        reason = missing(template, context) or str(error)
    except RecursionError:
        reason = "its value is nested too deeply"
    except Exception as error:  # an expression may fail in any way an operator or a method can
        reason = str(error) or type(error).__name__
    raise BadTemplate(f"{shown(template)} can't be rendered: {reason}")


def _json(value: Any, depth: int = 0) -> Any:
    """The value as JSON holds it; raises BadTemplate if JSON can't."""
    from jinja2 import Undefined

    if depth > MAX_DEPTH:
        raise RecursionError
    match value:
        case Undefined():
            str(value)  # raises, with the name
        case None | bool() | int() | float() if _fits(value):
            return value
        case str() if len(value) > MAX_TEXT:
            raise ValueError("the result is larger than 1 MiB")
        case str():
            return str(value)
        case date():
            return value.isoformat()
        case Mapping():
            return {str(key): _json(item, depth + 1) for key, item in value.items()}
        case list() | tuple() | Iterator() | KeysView() | ValuesView() | ItemsView():
            return [_json(item, depth + 1) for item in value]
    raise ValueError(f"JSON can't hold a {type(value).__name__}")


def _fits(value: float | None) -> bool:
    """Every reader of JSON takes it."""
    return value is None or (isfinite(value) if isinstance(value, float) else abs(value) <= MAX_INT)


def missing(template: str, context: Mapping[str, Any]) -> str:
    """Which name of the template is not there, and what is."""
    for name in sorted(names(template)):
        found: Any = context
        walked: list[str] = []
        for part in name.split("."):
            if not isinstance(found, Mapping):
                break
            if part not in found:
                place = f" in `{'.'.join(walked)}`" if walked else ""
                hint = did_you_mean(part, map(str, found)) or (
                    f"there are {listed(sorted(found))}" if found else ""
                )
                return f"there is no {shown(part)}{place}" + (f"; {hint}" if hint else "")
            found = found[part]
            walked.append(part)
    return ""


def outline(template: str, env: Mapping[str, str], known: Mapping[str, str], unknown: str) -> str:
    """What the text will be, as far as one can say before there is a run.

    What names only `env` is rendered, an expression that is one of the names in `known` is replaced, and
    `unknown` stands for every other expression or statement. Raises BadTemplate when it does not parse.
    """
    if not is_template(template):
        return template
    from jinja2 import nodes

    from onward.core import sandbox

    pieces: list[str] = []
    for statement in sandbox.parse(template).body:
        for node in statement.nodes if isinstance(statement, nodes.Output) else [statement]:
            match node:
                case nodes.TemplateData(data=text):
                    pieces.append(text)
                case nodes.Expr() if all(path.startswith("env.") for path in _paths(node)):
                    try:
                        pieces.append(sandbox.rendered(node, {"env": env}))
                    except Exception:  # as in _render; the run will say it
                        pieces.append(unknown)
                case _:
                    pieces.append(known.get(_dotted(node), unknown))
    return "".join(pieces)


@lru_cache(4096)
def names(template: str) -> frozenset[str]:
    """The dotted paths that the template reads, such as `env.landing` or `steps.clean.output`.

    Raises BadTemplate when it does not parse.
    """
    if not is_template(template):
        return frozenset()
    from jinja2 import meta

    from onward.core import sandbox

    tree = sandbox.parse(template)
    free = meta.find_undeclared_variables(tree) - sandbox.environment().globals.keys()
    return frozenset(path for path in _paths(tree) if path.partition(".")[0] in free)


def _paths(node: nodes.Node) -> Iterator[str]:
    from jinja2 import nodes

    match node:
        case nodes.Call(node=nodes.Getattr(node=owner)):
            # A method is no part of the path.
            yield from _paths(owner)
            for argument in node.iter_child_nodes(exclude=["node"]):
                yield from _paths(argument)
        case nodes.Name() | nodes.Getattr() | nodes.Getitem() if path := _dotted(node):
            yield path
        case _:
            for child in node.iter_child_nodes():
                yield from _paths(child)


def _dotted(node: nodes.Node) -> str:
    """`a.b["c"]` as `a.b.c`; empty when it is computed."""
    from jinja2 import nodes

    match node:
        case nodes.Name(name=name, ctx="load"):
            return str(name)
        case (
            nodes.Getattr(node=owner, attr=part)
            | nodes.Getitem(node=owner, arg=nodes.Const(value=str() as part))
        ):
            before = _dotted(owner)
            return f"{before}.{part}" if before else ""
        case _:
            return ""
