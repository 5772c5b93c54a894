"""Values as text for people: on one line, harmless to a terminal, times in the local zone."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_SHORT = 200
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_TENTHS_BELOW = 10


def safe(text: str) -> str:
    """The text with everything escaped that a terminal would not simply print; line ends stay."""
    return "\n".join(one_line(line) for line in text.split("\n"))


def one_line(text: str, limit: int | None = None) -> str:
    """The same for a whole text on one line, cut to `limit` characters."""
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def as_json(value: Any) -> str:
    """A JSON value on one line, cut where it gets long; texts without quotes."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return one_line(text, _SHORT)


def params(values: dict[str, Any]) -> str:
    """`date=2026-11-22 file=nyc`"""
    return " ".join(f"{name}={as_json(value)}" for name, value in values.items())


def when(rfc3339: str) -> datetime:
    """In the local time zone."""
    return datetime.fromisoformat(rfc3339).astimezone()


def clock(rfc3339: str) -> str:
    """`12:00:01`"""
    return f"{when(rfc3339):%H:%M:%S}"


def date_and_time(rfc3339: str | None) -> str:
    """`2026-11-22 12:00:01`"""
    return f"{when(rfc3339):%Y-%m-%d %H:%M:%S}" if rfc3339 else ""


def local_times(text: str) -> str:
    """The text with the times in it as the local clock shows them."""
    return _RFC3339.sub(lambda found: clock(found[0]), text)


def took(thing: dict[str, Any]) -> str:
    """How long a run or step took, or has been going on: `1.2 s`, `3 min 05 s`; nothing before it started."""
    if not thing["started"]:
        return ""
    end = when(thing["ended"]) if thing["ended"] else datetime.now(UTC)
    return duration((end - when(thing["started"])).total_seconds())


def duration(seconds: float) -> str:
    """`0.4 s`, `42 s`, `3 min 05 s`, `2 h 07 min`, `3 d 04 h`"""
    seconds = max(0.0, seconds)
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{seconds:.1f} s" if seconds < _TENTHS_BELOW else f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR:02} h"


def last_lines(text: str, count: int) -> list[str]:
    """The last lines that are not empty, each harmless."""
    lines = [line.rstrip() for line in text.replace("\r", "\n").split("\n") if line.strip()]
    return [one_line(line, 500) for line in lines[-count:]]


def items(counts: dict[str, int]) -> str:
    """`317 of 1,000 succeeded, 3 failed, 32 running`"""
    told = [f"{counts['succeeded']:,} of {counts['count']:,} succeeded"]
    told += [f"{counts[what]:,} {what}" for what in ("failed", "running") if counts[what]]
    return ", ".join(told)


def gist(step: dict[str, Any]) -> str:
    """The line of a step's error that says most: an exception begins with it, a job's output ends with it."""
    error = step["error"] or ""
    lines = last_lines(error, len(error))
    return (lines[0] if step.get("kind") == "python" else lines[-1]) if lines else ""
