"""Which objects a trigger is for, and what it captures from their names.

A pattern is matched against the object's whole name, part by part between slashes:

    *        any characters within a part         **       as a whole part: any number of parts
    ?        one character                        [a-z]    one of these, [!a-z] none of these
    {name}   captures one or more characters within a part

Everything else stands for itself. A wildcard takes as little as the rest of the pattern allows, from left to
right: `{a}_{b}.csv` takes `x_y_z.csv` as a=x, b=y_z. A part is never empty, so that a folder's own marker
(`stations/`) is no file. Matching takes time in proportion to the length of name and pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec

from onward.core.errors import UserError
from onward.core.pipeline import BatchTrigger, ObjectTrigger
from onward.core.problems import shown

MAX_PATTERN = 1024
CAPTURE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
PLAIN = re.compile(r"[^*?\[{]+")
WILD = re.compile(r"\*")
ANY = re.compile(r"\?")
CLASS = re.compile(r"\[(!?)(\]?[^\]/]*)\]")
SPECIAL = re.compile(r"[*?\[{]")


class BadPattern(ValueError):
    """The pattern can't be read; the message says why and what to write."""


class ObjectArrival(msgspec.Struct, frozen=True):
    """An object's generation became final. `size` is in bytes."""

    bucket: str
    name: str
    generation: str
    size: int = 0
    metadata: dict[str, str] = {}
    """What its writer said of it."""


Part = re.Pattern[str]


class Pattern(msgspec.Struct, frozen=True):
    """A compiled pattern: runs of parts, with any number of parts between one run and the next."""

    runs: tuple[tuple[Part, ...], ...]
    names: tuple[str, ...]

    def match(self, name: str) -> dict[str, str] | None:
        """What the pattern captures from the name, or None if it does not match."""
        parts = name.split("/")
        if not parts[-1]:
            return None
        first, *others = self.runs
        captured = _at(first, parts, 0)
        if captured is None or not others:
            return captured if captured is not None and len(parts) == len(first) else None
        position = len(first)
        *middle, last = others
        for run in middle:
            # The earliest place is as good as any later one: it leaves the most to the rest.
            for start in range(position, len(parts) - len(run) + 1):
                if (found := _at(run, parts, start)) is not None:
                    captured |= found
                    position = start + len(run)
                    break
            else:
                return None
        start = len(parts) - len(last)
        # A pattern that ends in `**` needs something there.
        if start < position + (not last) or (found := _at(last, parts, start)) is None:
            return None
        return captured | found


def _at(run: Sequence[Part], parts: Sequence[str], start: int) -> dict[str, str] | None:
    """What the run captures from the parts at `start`."""
    if len(parts) - start < len(run):
        return None
    captured: dict[str, str] = {}
    for offset, pattern in enumerate(run):
        found = pattern.fullmatch(parts[start + offset])
        if found is None:
            return None
        captured |= found.groupdict()
    return captured


def captured(trigger: ObjectTrigger | BatchTrigger, arrival: ObjectArrival) -> dict[str, str] | None:
    """The texts that the first matching pattern captures, or None: the object is not for this trigger."""
    if (
        trigger.bucket != arrival.bucket
        or arrival.size < trigger.min_size
        or any(arrival.metadata.get(key) != value for key, value in trigger.metadata.items())
        or first(trigger.exclude, arrival.name) is not None
    ):
        return None
    return first(trigger.match, arrival.name)


def first(patterns: Iterable[str], name: str) -> dict[str, str] | None:
    """What the first pattern that matches captures from the name; None: none does."""
    found = (compile(pattern).match(name) for pattern in patterns)
    return next((texts for texts in found if texts is not None), None)


def literal_prefix(pattern: str) -> str:
    """What every matching name begins with."""
    special = SPECIAL.search(pattern)
    return pattern[: special.start()] if special else pattern


@lru_cache(4096)
def compile(pattern: str) -> Pattern:  # noqa: A001
    """Raises BadPattern."""
    if len(pattern) > MAX_PATTERN:
        raise BadPattern(f"a pattern has at most {MAX_PATTERN:,} characters")
    names: list[str] = []
    runs: list[list[Part]] = [[]]
    for part in pattern.split("/"):
        if part == "**":
            runs.append([])
        else:
            runs[-1].append(_part(part, names))
    return Pattern(tuple(map(tuple, runs)), tuple(names))


def readable(pattern: str) -> Pattern:
    """The pattern of somebody's text that no loader has checked. Raises UserError."""
    try:
        return compile(pattern)
    except BadPattern as error:
        raise UserError(str(error)) from None


class _Token(msgspec.Struct, frozen=True):
    """A piece of a part: its regular expression, and whether its length varies."""

    regex: str
    wild: bool = False


def _part(text: str, names: list[str]) -> Part:
    """One part as a regular expression that never backtracks across a wildcard.

    What lies between two wildcards has a fixed length, so its first place is as good as any later one, and
    may be kept for good: an atomic group. Only the last wildcard reaches for the end.
    """
    if "**" in text:
        raise BadPattern(
            f"`**` must be a whole part, not in {shown(text)}; write `**/*` for files at any depth"
        )
    if not text:
        raise BadPattern("a part is empty; a name has no slash at its ends, and no two in a row")
    fixed, *groups = [""]
    before = _Token("")
    for token in _tokens(text, names):
        if token.wild and before.wild:
            raise BadPattern(f"two wildcards touch in {shown(text)}; put a character between them")
        if token.wild:
            groups.append(token.regex)
        elif groups:
            groups[-1] += token.regex
        else:
            fixed += token.regex
        before = token
    kept = "".join(f"(?>{group})" for group in groups[:-1])
    try:
        return re.compile(f"(?=.){fixed}{kept}{''.join(groups[-1:])}", re.DOTALL)
    except re.error as error:
        raise BadPattern(f"{shown(text)} can't be read: {error}") from None


def _tokens(text: str, names: list[str]) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        match text[position]:
            case "*":
                found = WILD.match(text, position)
                token = _Token(".*?", wild=True)
            case "{":
                found = CAPTURE.match(text, position)
                token = _Token(_captured(found[1], names) if found else "", wild=True)
            case "[":
                found = CLASS.match(text, position)
                token = _Token(chosen(found) if found else "")
            case "?":
                found = ANY.match(text, position)
                token = _Token(".")
            case _:
                found = PLAIN.match(text, position)
                token = _Token(re.escape(found[0]) if found else "")
        if found is None:
            char = text[position]
            raise BadPattern(
                f"{shown(text[position:])} is not complete; write [{char}] for the character itself"
            )
        yield token
        position = found.end()


def _captured(name: str, names: list[str]) -> str:
    if name in names:
        raise BadPattern(f"{{{name}}} is captured twice; use each name once")
    names.append(name)
    return f"(?P<{name}>.+?)"


def chosen(found: re.Match[str]) -> str:
    """What CLASS found, as a regular expression."""
    negated, chars = found.groups()
    escaped = "".join("\\" + char if char in r"\^[]&~|" else char for char in chars)
    return f"[{'^' if negated else ''}{escaped}]"
