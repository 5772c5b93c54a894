"""Cloud Storage's `matchGlob`: `*` stays within a folder, `**` does not."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\*\*/?|\*|\?|\[!?[^\]]+\]|\{[^{}]*\}|\\?.", re.DOTALL)

_WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def pattern(glob: str) -> re.Pattern[str]:
    """What matches the names that the glob does."""
    return re.compile("".join(_translated(token) for token in _TOKEN.findall(glob)), re.DOTALL)


def _translated(token: str) -> str:
    if token in _WILD:
        return _WILD[token]
    if token[0] == "{" and token[-1] == "}":
        return f"(?:{'|'.join(pattern(each).pattern for each in token[1:-1].split(','))})"
    if token[0] == "[" and token[-1] == "]":
        negated = token[1] == "!"
        inside = re.sub(r"([\\^\[])", r"\\\1", token[2 if negated else 1 : -1])
        return f"(?!/)[{'^' if negated else ''}{inside}]"
    return re.escape(token[-1])
