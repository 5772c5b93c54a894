"""YAML text → a tree of values that know their lines.

The tree is built from the parser's events with a stack of our own, so that neither depth nor aliases can
hurt, and a tag can construct nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from onward.core.definition.nodes import BROKEN, Broken, Node, Value
from onward.core.definition.scalars import Unclear, resolve
from onward.core.problems import Report, shown, spelled

MAX_TEXT = 1024 * 1024
MAX_NODES = 250_000
MAX_DEPTH = 50

UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def parse(text: str, report: Report) -> Node | None:
    """The file's root, or nothing when it can't be read as YAML. Problems go to `report`."""
    import yaml  # costs 15 ms that most uses of the core don't need

    text = text.removeprefix("\ufeff")
    if len(text) > MAX_TEXT:
        report.say(1, (), "the file is larger than 1 MiB")
        return None
    if odd := UNPRINTABLE.search(text):
        line = text.count("\n", 0, odd.start()) + 1
        report.say(line, (), f"the control character {odd[0]!a} is not allowed", "remove it")
        return None
    builder = _Builder(report)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        if all(problem.line != line for problem in report.problems):  # else it follows from what was said
            report.say(line, (), f"not YAML: {error.problem or error.context}", _advice(text, line))
    except yaml.YAMLError as error:
        report.say(1, (), f"not YAML: {error}")
    except _Stop:
        pass
    else:
        if builder.root is None:
            report.say(1, (), "the file is empty")
        return builder.root
    return None


def _advice(text: str, line: int) -> str:
    near = text.splitlines()[max(line - 2, 0) : line]
    if any("\t" in each[: len(each) - len(each.lstrip())] for each in near):
        return "indent with spaces, not tabs"
    if any(re.search(r"(:|-|,|\[)\s+\{\{", each) for each in near):
        return 'a value with a template must be quoted: "{{ ... }}"'
    return ""


class _Stop(Exception):
    """The end of reading, after its reason was reported."""


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is being read.

    `nodes` is the count at its beginning; `key` is the next value's key and its line, once read.
    """

    node: Node
    anchor: str | None
    nodes: int
    key: tuple[str | Broken, int] | None = None
    lines: dict[str, int] = field(default_factory=dict)
    broken: bool = False


class _Builder:
    def __init__(self, report: Report) -> None:
        self.root: Node | None = None
        self._report = report
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._nodes = 0

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if getattr(event, "tag", None) not in (None, "!"):
            self._say(line, f"the tag {shown(event.tag)} is not allowed", "remove it")
        match type(event).__name__:
            case "DocumentStartEvent" if self.root is not None:
                self._say(line, "a second document begins here", "one file holds one document")
                raise _Stop
            case "ScalarEvent":
                value = self._resolve(event.value, line) if event.implicit[0] else event.value
                self._count(1, 1, line)
                self._add(Node(line, line + (event.style == "|"), value), event.anchor)
            case "AliasEvent":
                target = self._anchors.get(event.anchor, Node(line, line, BROKEN))
                if event.anchor not in self._anchors:
                    self._say(line, f"no anchor `&{event.anchor}` ends above this alias")
                self._count(target.size, target.depth, line)
                self._add(replace(target, line=line), None)
            case "SequenceStartEvent":
                self._open(Node(line, line, []), event.anchor)
            case "MappingStartEvent":
                self._open(Node(line, line, {}), event.anchor)
            case "SequenceEndEvent" | "MappingEndEvent":
                frame = self._stack.pop()
                frame.node.size += self._nodes - frame.nodes
                if frame.broken:
                    frame.node.value = BROKEN
                self._add(frame.node, frame.anchor)

    def _open(self, node: Node, anchor: str | None) -> None:
        self._count(1, 1, node.line)
        self._stack.append(_Frame(node, anchor, self._nodes))

    def _count(self, nodes: int, depth: int, line: int) -> None:
        self._nodes += nodes
        if len(self._stack) + depth > MAX_DEPTH:
            self._say(line, f"nested more than {MAX_DEPTH} levels deep")
            raise _Stop
        if self._nodes > MAX_NODES:
            self._say(line, f"the file has more than {MAX_NODES:,} values, counting every use of an alias")
            raise _Stop

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = node
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        frame.node.depth = max(frame.node.depth, node.depth + 1)
        match frame.node.value:
            case list() as items:
                items.append(node)
            case dict() as entries if frame.key is not None:
                (key, node.line), frame.key = frame.key, None
                if isinstance(key, str):
                    self._enter(frame, entries, key, node)
            case _:
                frame.key = (self._key(node, frame), node.line)

    def _key(self, node: Node, frame: _Frame) -> str | Broken:
        match node.value:
            case str() as key:
                return key
            case Broken():
                pass
            case dict() | list():
                # `input: {{ date }}` is a mapping whose key is a mapping.
                frame.broken = True
                self._say(node.line, "a key must be text", 'a template must be quoted: "{{ ... }}"')
            case other:
                self._say(node.line, f"the key {spelled(other)} must be text", "quote it")
        return BROKEN

    def _enter(self, frame: _Frame, entries: dict[str, Node], key: str, node: Node) -> None:
        if key in frame.lines:
            first = frame.lines[key]
            self._say(node.line, f"{shown(key)} is here twice, first on line {first}", "keep one")
            return
        frame.lines[key] = node.line
        if key != "<<":
            entries[key] = node
            return
        for source in node.value if isinstance(node.value, list) else [node]:
            if isinstance(source.value, dict):
                entries.update({k: v for k, v in source.value.items() if k not in entries})
            else:
                self._say(node.line, "`<<` merges mappings only")

    def _resolve(self, text: str, line: int) -> Value:
        try:
            return resolve(text)
        except Unclear as unclear:
            self._say(line, str(unclear), f'quote it if you mean the text: "{text}"')
            return BROKEN

    def _say(self, line: int, message: str, hint: str = "") -> None:
        keys = [frame.key[0] for frame in self._stack if frame.key is not None]
        self._report.say(line, tuple(key for key in keys if isinstance(key, str)), message, hint)
