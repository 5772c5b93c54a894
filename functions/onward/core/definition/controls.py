"""The pipeline file: shapes of what controls a step."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from onward.core.definition.names import IDENTIFIER, NAME
from onward.core.definition.nodes import Node
from onward.core.definition.records import Field, Record
from onward.core.definition.shapes import Json, Schema, Shape, Text
from onward.core.pipeline import Allowance, ForEach
from onward.core.problems import Path, Report

SHARE = "([0-9]{1,2}|100)([.][0-9]{1,3})?%"
MOST_ITEMS = 100_000


@dataclass(frozen=True)
class Share(Shape):
    """A number of items, or a share of them."""

    wants: str = 'a number, or a share such as "5%"'
    blank: ClassVar[Allowance] = Allowance()

    def take(self, node: Node, at: Path, report: Report) -> Allowance:
        match node.value:
            case int() as items if not isinstance(items, bool) and 0 <= items <= MOST_ITEMS:
                return Allowance(items)
            case str() as share if re.fullmatch(SHARE, share) and float(share[:-1]) <= 100:
                return Allowance(percent=float(share[:-1]))
            case _:
                self.refuse(node, at, report)
                return self.blank

    def schema(self) -> Schema:
        whole = {"type": "integer", "minimum": 0, "maximum": MOST_ITEMS}
        return {"anyOf": [whole, {"type": "string", "pattern": f"^{SHARE}$"}]}


@dataclass(frozen=True)
class Existence(Shape):
    """`true`, or `newer`: than what `inputs` name."""

    wants: str = "true or `newer`"

    def take(self, node: Node, at: Path, report: Report) -> str | None:
        match node.value:
            case bool() as asked:
                return "exists" if asked else None
            case "newer":
                return "newer"
            case _:
                self.refuse(node, at, report)
                return None

    def schema(self) -> Schema:
        return {"enum": [True, False, "newer"]}


@dataclass(frozen=True)
class PoolName(Shape):
    """A pool's name, or the size of a pool of the step's own: read as name and size."""

    wants: str = "a pool's name, or a size from 1 to 1,000"
    blank: ClassVar[tuple[str | None, int | None]] = (None, None)

    def take(self, node: Node, at: Path, report: Report) -> tuple[str | None, int | None]:
        match node.value:
            case int() as size if not isinstance(size, bool) and 1 <= size <= 1_000:
                return "~step", size
            case str() as name if re.fullmatch(NAME.pattern, name):
                return name, None
            case _:
                self.refuse(node, at, report)
                return self.blank

    def schema(self) -> Schema:
        return {"anyOf": [NAME.schema(), {"type": "integer", "minimum": 1, "maximum": 1_000}]}


@dataclass(frozen=True)
class ForEachShape(Shape):
    """A list, a template of one, or a record that says more."""

    record: Record
    wants: str = "a list, a template of one, or a mapping"
    blank: ClassVar[ForEach] = ForEach([])

    def take(self, node: Node, at: Path, report: Report) -> ForEach:
        match node.value:
            case list() | str():
                return ForEach(node.plain())
            case dict():
                found: ForEach = self.record.read(node, at, report)
                return found
            case _:
                self.refuse(node, at, report)
                return self.blank

    def schema(self) -> Schema:
        return {"anyOf": [{"type": "array"}, {"type": "string"}, self.record.schema()]}


def _for_each(items: Any = None, **fields: Any) -> ForEach:
    for ours, key in (("name", "as"), ("inner", "for_each")):
        if key in fields:
            fields[ours] = fields.pop(key)
    return ForEach(items, **fields)


FOR_EACH_FIELDS = {
    "items": Field(Json(), "A list, or a template of one."),
    "objects": Field(Text("a glob"), "Instead: a glob, whose objects are the items."),
    "as": Field(IDENTIFIER, "What templates call an item; by default `item`."),
}
FOR_EACH = ForEachShape(
    Record(
        _for_each,
        FOR_EACH_FIELDS
        | {
            "for_each": Field(
                ForEachShape(Record(_for_each, FOR_EACH_FIELDS, one_of=("items", "objects"))),
                "A list within each item.",
            )
        },
        one_of=("items", "objects"),
    )
)
