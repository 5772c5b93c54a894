"""Typed parameters: from text or JSON to values that JSON can hold.

Dates are kept as ISO text, and become date objects for templates (`{{ date.year }}`, while `{{ date }}`
prints ISO).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from onward.core.errors import BadParameter
from onward.core.pipeline import MAX_INT, Param
from onward.core.problems import did_you_mean, listed, shown, spelled

MAX_SIZE = 32 * 1024
MAX_DIGITS = 20

INT = re.compile(r"[-+]?[0-9]+")
DATE = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
DATETIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?([Zz]|[-+]..:..)?"
)


class Moment(datetime):
    """A point in time that prints as it is written: ISO 8601 with a `T`."""

    def __str__(self) -> str:
        return self.isoformat()


def bind(params: tuple[Param, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """The run's parameters, one value for each of `params`, as JSON can hold them.

    `given` holds text (from a command line or an object's name) or JSON values. Raises BadParameter that
    names everything that is wrong.
    """
    known = {param.name: param for param in params}
    bound: dict[str, Any] = {}
    problems: list[str] = []
    for name in given.keys() - known.keys():
        hint = did_you_mean(name, known) or (f"there are {listed(known)}" if known else "there are none")
        problems.append(f"no parameter is named {shown(name)}; {hint}")
    for name, param in known.items():
        if name not in given:
            bound[name] = param.default
            if param.required:
                problems.append(f"the parameter `{name}` ({param.type}) is missing")
            continue
        try:
            bound[name] = parse(param.type, given[name])
        except ValueError as error:
            problems.append(f"the parameter `{name}` {error}")
    if not problems and (size := len(json.dumps(bound))) > MAX_SIZE:
        problems.append(
            f"the parameters are {size:,} bytes of JSON together; at most {MAX_SIZE:,} are allowed"
        )
    if problems:
        raise BadParameter("\n".join(sorted(problems)))
    return bound


def objects(params: Iterable[Param], bound: Mapping[str, Any]) -> dict[str, Any]:
    """The bound values as templates see them: dates and times as objects."""
    return {param.name: _object(param.type, bound.get(param.name)) for param in params}


def _object(type_: str, value: Any) -> Any:
    match type_, value:
        case "date", str():
            return date.fromisoformat(value)
        case "datetime", str():
            return Moment.fromisoformat(value)
        case _:
            return value


def parse(type_: str, value: Any) -> Any:
    """A value of that type, as JSON holds it. ValueError completes the sentence "the parameter ..."."""
    if isinstance(value, str):
        _encodable(value)
    match type_, value:
        case ("string", str()) | ("bool", bool()):
            return value
        case "int", str() if INT.fullmatch(value.strip()) and len(value.strip()) <= MAX_DIGITS:
            parsed: Any = _small(int(value))
        case "int", int() if not isinstance(value, bool):
            parsed = _small(value)
        case "float", str() | int() | float() if not isinstance(value, bool):
            parsed = _float(value)
        case "bool", str() if value.strip().lower() in ("true", "false"):
            parsed = value.strip().lower() == "true"
        case "date", str():
            parsed = _date(value.strip())
        case "datetime", str():
            parsed = _datetime(value.strip())
        case "list", str():
            parsed = _list(value.strip())
        case "list", list() | tuple():
            parsed = [_item(item) for item in value]
        case _:
            raise _wrong(type_, value)
    return parsed


WANTS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "date": "a date such as 2026-11-22",
    "datetime": "a time such as 2026-11-22T06:30:00Z",
    "list": "a list such as a,b,c or a JSON array",
}


def _wrong(type_: str, value: Any) -> ValueError:
    return ValueError(f"must be {WANTS[type_]}, not {spelled(value)}")


def _encodable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"is not valid Unicode: {shown(text)}") from None


def _small(number: int) -> int:
    if abs(number) > MAX_INT:
        raise ValueError("is larger than 64 bits")
    return number


def _float(value: str | float) -> float:
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise _wrong("float", value) from None
    if not math.isfinite(number) or (isinstance(value, str) and "_" in value):
        raise _wrong("float", value)
    return number


def _date(text: str) -> str:
    """`2026-11-22`, or `20261122` as many file names have it."""
    if (found := DATE.fullmatch(text)) and len(text) != len("2026-1122"):
        try:
            return date(*map(int, found.groups())).isoformat()
        except ValueError:
            pass
    raise _wrong("date", text)


def _datetime(text: str) -> str:
    """RFC 3339. Without an offset it is UTC."""
    try:
        if DATETIME.fullmatch(text):
            moment = datetime.fromisoformat(text.upper())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
    except ValueError:
        pass
    raise _wrong("datetime", text)


def _list(text: str) -> list[Any]:
    if not text.startswith("["):
        return [item.strip() for item in text.split(",")] if text else []
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        raise _wrong("list", text) from None
    return [_item(item) for item in items]


def _item(value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case str():
            _encodable(value)
            return value
        case int():
            return _small(value)
        case float() if math.isfinite(value):
            return value
        case _:
            raise ValueError(f"must be a list of single values; {spelled(value)} is none")
