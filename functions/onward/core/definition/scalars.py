"""What an unquoted word in YAML means: what JSON and YAML 1.2 say.

Words that readers of YAML 1.1 take for something else (`no`, `010`, `12:30`) are refused, because a file
must not change its meaning with its reader. A date is text.
"""

from __future__ import annotations

import math
import re

from onward.core.pipeline import MAX_INT
from onward.core.problems import shown

Scalar = str | int | float | bool | None

LONGEST_INT = 20

NULL = re.compile(r"|~|null|Null|NULL")
TRUE = re.compile(r"true|True|TRUE")
FALSE = re.compile(r"false|False|FALSE")
INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
AMBIGUOUS = (
    (re.compile(r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"), "a boolean"),
    (re.compile(r"[-+]?(0[0-9_]+|0o[0-7]+|0x[0-9a-fA-F_]+|0b[01_]+|[0-9]+_[0-9_]*)"), "another number"),
    (re.compile(r"[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"), "a number in base 60"),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), "not a number"),
)


class Unclear(ValueError):
    """Different readers of YAML would read this word differently, or can't hold it."""


def resolve(text: str) -> Scalar:
    """The value of an unquoted word; raises Unclear."""
    if NULL.fullmatch(text):
        return None
    if TRUE.fullmatch(text) or FALSE.fullmatch(text):
        return text[0] in "tT"
    for pattern, meaning in AMBIGUOUS:
        if pattern.fullmatch(text):
            raise Unclear(f"{shown(text)} is {meaning} to some readers of YAML")
    if INT.fullmatch(text) and len(text) <= LONGEST_INT and abs(int(text)) <= MAX_INT:
        return int(text)
    if FLOAT.fullmatch(text):
        if INT.fullmatch(text) or not math.isfinite(float(text)):
            raise Unclear(f"the number {shown(text)} is too large")
        return float(text)
    return text
