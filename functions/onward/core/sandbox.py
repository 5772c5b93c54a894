"""The Jinja2 environment of templates: an expression language that can't escape, wait or grow.

A template is text with `{{ expressions }}`, `{% if %}` and one level of `{% for %}`. Nothing in it is
random or reads a clock, so that rendering twice gives the same. Methods, filters and operators that could
make something huge out of something small are left out or bounded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from jinja2 import ChainableUndefined, StrictUndefined, Template, nodes
from jinja2.environment import TemplateExpression
from jinja2.exceptions import SecurityError, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from onward.core.errors import BadTemplate
from onward.core.problems import did_you_mean

MAX_TEMPLATE = 64 * 1024
MAX_OUTPUT = 1024 * 1024
MAX_RANGE = 1_000
MAX_BITS = 4_096
MAX_WIDTH = re.compile(r"[0-9]{4}|\*")

STATEMENTS = (nodes.Output, nodes.TemplateData, nodes.If, nodes.For)
FILTERS = """
    abs capitalize count d default dictsort first float int items join last length list lower map max min
    reject rejectattr reverse select selectattr sort string sum title trim unique upper urlencode
"""
METHODS: dict[type, str] = {
    str: """
        capitalize count endswith find isalnum isalpha isdigit lower lstrip partition removeprefix
        removesuffix replace rfind rpartition rsplit rstrip split startswith strip title upper
    """,
    datetime: "astimezone date isoformat isoweekday replace strftime time timestamp weekday",
    date: "isocalendar isoformat isoweekday replace strftime weekday",
    timedelta: "total_seconds",
    dict: "get items keys values",
    list: "count index",
}


class Missing(ChainableUndefined, StrictUndefined):
    """What is not there: an error wherever it is used, but `x.y.z | default(0)` may look for it."""

    __slots__ = ()


class Sandbox(ImmutableSandboxedEnvironment):
    """Attributes and calls by whitelist; keys of a mapping before its methods."""

    intercepted_binops = frozenset(["*", "**", "%"])

    def getattr(self, obj: Any, attribute: str) -> Any:
        # A step's output may well have a field named `items` or `values`.
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def is_safe_callable(self, obj: Any) -> bool:
        if obj is timedelta or obj is bounded_range:
            return True
        owner = getattr(obj, "__self__", None)
        for kind, names in METHODS.items():
            if isinstance(owner, kind):
                return getattr(obj, "__name__", "") in names.split()
        return False

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - Jinja's own names
        if getattr(__obj, "__name__", "") == "replace" and isinstance(__obj.__self__, str):
            return replace(__obj.__self__, *args, **kwargs)
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        match operator, left, right:
            case "%", str(), _:
                return percent(left, right)
            case ("*", str() | list() | tuple(), _) | ("*", _, str() | list() | tuple()):
                raise SecurityError("text and lists can't be multiplied")
            case "**", int(), int() if left.bit_length() * right > MAX_BITS:
                raise SecurityError("the power is too large")
        return super().call_binop(context, operator, left, right)


def _bounded(size: int) -> None:
    if size > MAX_OUTPUT:
        raise SecurityError("the result would be larger than 1 MiB")


def bounded_range(*args: int) -> list[int]:
    numbers = range(*args)
    if len(numbers) > MAX_RANGE:
        raise SecurityError(f"range() gives at most {MAX_RANGE:,} numbers")
    return list(numbers)


def replace(text: str, old: str, new: str, count: int = -1) -> str:
    text, old, new = str(text), str(old), str(new)
    _bounded((text.count(old) + 1) * len(new) + len(text))
    return text.replace(old, new, count)


def percent(template: str, *values: Any) -> str:
    """`"%02d" % 7`"""
    if MAX_WIDTH.search(template):
        raise SecurityError("a field of a format is at most 999 wide")
    return str(template % (values[0] if len(values) == 1 else values))


def round_to(number: float, digits: int = 0) -> float:
    return round(number, digits)


def to_json(value: Any) -> str:
    return json.dumps(value, default=str)


@lru_cache(1)
def environment() -> Sandbox:
    made = Sandbox(undefined=Missing, keep_trailing_newline=True, autoescape=False, cache_size=0)
    made.filters = {name: made.filters[name] for name in FILTERS.split()} | {
        "format": percent,
        "replace": replace,
        "round": round_to,
        "tojson": to_json,
    }
    made.globals = {"range": bounded_range, "timedelta": timedelta}
    return made


def parse(text: str) -> nodes.Template:
    """The template's tree; raises BadTemplate, whose message begins with the line if there are several."""
    if len(text) > MAX_TEMPLATE:
        raise BadTemplate(f"the template is longer than {MAX_TEMPLATE:,} characters")
    try:
        tree = environment().parse(text)
        _restrict(tree)
    except TemplateError as error:
        line = getattr(error, "lineno", 1)
        raise BadTemplate(f"line {line}: {error.message}" if "\n" in text else str(error.message)) from None
    except RecursionError:
        raise BadTemplate("the template is nested too deeply") from None
    return tree


def _restrict(tree: nodes.Template) -> None:
    """Only the statements, filters and tests we have, whichever branch they are in."""
    known = environment()
    for node in tree.find_all(nodes.Node):
        match node:
            case nodes.Filter(name=name) if name not in known.filters:
                raise _refused(f"no filter is named `{name}`", did_you_mean(name, known.filters), node)
            case nodes.Test(name=name) if name not in known.tests:
                raise _refused(f"no test is named `{name}`", did_you_mean(name, known.tests), node)
            case nodes.For() if node.recursive or node.find(nodes.For):
                raise _refused("loops can't be nested", "", node)
            case nodes.Stmt() if not isinstance(node, STATEMENTS):
                statement = type(node).__name__.lower()
                raise _refused(
                    f"`{statement}` is not available in templates", "use expressions, if and for", node
                )


def _refused(message: str, hint: str, node: nodes.Node) -> TemplateSyntaxError:
    return TemplateSyntaxError("; ".join(filter(None, [message, hint])), node.lineno)


def expression(tree: nodes.Template) -> nodes.Expr | None:
    """The template's expression, when it is exactly one and nothing around it."""
    match tree.body:
        case [nodes.Output(nodes=[only])] if not isinstance(only, nodes.TemplateData):
            return only
    return None


def compile(text: str) -> Callable[[Mapping[str, Any]], Any]:  # noqa: A001
    """What renders the template: to the value of its only expression, or to text."""
    tree = parse(text)
    try:
        if only := expression(tree):
            tree = nodes.Template([nodes.Assign(nodes.Name("result", "store"), only, lineno=1)], lineno=1)
            tree.set_environment(environment())
            return TemplateExpression(environment().from_string(tree), undefined_to_none=False)
        return partial(_text, environment().from_string(tree))
    except (TemplateError, SyntaxError, RecursionError, MemoryError) as error:
        raise BadTemplate(f"the template can't be compiled: {error}") from None


def rendered(node: nodes.Expr, context: Mapping[str, Any]) -> str:
    """The text of one expression of a template. Raises whatever an operator or a method can."""
    tree = nodes.Template([nodes.Output([node], lineno=1)], lineno=1)
    tree.set_environment(environment())
    return _text(environment().from_string(tree), context)


def _text(template: Template, context: Mapping[str, Any]) -> str:
    parts, size = [], 0
    for part in template.generate(context):
        parts.append(part)
        size += len(part)
        _bounded(size)
    return "".join(parts)
