"""json.*, base64.*, hash.* and time.*: values to bytes or text, and back."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from onward.local.gcw.values import Value, from_json, to_json

ALGORITHMS = ("MD5", "SHA1", "SHA256", "SHA384", "SHA512")


def json_encode(data: Value, indent: bool | dict[str, Value] | None = None) -> Value:
    return _encoded(data, indent).encode()


def json_encode_to_string(data: Value, indent: bool | dict[str, Value] | None = None) -> Value:
    return _encoded(data, indent)


def _encoded(data: Value, indent: bool | dict[str, Value] | None) -> str:
    if indent is None or indent is False:
        return to_json(data)
    options = indent if isinstance(indent, dict) else {}
    prefix, step = options.get("prefix", ""), options.get("indent", "    ")
    if not (isinstance(prefix, str) and isinstance(step, str)):
        raise ValueError("`prefix` and `indent` must be strings")
    return to_json(data, step).replace("\n", "\n" + prefix)


def json_decode(data: str | bytes) -> Value:
    return from_json(data)


def base64_encode(data: bytes, padding: bool = True) -> Value:
    text = base64.b64encode(data).decode()
    return text if padding else text.rstrip("=")


def base64_decode(data: str, padding: bool = True) -> Value:
    return base64.b64decode(data if padding else data + "=" * (-len(data) % 4), validate=True)


def compute_checksum(data: str | bytes, algorithm: str) -> Value:
    return hashlib.new(_algorithm(algorithm), _bytes(data), usedforsecurity=False).digest()


def compute_hmac(key: str | bytes, data: str | bytes, algorithm: str) -> Value:
    return hmac.digest(_bytes(key), _bytes(data), _algorithm(algorithm))


def _algorithm(name: str) -> str:
    if name not in ALGORITHMS:
        raise ValueError(f"the algorithm {name!r} is not available locally: {', '.join(ALGORITHMS)} are")
    return name.lower()


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def time_format(seconds: float, timezone: str = "UTC") -> Value:
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"there is no time zone {timezone!r}") from error
    text = datetime.fromtimestamp(seconds, UTC).astimezone(zone).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


def time_parse(value: str) -> Value:
    moment = datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


FUNCTIONS = {
    "json.encode": json_encode,
    "json.encode_to_string": json_encode_to_string,
    "json.decode": json_decode,
    "base64.encode": base64_encode,
    "base64.decode": base64_decode,
    "hash.compute_checksum": compute_checksum,
    "hash.compute_hmac": compute_hmac,
    "time.format": time_format,
    "time.parse": time_parse,
}
BLOCKING: frozenset[str] = frozenset()
