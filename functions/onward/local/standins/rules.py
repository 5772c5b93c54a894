"""Rules that the services share."""

from __future__ import annotations

import re
from collections.abc import Mapping

from onward.local.standins.server import Refusal

_RFC_1035 = re.compile("[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = re.compile("[a-z0-9_-]{0,63}")


def check(pattern: str, text: str, what: str) -> None:
    """Refuse a text that is not of the documented form."""
    if not re.fullmatch(pattern, text):
        raise Refusal("INVALID_ARGUMENT", f"Invalid {what}: {text!r} must match {pattern}")


def check_labels(labels: Mapping[str, str], most: int, *, strict: bool) -> None:
    """`strict`: keys and values are RFC 1035 labels, as Dataproc documents it."""
    if len(labels) > most:
        raise Refusal("INVALID_ARGUMENT", f"Too many labels: {len(labels)} of at most {most}")
    for key, value in labels.items():
        fits = (_RFC_1035.fullmatch(value) if strict else _LABEL.fullmatch(value)) or not value
        if not _RFC_1035.fullmatch(key) or not fits:
            raise Refusal("INVALID_ARGUMENT", f"Invalid label {key!r}: {value!r}")
