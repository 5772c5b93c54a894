"""The values of a workflow: JSON, with 64-bit integers apart from doubles, and bytes.

Values are never changed in place; an assignment into a list or map makes a new one, which is what
passing by value means here.
"""

from __future__ import annotations

import json
from typing import TypeAlias, Union

from onward.local.gcw.errors import failure

Value: TypeAlias = Union[bool, int, float, str, bytes, "list[Value]", "dict[str, Value]", None]

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
MAX_VARIABLE_BYTES = 512 * 1024
"""Workflows' limit for all variables of an execution; one variable larger than that can never fit."""


def type_name(value: Value) -> str:  # noqa: PLR0911  (one per type)
    """What `get_type` answers: null, bool, int, double, string, bytes, list or map."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "double"
        case str():
            return "string"
        case bytes():
            return "bytes"
        case list():
            return "list"
        case dict():
            return "map"


def is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def in_range(number: int) -> int:
    """`number`, or a ValueError in the workflow when it does not fit into 64 bits."""
    if not INT_MIN <= number <= INT_MAX:
        raise failure("ValueError", f"{number:.6e} does not fit into a 64-bit integer")
    return number


def equal(left: Value, right: Value) -> bool:
    """`==` of the language: 1 equals 1.0, but true does not equal 1."""
    if is_number(left) and is_number(right):
        return left == right
    if type(left) is not type(right):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return left == right


def size(value: Value) -> int:
    """Bytes of memory as Workflows counts them."""
    match value:
        case str():
            return 8 + len(value.encode(errors="surrogatepass"))
        case bytes():
            return 8 + len(value)
        case list():
            return 8 + sum(map(size, value))
        case dict():
            return 8 + sum(size(key) + size(item) for key, item in value.items())
        case _:
            return 8


def item(container: Value, key: Value) -> Value:
    """`container[key]`, or the documented KeyError, IndexError or TypeError."""
    match container, key:
        case dict(), str():
            if key not in container:
                raise failure("KeyError", f"key not found: {key}")
            return container[key]
        case list(), int() if not isinstance(key, bool):
            if not 0 <= key < len(container):
                raise failure("IndexError", f"index {key} is out of range in a list of {len(container)}")
            return container[key]
        case _:
            raise failure("TypeError", f"a {type_name(container)} cannot be indexed by a {type_name(key)}")


def replaced(container: Value, path: list[Value], value: Value) -> Value:
    """`container` with what `path` leads to replaced by `value`; a map's last key may be new."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(container, dict) and isinstance(key, str) and not rest:
        return {**container, key: value}
    inner = replaced(item(container, key), rest, value)
    if isinstance(container, dict) and isinstance(key, str):
        return {**container, key: inner}
    assert isinstance(container, list)  # `item` has refused everything else
    assert isinstance(key, int)
    return [*container[:key], inner, *container[key + 1 :]]


def to_json(value: Value, indent: str | None = None) -> str:
    """JSON text of a value; bytes, infinities and not-a-number are a ValueError in the workflow."""
    try:
        return json.dumps(
            value,
            ensure_ascii=False,
            allow_nan=False,
            indent=indent,
            separators=(",", ": ") if indent is not None else (",", ":"),
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise failure("ValueError", f"the value cannot be written as JSON: {error}") from error


def from_json(text: str | bytes) -> Value:
    """The value of a JSON text, or a ValueError in the workflow."""
    try:
        value: Value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise failure("ValueError", f"not JSON: {error}") from error
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not part of JSON")
