"""JSON, base64, numbers and times as Google's services write them. Whatever is wrong raises `BadEvent`."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime, timedelta
from typing import Annotated, TypeVar

import msgspec

from onward.core.errors import BadEvent
from onward.core.problems import shown

_T = TypeVar("_T")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[-+]\d\d:\d\d)", re.ASCII)
_INT64 = re.compile(r"[0-9]{1,19}")
Int64 = str | Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""JSON holds 64 bits as a number or as text."""
_RUN = re.compile(r"[0-9a-f]{20}(~[1-9][0-9]{0,3})?")
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")


def decode(data: bytes | msgspec.Raw, kind: type[_T], what: str, wanted: str) -> _T:
    """JSON of that kind; members that it does not name are passed over."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEvent(f"{what} must be JSON such as {wanted}: {shown(str(error), bare=True)}") from None


def from_base64(text: str, what: str) -> bytes:
    """Either alphabet, with or without padding, as proto3's JSON has it; and nothing else."""
    try:
        if _BASE64.fullmatch(text):
            bare = text.rstrip("=").replace("-", "+").replace("_", "/")
            return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error:
        pass
    raise BadEvent(f"{what} must be base64, not {shown(text)}")


def int64(value: Int64, what: str) -> int:
    """The number, which is not negative."""
    if isinstance(value, int):
        return value
    if _INT64.fullmatch(value) and int(value) < 2**63:
        return int(value)
    raise BadEvent(f"{what} must be a whole number of 64 bits, not {shown(value)}")


def microseconds(text: str, what: str) -> int:
    """An RFC 3339 time as microseconds since 1970, UTC."""
    try:
        if _TIME.fullmatch(text):
            return (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        pass
    raise BadEvent(f"{what} must be a time such as 2026-11-22T06:30:00.123Z, not {shown(text)}")


def run_id(text: str) -> str:
    """The text, which is the id of a run as `core.naming` gives them."""
    if _RUN.fullmatch(text):
        return text
    raise BadEvent(f"{shown(text)} is not the id of a run")
