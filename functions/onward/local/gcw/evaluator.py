"""The expression language: tree → value, over variables and functions that the caller provides."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Protocol

from onward.local.gcw import expressions as ex
from onward.local.gcw.errors import WorkflowError, failure
from onward.local.gcw.values import Value, equal, in_range, is_number, item, type_name


class Environment(Protocol):
    """What an expression may use."""

    def lookup(self, name: str) -> Value:
        """The variable's value, or a KeyError in the workflow."""

    def call(self, function: str, arguments: list[Value]) -> Value:
        """The result of a function or sub-workflow."""


def evaluate(expression: ex.Expression, env: Environment) -> Value:  # noqa: PLR0911  (one per kind of node)
    """The value of `expression`. WorkflowError carries the documented tags."""
    match expression:
        case ex.Literal(value):
            return value
        case ex.Name(name):
            return env.lookup(name)
        case ex.Member(base, key):
            return item(evaluate(base, env), key)
        case ex.Index(base, index):
            return item(evaluate(base, env), evaluate(index, env))
        case ex.Call(function, arguments):
            return env.call(function, [evaluate(argument, env) for argument in arguments])
        case ex.ListOf(items):
            return [evaluate(element, env) for element in items]
        case ex.Unary("not", operand):
            return not _boolean("not", evaluate(operand, env))
        case ex.Unary(_, operand):
            return _negated(evaluate(operand, env))
        case ex.Binary("and", left, right):
            return _boolean("and", evaluate(left, env)) and _boolean("and", evaluate(right, env))
        case ex.Binary("or", left, right):
            return _boolean("or", evaluate(left, env)) or _boolean("or", evaluate(right, env))
        case ex.Binary(symbol, left, right):
            return _binary(symbol, evaluate(left, env), evaluate(right, env))


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _binary(symbol: str, left: Value, right: Value) -> Value:
    match symbol:
        case "==":
            return equal(left, right)
        case "!=":
            return not equal(left, right)
        case "in":
            return _contains(left, right)
        case "<" | "<=" | ">" | ">=":
            if (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str)):
                return _ORDER[symbol](left, right)
            raise _mismatch(symbol, left, right)
        case _:
            return _arithmetic(symbol, left, right)


def _arithmetic(symbol: str, left: Value, right: Value) -> Value:
    if symbol == "+" and isinstance(left, str) and isinstance(right, str):
        return left + right
    if not (isinstance(left, int | float) and isinstance(right, int | float)):
        raise _mismatch(symbol, left, right)
    if isinstance(left, bool) or isinstance(right, bool):
        raise _mismatch(symbol, left, right)
    try:
        result = _ARITHMETIC[symbol](left, right)
    except ZeroDivisionError:
        raise failure("ZeroDivisionError", "division or modulo by zero") from None
    except OverflowError:
        raise failure("ValueError", f"the result of `{symbol}` is too large") from None
    return in_range(result) if isinstance(result, int) else result


def _contains(needle: Value, haystack: Value) -> bool:
    match haystack:
        case list():
            return any(equal(needle, element) for element in haystack)
        case dict():
            return isinstance(needle, str) and needle in haystack
        case _:
            raise failure("TypeError", f"`in` looks into a list or a map, not a {type_name(haystack)}")


def _negated(value: Value) -> Value:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise failure("TypeError", f"`-` needs a number, not a {type_name(value)}")
    return in_range(-value) if isinstance(value, int) else -value


def _boolean(symbol: str, value: Value) -> bool:
    if not isinstance(value, bool):
        raise failure("TypeError", f"`{symbol}` needs a bool, not a {type_name(value)}")
    return value


def _mismatch(symbol: str, left: Value, right: Value) -> WorkflowError:
    hint = ": convert with string()" if symbol == "+" and str in (type(left), type(right)) else ""
    return failure("TypeError", f"`{symbol}` cannot join a {type_name(left)} and a {type_name(right)}{hint}")
