"""What a step hands over: small JSON in the state, larger JSON as an object, nothing that can't be read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from onward.core.errors import UserError
from onward.core.events import JobState
from onward.core.templates import MAX_DEPTH
from onward.ports import Objects, Status

LARGEST_INLINE = 32 * 1024
"""Bytes of JSON that a node's document holds; a larger output is written to an object."""
LARGEST = 10_000_000
"""Bytes of JSON that an output may have: each step that names it reads all of it."""

_DEEP = f"its output is nested deeper than {MAX_DEPTH} levels"


def kept(output: Any, name: str, objects: Objects) -> tuple[Any, str | None]:
    """The output as the state holds it: its value, or the URI of the object `name` that now has it.

    Raises `UserError` for one that is too large, or nested too deeply.
    """
    if _too_deep(output):
        raise UserError(_DEEP)
    body = msgspec.json.encode(output)
    if len(body) > LARGEST:
        raise UserError(
            f"its output is {len(body):,} bytes of JSON, and {LARGEST:,} are taken; "
            "write what is large to an object, and return its URI"
        )
    if len(body) > LARGEST_INLINE:
        return None, objects.put(name, body)
    return output, None


def decoded(name: str, body: bytes) -> Status:
    """The success of a job that returned this JSON, or its failure if nobody could read that."""
    try:
        output = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        return Status(JobState.FAILED, name, error=f"its output can't be read: {error}")
    if _too_deep(output):
        return Status(JobState.FAILED, name, error=_DEEP)
    return Status(JobState.SUCCEEDED, name, output)


def _too_deep(value: Any) -> bool:
    """Whether a template, or a reader of the state, could not take it in."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [item for each in level if isinstance(each, list | dict) for item in _items(each)]
        if not level:
            return False
    return True


def _items(value: list[Any] | dict[str, Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value
