"""What is wrong with a file, where, and how to mend it; all of it in one go."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence

import msgspec

from onward.core.errors import BadPipeline

Path = tuple[str | int, ...]
"""Where a value sits in a file: the keys and list positions that lead to it."""

# Looking for a similar name costs time that grows with the file: enough for any file a person wrote.
SUGGESTIONS = 100
CANDIDATES = 1_000
LONGEST_WORD = 100
LONGEST_SHOWN = 80
LONGEST_CIRCLE = 12


class Problem(msgspec.Struct, frozen=True):
    """One thing to mend. `line` counts from 1; `field` is the dotted path of keys, empty for the whole."""

    file: str
    line: int
    field: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        parts = [
            f"{self.file}:{self.line}",
            self.field,
            self.message + (f"; {self.hint}" if self.hint else ""),
        ]
        return ": ".join(part for part in parts if part)


class Finding(msgspec.Struct, frozen=True):
    """A problem by where its value sits; it becomes a `Problem` with the file at hand."""

    at: Path
    message: str
    hint: str = ""


class Report:
    """Collects the problems of one file."""

    def __init__(self, file: str, lines: int, files: Collection[str] = ()) -> None:
        self.file = file
        self.lines = lines
        self.files = files
        self._problems: set[Problem] = set()
        self._suggested = 0

    def say(self, line: int, at: Path, message: str, hint: str = "") -> None:
        field = ".".join(shown(key, bare=True) for key in at if isinstance(key, str))
        line = min(max(line, 1), self.lines)
        self._problems.add(Problem(self.file, line, field, message, hint))

    def similar(self, word: str, known: Iterable[str]) -> str:
        """As `did_you_mean`, for the first mistakes of a file."""
        self._suggested += 1
        return did_you_mean(word, known) if self._suggested <= SUGGESTIONS else ""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """In the order of the file."""
        return tuple(sorted(self._problems, key=lambda p: (p.line, p.field, p.message)))

    def failure(self) -> BadPipeline:
        return BadPipeline(self.problems)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean `clean`?`` when a known word is close, else nothing."""
    candidates = list(known)
    if len(candidates) > CANDIDATES or len(word) > LONGEST_WORD:
        return ""
    close = difflib.get_close_matches(word, candidates, n=1)
    return f"did you mean {shown(close[0])}?" if close else ""


def shown(text: str, bare: bool = False) -> str:
    """Somebody's text inside a message: on one line, without control characters, not too long."""
    short = text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."
    clean = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)
    return clean if bare else f"`{clean}`"


def spelled(value: object) -> str:
    """A value as YAML has it, for a message."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return shown(value)
        case list() | tuple():
            return "a list"
        case _:
            return "a mapping"


def listed(words: Iterable[str]) -> str:
    """`a`, `b` and `c`"""
    quoted = [shown(word) for word in words]
    return " and ".join(filter(None, [", ".join(quoted[:-1]), *quoted[-1:]]))


def circle(names: Sequence[str]) -> str:
    """a → b → a"""
    way = names if len(names) < LONGEST_CIRCLE else [*names[:LONGEST_CIRCLE], "..."]
    return " → ".join([*way, names[0]])
