"""REST bodies, as the service documents them, laid over each other into one message of its own type."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar, cast

from onward.core.errors import Refused
from onward.core.problems import shown
from onward.core.templates import is_template

M = TypeVar("M")


def message(kind: type[M], *layers: tuple[str, Mapping[str, Any]]) -> M:
    """The proto-plus message of (what it is called in a pipeline, body) layers; a later one wins, maps join.

    Raises `Refused` for what the service's own type does not have.
    """
    plus: Any = kind
    whole = plus.pb(plus())
    for where, body in layers:
        whole.MergeFrom(_parsed(plus, where, body))
    return cast(M, plus.wrap(whole))


def reserve(where: str, body: Mapping[str, Any], names: Collection[str], why: str) -> None:
    """Raises `Refused` when a body holds what only Onward may set. Names are given as JSON has them."""
    for key in body:
        camel = "".join(part.title() if i else part for i, part in enumerate(key.split("_")))
        if camel in names or key in names:
            raise Refused(f"`{where}`: remove {shown(key)}: {why}")


def untemplated(kind: type[Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a proto-plus type without the templates that stand where it takes no text."""
    plus: Any = kind
    return _known(plus.pb(plus()).DESCRIPTOR, body)


def _known(descriptor: Any, body: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: field for field in descriptor.fields for name in (field.name, field.json_name)}
    found: dict[str, Any] = {}
    for key, value in body.items():
        field = fields.get(key)
        if field is None or (field.message_type and field.message_type.GetOptions().map_entry):
            found[key] = value
        elif isinstance(value, list):
            found[key] = [item for each in value if (item := _value(field, each)) is not None]
        else:
            found[key] = _value(field, value)
    return found


def _value(field: Any, value: Any) -> Any:
    if isinstance(value, str) and is_template(value) and field.type != field.TYPE_STRING:
        return None
    if isinstance(value, dict) and field.message_type is not None:
        return _known(field.message_type, value)
    return value


def _parsed(kind: Any, where: str, body: Mapping[str, Any]) -> Any:
    from google.protobuf.json_format import ParseDict, ParseError

    parsed = kind.pb(kind())
    try:
        return ParseDict(dict(body), parsed)
    except (ParseError, TypeError, ValueError) as error:
        # The first line says what and where; the others list every field of the type.
        reason = str(error).splitlines()[0][:500] if str(error) else type(error).__name__
        name = parsed.DESCRIPTOR.full_name
        raise Refused(f"`{where}` is no {name}: {reason}") from None
