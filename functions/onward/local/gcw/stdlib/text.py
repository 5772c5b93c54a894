"""text.*: strings, regular expressions and URL encoding.

The service's regular expressions are RE2's. Python's engine runs them here; what RE2 lacks is refused,
so that a pattern that works here works there.
"""

from __future__ import annotations

import re
from urllib.parse import quote, quote_plus, unquote

from onward.local.gcw.errors import failure
from onward.local.gcw.values import Value

CHARSETS = ("utf-8", "us-ascii", "iso-8859-1")
_NOT_RE2 = re.compile(r"(?:^|[^\\])(?:\\\\)*(\(\?(?:[=!(#>]|<[=!]|P[=>])|\\[1-9]|[*+?}]\+)")


def find_all(source: str, substr: str) -> Value:
    return [match.start() for match in re.finditer(re.escape(substr), source)]


def find_all_regex(source: str, regexp: str) -> Value:
    return [{"index": match.start(), "match": match.group()} for match in _regex(regexp).finditer(source)]


def match_regex(source: str, regexp: str) -> Value:
    return _regex(regexp).search(source) is not None


def replace_all(source: str, substr: str, repl: str) -> Value:
    return source.replace(substr, repl)


def replace_all_regex(source: str, regexp: str, repl: str) -> Value:
    try:
        return _regex(regexp).sub(repl, source)
    except (re.error, IndexError) as error:
        raise ValueError(f"the replacement {repl!r} is not valid: {error}") from error


def _regex(pattern: str) -> re.Pattern[str]:
    if (lacking := _NOT_RE2.search(pattern)) is not None:
        raise ValueError(f"RE2 has no {lacking.group(1)!r} in a regular expression")
    try:
        return re.compile(pattern)
    except (re.error, RecursionError) as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error


def split(source: str, separator: str) -> Value:
    return list(source.split(separator) if separator else source)


def substring(source: str, start: int, end: int) -> Value:
    if not 0 <= start <= end <= len(source):
        raise failure("IndexError", f"text.substring: {start} to {end} is outside a string of {len(source)}")
    return source[start:end]


def to_lower(source: str) -> Value:
    return source.lower()


def to_upper(source: str) -> Value:
    return source.upper()


def encode(data: str, charset: str = "UTF-8") -> Value:
    return data.encode(_charset(charset))


def decode(data: bytes, charset: str = "UTF-8") -> Value:
    return data.decode(_charset(charset))


def _charset(name: str) -> str:
    if name.lower() not in CHARSETS:
        raise ValueError(f"the charset {name!r} is not available locally: {', '.join(CHARSETS)} are")
    return name


def url_encode(source: str) -> Value:
    return quote(source, safe="")


def url_encode_plus(source: str) -> Value:
    return quote_plus(source)


def url_decode(source: str) -> Value:
    return unquote(source.replace("+", " "), errors="strict")


FUNCTIONS = {
    "text.find_all": find_all,
    "text.find_all_regex": find_all_regex,
    "text.match_regex": match_regex,
    "text.replace_all": replace_all,
    "text.replace_all_regex": replace_all_regex,
    "text.split": split,
    "text.substring": substring,
    "text.to_lower": to_lower,
    "text.to_upper": to_upper,
    "text.encode": encode,
    "text.decode": decode,
    "text.url_encode": url_encode,
    "text.url_encode_plus": url_encode_plus,
    "text.url_decode": url_decode,
}
BLOCKING: frozenset[str] = frozenset()
