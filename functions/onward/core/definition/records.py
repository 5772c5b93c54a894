"""Shapes made of shapes: lists, records and mappings by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from onward.core.definition.nodes import Broken, Node
from onward.core.definition.shapes import Schema, Shape, Text
from onward.core.problems import Path, Report, listed, shown


@dataclass(frozen=True)
class Listing(Shape):
    """A list, read as a tuple. With `single`, one item may stand without its brackets."""

    item: Shape
    single: bool = False
    filled: bool = False
    wants: str = "a list"
    blank: ClassVar[tuple[Any, ...]] = ()

    def take(self, node: Node, at: Path, report: Report) -> tuple[Any, ...]:
        match node.value:
            case list() as items:
                if self.filled and not items:
                    report.say(node.line, at, "is empty", "give it an item or remove the key")
                return tuple(self.item.read(item, (*at, i), report) for i, item in enumerate(items))
            case str() if self.single:
                return (self.item.read(node, at, report),)
            case dict() if self.single and isinstance(self.item, Record):
                return (self.item.read(node, at, report),)
            case str() as text:
                return tuple(self.refuse(node, at, report, f"write [{text}]" if len(text) < 64 else ""))
            case _:
                return tuple(self.refuse(node, at, report))

    def schema(self) -> Schema:
        many = {"type": "array", "items": self.item.schema()} | ({"minItems": 1} if self.filled else {})
        return {"anyOf": [self.item.schema(), many]} if self.single else many


@dataclass(frozen=True)
class Field:
    """A key of a record: its shape, and what an editor shows about it."""

    shape: Shape
    about: str = ""
    required: bool = False

    def schema(self) -> Schema:
        return self.shape.schema() | ({"description": self.about} if self.about else {})


@dataclass(frozen=True)
class Record(Shape):
    """A mapping with keys of ours, read by `make(**fields)`.

    Exactly one of `one_of` must be there. With `short`, a bare text stands for `{short: text}`.
    """

    make: Callable[..., Any]
    fields: Mapping[str, Field]
    one_of: tuple[str, ...] = ()
    short: str = ""
    wants: str = "a mapping"

    def read(self, node: Node, at: Path, report: Report, **known: Any) -> Any:
        """`known` are fields that stand outside of the mapping, such as the name it has."""
        if isinstance(node.value, str) and self.short:
            values = {self.short: self.fields[self.short].shape.read(node, at, report)}
            return self.make(**known, **values)
        if not isinstance(node.value, dict):
            if not isinstance(node.value, Broken):
                self.refuse(node, at, report, f"its keys are {listed(self.fields)}")
            return self.make(**known, **self._missing({}))
        values = {}
        for key, child in node.value.items():
            if field := self.fields.get(key):
                values[key] = field.shape.read(child, (*at, key), report)
            else:
                hint = report.similar(key, self.fields) or f"the keys here are {listed(self.fields)}"
                report.say(child.line, at, f"unknown key {shown(key)}", hint)
        missing = self._missing(values)
        for key in missing:
            report.say(node.line, at, f"`{key}` is missing")
        given = [key for key in self.one_of if key in values]
        if len(given) > 1:
            report.say(node.line, at, f"has {listed(given)}", "keep exactly one")
        elif self.one_of and not given:
            report.say(node.line, at, f"needs exactly one of {listed(self.one_of)}")
        return self.make(**known, **values, **missing)

    def _missing(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {k: f.shape.blank for k, f in self.fields.items() if f.required and k not in values}

    def schema(self) -> Schema:
        whole: Schema = {
            "type": "object",
            "properties": {key: field.schema() for key, field in self.fields.items()},
            "additionalProperties": False,
        }
        if required := [key for key, field in self.fields.items() if field.required]:
            whole["required"] = required
        if self.one_of:
            whole["oneOf"] = [{"required": [key]} for key in self.one_of]
        return {"anyOf": [self.fields[self.short].schema(), whole]} if self.short else whole


@dataclass(frozen=True)
class Named(Shape):
    """A mapping from names to records, read as a tuple of what they make of `name=` and their fields."""

    item: Record
    name: Text
    most: int
    filled: bool = False
    wants: str = "a mapping by name"
    blank: ClassVar[tuple[Any, ...]] = ()

    def take(self, node: Node, at: Path, report: Report) -> tuple[Any, ...]:
        if not isinstance(node.value, dict):
            return tuple(self.refuse(node, at, report))
        if len(node.value) > self.most:
            report.say(
                node.line, at, f"has {len(node.value):,} entries", f"at most {self.most:,} are allowed"
            )
            return self.blank
        if self.filled and not node.value:
            report.say(node.line, at, "is empty", "at least one is needed")
        for key, child in node.value.items():
            if not re.fullmatch(self.name.pattern, key):
                report.say(child.line, at, f"{shown(key)} is not {self.name.wants}", self.name.hint)
        return tuple(self.item.read(child, (*at, key), report, name=key) for key, child in node.value.items())

    def schema(self) -> Schema:
        return {
            "type": "object",
            "propertyNames": self.name.schema(),
            "additionalProperties": self.item.schema(),
            "maxProperties": self.most,
        } | ({"minProperties": 1} if self.filled else {})
