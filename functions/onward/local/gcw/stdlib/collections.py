"""list.*, map.* and math.*: every one returns a new value."""

from __future__ import annotations

import math

from onward.local.gcw.errors import failure
from onward.local.gcw.values import Value, in_range, type_name


def list_concat(objs: list[Value], val: Value) -> Value:
    return [*objs, val]


def list_prepend(objs: list[Value], val: Value) -> Value:
    return [val, *objs]


def map_get(map_: Value, keys: str | list[Value]) -> Value:
    for key in [keys] if isinstance(keys, str) else keys:
        if not isinstance(key, str):
            raise failure("TypeError", f"map.get: a key must be a string, not a {type_name(key)}")
        map_ = map_.get(key) if isinstance(map_, dict) else None
    return map_


def map_delete(map_: dict[str, Value], key: str) -> Value:
    return {name: value for name, value in map_.items() if name != key}


def map_merge(first: dict[str, Value], second: dict[str, Value]) -> Value:
    return {**first, **second}


def map_merge_nested(first: dict[str, Value], second: dict[str, Value]) -> Value:
    merged = dict(first)
    for key, value in second.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = map_merge_nested(old, value) if both else value  # type: ignore[arg-type]
    return merged


def math_abs(x: float) -> Value:
    return in_range(abs(x)) if isinstance(x, int) else abs(x)


def math_floor(x: float) -> Value:
    return in_range(math.floor(x))


def math_max(x: float, y: float) -> Value:
    return max(x, y)


def math_min(x: float, y: float) -> Value:
    return min(x, y)


FUNCTIONS = {
    "list.concat": list_concat,
    "list.prepend": list_prepend,
    "map.get": map_get,
    "map.delete": map_delete,
    "map.merge": map_merge,
    "map.merge_nested": map_merge_nested,
    "math.abs": math_abs,
    "math.floor": math_floor,
    "math.max": math_max,
    "math.min": math_min,
}
BLOCKING: frozenset[str] = frozenset()
