"""The words of the expression language."""

from __future__ import annotations

import re
from dataclasses import dataclass


class ExpressionError(ValueError):
    """The text is not an expression."""


_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<operator>//|==|!=|<=|>=|[-+*/%<>()\[\],.])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"} | {char: char for char in "\"'\\/"}


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    column: int


def tokenize(text: str) -> list[Token]:
    """The tokens of `text`, the last of kind `end`. ExpressionError for what is none."""
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f"{_unexpected(text[at])} at column {at + 1}")
        kind = match.lastgroup or ""
        if kind != "space":
            tokens.append(Token(kind, match.group(), at + 1))
        at = match.end()
    tokens.append(Token("end", "", len(text) + 1))
    return tokens


def _unexpected(char: str) -> str:
    match char:
        case '"' | "'":
            return f"a string that begins with {char} is not closed"
        case "{" | "}" | "$":
            return f"unexpected {char}: maps and nested ${{}} cannot be written inside an expression"
        case _:
            return f"unexpected {char!r}"


def unescaped(token: Token) -> str:
    """What the quotes of a string token hold."""

    def replace(match: re.Match[str]) -> str:
        code = match.group(1)
        if len(code) > 1:
            return chr(int(code[1:], 16))
        if code not in _ESCAPES:
            raise ExpressionError(f"unknown escape \\{code} in the string at column {token.column}")
        return _ESCAPES[code]

    return _ESCAPE.sub(replace, token.text[1:-1])
