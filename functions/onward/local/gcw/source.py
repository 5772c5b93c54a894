"""YAML or JSON text → a tree that remembers its lines.

Scalars follow YAML's core schema, as the service reads them: `yes` and `2026-01-01` are strings.
Anchors, aliases, merges and tags are refused by name, which also keeps a tree as small as its text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

MAX_SOURCE_BYTES = 128 * 1024
"""Workflows' own limit."""
MAX_DEPTH = 100

_INTEGER = re.compile(r"[-+]?\d+")
_DOUBLE = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?")
_BASED = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map")}


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the source; `content` holds nodes for a list or map, else the scalar itself."""

    content: bool | int | float | str | list[Node] | dict[str, Node] | None
    line: int


class BadSource(ValueError):
    """The text is no YAML that this reads; `line` says where."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def read(text: str) -> Node:
    """The tree of `text`. BadSource for the first thing that cannot be read."""
    if len(text.encode(errors="surrogatepass")) > MAX_SOURCE_BYTES:
        raise BadSource(f"the source is larger than {MAX_SOURCE_BYTES // 1024} KB, the limit of Workflows", 1)
    if text.lstrip()[:1] in ("{", "["):
        text = text.replace("\t", " ")  # JSON may be indented by tabs, YAML may not
    try:
        _refuse(text)
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = ", ".join(filter(None, (error.context, error.problem)))
        raise BadSource(f"not YAML: {reason}", mark.line + 1 if mark else 1) from None
    except yaml.YAMLError as error:
        raise BadSource(f"not YAML: {' '.join(str(error).split())}", 1) from None
    if root is None:
        raise BadSource("the file is empty", 1)
    return _node(root)


def _refuse(text: str) -> None:
    """Raises for anchors and for depth, before anything recurses."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise BadSource(f"the source is nested more than {MAX_DEPTH} deep", _line(event))
        if isinstance(event, yaml.AliasEvent):
            raise BadSource(f"the YAML alias *{event.anchor} is not available locally", _line(event))
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            raise BadSource(f"the YAML anchor &{event.anchor} is not available locally", _line(event))


def _line(marked: Any) -> int:
    line: int = marked.start_mark.line
    return line + 1


def _node(node: yaml.Node) -> Node:
    line = _line(node)
    if node.tag not in _PLAIN_TAGS:
        raise BadSource(f"the YAML tag {node.tag} is not available locally", line)
    match node:
        case yaml.SequenceNode():
            return Node([_node(item) for item in node.value], line)
        case yaml.MappingNode():
            entries: dict[str, Node] = {}
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise BadSource("a key must be a string", _line(key))
                if key.value in entries:
                    raise BadSource(f"the key `{key.value}` is there twice", _line(key))
                entries[_text(key.value)] = _node(value)
            return Node(entries, line)
        case yaml.ScalarNode():
            return Node(_text(node.value) if node.style else _plain(node.value, line), line)
        case _:
            raise BadSource("this is no YAML value", line)


def _plain(text: str, line: int) -> bool | int | float | str | None:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text, 10, line)
    if _BASED.fullmatch(text):
        return _integer(text, 0, line)
    if _DOUBLE.fullmatch(text):
        return float(text)
    return _text(text)


def _integer(text: str, base: int, line: int) -> int:
    if len(text) > 30 or not -(2**63) <= (number := int(text, base)) < 2**63:
        raise BadSource(f"{text[:40]} does not fit into a 64-bit integer", line)
    return number


def _text(text: str) -> str:
    """YAML reads JSON's escaped surrogate pairs one by one; put them together, replace what is alone."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
