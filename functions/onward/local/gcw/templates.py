"""Data with `${}` in it: source → template, and template → value."""

from __future__ import annotations

from collections.abc import Iterator

from onward.local.gcw.definition import Computed, Constant, Entries, Items, Template
from onward.local.gcw.evaluator import Environment, evaluate
from onward.local.gcw.expressions import Expression, parse
from onward.local.gcw.source import Node
from onward.local.gcw.tokens import ExpressionError
from onward.local.gcw.values import Value

WHOLE_VALUE = 'an expression must be the whole value: join strings inside it, as in ${"gs://" + bucket}'


def template(node: Node) -> Template:
    """The template of a source value. ExpressionError for the first `${}` that does not parse."""
    match node.content:
        case str() as text:
            return computed(text, node.line)
        case list() as items:
            return Items(tuple(template(item) for item in items))
        case dict() as entries:
            return Entries(tuple((key, template(value)) for key, value in entries.items()))
        case scalar:
            return Constant(scalar)


def computed(text: str, line: int) -> Template:
    """A string as a template: an expression when it is one as a whole, else itself."""
    bare = text.strip()
    if bare.startswith("${") and bare.endswith("}"):
        try:
            return Computed(parse(bare[2:-1]), line)
        except ExpressionError as error:
            hint = f"; {WHOLE_VALUE}" if bare.count("${") > 1 else ""
            raise ExpressionError(f"{error}{hint}") from None
    if "${" in bare:
        raise ExpressionError(WHOLE_VALUE)
    return Constant(text)


def render(source: Template, env: Environment) -> Value:
    """The value of a template."""
    match source:
        case Constant(value):
            return value
        case Computed(expression, _):
            return evaluate(expression, env)
        case Items(items):
            return [render(item, env) for item in items]
        case Entries(entries):
            return {key: render(value, env) for key, value in entries}


def expressions(source: Template) -> Iterator[tuple[Expression, int]]:
    """Every expression in a template, with its line."""
    match source:
        case Constant():
            return
        case Computed(expression, line):
            yield expression, line
        case Items(items):
            for item in items:
                yield from expressions(item)
        case Entries(entries):
            for _, value in entries:
                yield from expressions(value)
