"""What a `for` loop goes over."""

from __future__ import annotations

from collections.abc import Sequence

from onward.local.gcw.definition import Each, Range
from onward.local.gcw.errors import failure
from onward.local.gcw.evaluator import Environment
from onward.local.gcw.templates import render
from onward.local.gcw.values import Value, type_name

MAX_ITERATIONS = 100_000
"""An execution has no more steps than that."""


def values(over: Each | Range, env: Environment) -> Sequence[Value]:
    """The values of the loop's variable, in order."""
    match over:
        case Each(items):
            found = render(items, env)
            if not isinstance(found, list):
                raise failure(
                    "TypeError", f"a loop needs a list, not a {type_name(found)} (keys() of a map is one)"
                )
            return found
        case Range(bounds):
            return _range(render(bounds, env))


def _range(bounds: Value) -> Sequence[Value]:
    match bounds:
        case [int() | float() as first, int() | float() as last] if bool not in (type(first), type(last)):
            count = int(last - first) + 1 if last >= first else 0
            return [first + step for step in range(min(count, MAX_ITERATIONS + 1))]
        case _:
            raise failure("TypeError", "`range` is a list of two numbers, the first and the last")
