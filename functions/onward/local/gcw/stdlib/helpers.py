"""Expression helpers: conversions, types and conditions."""

from __future__ import annotations

from onward.local.gcw.errors import failure
from onward.local.gcw.values import Value, in_range, to_json, type_name


def double(value: str | int | float) -> Value:
    if isinstance(value, str):
        return float(_numeral(value))
    return float(value)


def int_(value: str | int | float) -> Value:
    return in_range(int(_numeral(value)) if isinstance(value, str) else int(value))


def _numeral(text: str) -> str:
    # Python takes `1_000`, blanks and words such as `nan` for numbers; the language doesn't.
    if not text.isascii() or "_" in text or text != text.strip() or text.lstrip("+-")[:1].isalpha():
        raise ValueError(f"{text!r} is not a number")
    return text


def string(value: Value) -> Value:
    match value:
        case str():
            return value
        case bytes() | list() | dict():
            raise failure("TypeError", f"string() takes no {type_name(value)}: use json.encode_to_string")
        case _:
            return to_json(value)


def keys(map_: dict[str, Value]) -> Value:
    return list(map_)


def len_(value: str | list[Value] | dict[str, Value]) -> Value:
    return len(value)


def default(value: Value, default_value: Value) -> Value:
    return default_value if value is None else value


def if_(condition: bool | None, if_true: Value, if_false: Value) -> Value:
    return if_true if condition else if_false


def get_type(value: Value) -> Value:
    return type_name(value)


FUNCTIONS = {
    "double": double,
    "int": int_,
    "string": string,
    "keys": keys,
    "len": len_,
    "default": default,
    "if": if_,
    "get_type": get_type,
}
BLOCKING: frozenset[str] = frozenset()
