"""A file's values as a tree that knows its lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from onward.core.definition.scalars import Scalar
from onward.core.problems import Path


class Broken:
    """The value of a node about which everything has been said."""


BROKEN: Final = Broken()

Value = Scalar | list["Node"] | dict[str, "Node"] | Broken


@dataclass(slots=True)
class Node:
    """A value. `line` is where a reader looks for it (its key's line); its text begins on line `first`."""

    line: int
    first: int
    value: Value
    size: int = 1
    depth: int = 1

    def walk(self, path: Path) -> Iterator[Node]:
        """This value and those on the way to `path`, as far as they are there."""
        node = self
        yield node
        for key in path:
            match node.value:
                case dict() as entries if isinstance(key, str) and key in entries:
                    node = entries[key]
                case list() as items if isinstance(key, int) and key < len(items):
                    node = items[key]
                case _:
                    return
            yield node

    def at(self, path: Path) -> Node | None:
        """The value at `path`, if it is there."""
        found = list(self.walk(path))
        return found[-1] if len(found) > len(path) else None

    def line_at(self, path: Path) -> int:
        """The line of the value at `path`, or of the nearest value around it."""
        return list(self.walk(path))[-1].line

    def plain(self) -> Any:
        """The value as JSON has it."""
        match self.value:
            case dict() as entries:
                return {key: node.plain() for key, node in entries.items()}
            case list() as items:
                return [node.plain() for node in items]
            case Broken():
                return None
            case scalar:
                return scalar

    def texts(self, at: Path = ()) -> Iterator[tuple[Path, Node, str]]:
        """Every text in it, with where it is."""
        match self.value:
            case str() as text:
                yield at, self, text
            case list() as items:
                for position, node in enumerate(items):
                    yield from node.texts((*at, position))
            case dict() as entries:
                for key, node in entries.items():
                    yield from node.texts((*at, key))
            case _:
                pass
