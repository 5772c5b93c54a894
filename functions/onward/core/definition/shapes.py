"""What a value in a file may look like. Each shape reads a node, and says itself as JSON Schema.

`read` always returns a value of the shape's type: where it had to say something, a blank one. So the
reading goes on, the checks after it see a whole pipeline, and every problem is found in one go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from onward.core.definition.nodes import Broken, Node
from onward.core.pipeline import DAY, HOUR, MINUTE, SECOND
from onward.core.problems import Path, Report, shown, spelled

Schema = dict[str, Any]


class Shape:
    """`wants` completes the sentence "must be ...". `blank` stands in for a value that is wrong."""

    wants: str = ""
    blank: ClassVar[Any] = None

    def read(self, node: Node, at: Path, report: Report) -> Any:
        if isinstance(node.value, Broken):
            return self.blank
        return self.take(node, at, report)

    def take(self, node: Node, at: Path, report: Report) -> Any:
        raise NotImplementedError

    def schema(self) -> Schema:
        raise NotImplementedError

    def refuse(self, node: Node, at: Path, report: Report, hint: str = "") -> Any:
        if node.value is None:
            report.say(node.line, at, "is empty", "give it a value or remove the key")
        else:
            report.say(node.line, at, f"must be {self.wants}, not {spelled(node.value)}", hint)
        return self.blank


@dataclass(frozen=True)
class Text(Shape):
    wants: str = "text"
    pattern: str = ""
    hint: str = ""
    blank: ClassVar[str] = ""

    def take(self, node: Node, at: Path, report: Report) -> str:
        match node.value:
            case str() as text if not self.pattern or re.fullmatch(self.pattern, text):
                return text
            case bool() | int() | float():
                return str(
                    self.refuse(node, at, report, f'quote it: "{node.plain()}"'.replace("True", "true"))
                )
            case _:
                return str(self.refuse(node, at, report, self.hint))

    def schema(self) -> Schema:
        return {"type": "string"} | ({"pattern": f"^(?:{self.pattern})$"} if self.pattern else {})


@dataclass(frozen=True)
class Whole(Shape):
    least: int
    most: int
    blank: ClassVar[int] = 0

    @property
    def wants(self) -> str:  # type: ignore[override]
        return f"a whole number from {self.least:,} to {self.most:,}"

    def take(self, node: Node, at: Path, report: Report) -> int:
        match node.value:
            case int() as number if not isinstance(number, bool) and self.least <= number <= self.most:
                return number
            case _:
                return int(self.refuse(node, at, report))

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Flag(Shape):
    wants: str = "true or false"
    blank: ClassVar[bool] = False

    def take(self, node: Node, at: Path, report: Report) -> bool:
        return node.value if isinstance(node.value, bool) else bool(self.refuse(node, at, report))

    def schema(self) -> Schema:
        return {"type": "boolean"}


UNITS = {"d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND}
DURATION = "(?=.)" + "".join(f"([0-9]{{1,9}}{unit})?" for unit in UNITS)


def duration(text: str) -> int | None:
    """Microseconds of `1h30m`; nothing if it isn't a duration."""
    found = re.fullmatch(DURATION, text)
    return sum(int(part[:-1]) * UNITS[part[-1]] for part in found.groups() if part) if found else None


@dataclass(frozen=True)
class Span(Shape):
    """A duration, read as microseconds."""

    least: str
    most: str
    wants: str = "a duration"
    blank: ClassVar[int] = 0

    def take(self, node: Node, at: Path, report: Report) -> int:
        match node.value:
            case str() as text if (span := duration(text)) is not None:
                if not (duration(self.least) or 0) <= span <= (duration(self.most) or 0):
                    report.say(node.line, at, f"{text} is outside of {self.least} to {self.most}")
                return span
            case int() | float() as number if not isinstance(number, bool):
                return int(self.refuse(node, at, report, f"write its unit: {number}s, {number}m, {number}h"))
            case _:
                return int(self.refuse(node, at, report, 'such as "30s", "10m", "2h", "1d" or "1h30m"'))

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^{DURATION}$"}


@dataclass(frozen=True)
class Word(Shape):
    """One of a few words."""

    words: tuple[str, ...]
    blank: ClassVar[str] = ""

    @property
    def wants(self) -> str:  # type: ignore[override]
        return "one of " + ", ".join(self.words)

    def take(self, node: Node, at: Path, report: Report) -> str:
        match node.value:
            case str() as word if word in self.words:
                return word
            case str() as word:
                return str(self.refuse(node, at, report, report.similar(word, self.words)))
            case _:
                return str(self.refuse(node, at, report))

    def schema(self) -> Schema:
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class JobFile(Shape):
    """The name of a file in the pipeline's folder."""

    wants: str = "the name of a file in the pipeline's folder"
    blank: ClassVar[str] = ""

    def take(self, node: Node, at: Path, report: Report) -> str:
        match node.value:
            case str() as name:
                file_exists(name, node, at, report)
                return name
            case _:
                return str(self.refuse(node, at, report))

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1}


def file_exists(name: str, node: Node, at: Path, report: Report) -> None:
    if name not in report.files:
        hint = report.similar(name, report.files)
        report.say(node.line, at, f"there is no file {shown(name)} in the pipeline's folder", hint)


CALL = r"[^:/]+\.py:[A-Za-z_][A-Za-z0-9_]*"


@dataclass(frozen=True)
class Call(Shape):
    """`file.py:function`, read as the pair."""

    wants: str = "`file.py:function`, the file directly in the pipeline's folder"
    blank: ClassVar[tuple[str, str]] = ("", "")

    def take(self, node: Node, at: Path, report: Report) -> tuple[str, str]:
        match node.value:
            case str() as text if re.fullmatch(CALL, text):
                name, function = text.split(":")
                file_exists(name, node, at, report)
                return name, function
            case _:
                self.refuse(node, at, report)
                return self.blank

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^{CALL}$"}


@dataclass(frozen=True)
class Json(Shape):
    """Any value."""

    wants: str = "a value"

    def take(self, node: Node, at: Path, report: Report) -> Any:  # noqa: ARG002
        return node.plain()

    def schema(self) -> Schema:
        return {}


@dataclass(frozen=True)
class Free(Shape):
    """A mapping with keys of the user's own; with `scalars`, of single values only."""

    scalars: bool = False
    wants: str = "a mapping"
    blank: ClassVar[dict[str, Any]] = {}

    def take(self, node: Node, at: Path, report: Report) -> dict[str, Any]:
        if not isinstance(node.value, dict):
            return dict(self.refuse(node, at, report))
        for key, child in node.value.items():
            if "{{" in key:
                report.say(
                    child.line, at, f"the key {shown(key)} is not rendered", "use templates in values only"
                )
            if self.scalars and (child.value is None or isinstance(child.value, list | dict)):
                report.say(child.line, (*at, key), f"must be a single value, not {spelled(child.value)}")
        return dict(node.plain())

    def schema(self) -> Schema:
        single = {"type": ["string", "number", "boolean"]}
        return {"type": "object"} | ({"additionalProperties": single} if self.scalars else {})
