# ruff: noqa: PLR0913, PLR0917  (the parameters are the documented ones)
"""sys.*, uuid.* and Pub/Sub's publish."""

from __future__ import annotations

from onward.local.gcw.errors import failure
from onward.local.gcw.ports import Io
from onward.local.gcw.stdlib.data import time_parse
from onward.local.gcw.values import Value

SEVERITIES = (
    *("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING"),
    *("ERROR", "CRITICAL", "ALERT", "EMERGENCY"),
)


def get_env(io: Io, name: str, default: str | None = None) -> Value:
    value = io.env(name)
    if value is None and default is None:
        raise failure("KeyError", f"sys.get_env: there is no environment variable {name}")
    return default if value is None else value


def now(io: Io) -> Value:
    return io.now()


def log(
    io: Io,
    data: Value = None,
    severity: str = "DEFAULT",
    text: Value = None,
    json_: dict[str, Value] | None = None,
    timeout: float | None = None,  # noqa: ARG001  (a local log line takes no time)
) -> Value:
    payloads = [payload for payload in (data, text, json_) if payload is not None]
    if len(payloads) != 1:
        raise failure("TypeError", "sys.log needs exactly one of `data`, `text` and `json`")
    if severity not in SEVERITIES:
        raise ValueError(f"severity is one of {', '.join(SEVERITIES)}, not {severity!r}")
    io.log(severity, payloads[0])
    return None


def sleep(io: Io, seconds: float) -> Value:
    if not 0 <= seconds <= 31_536_000:
        raise ValueError(f"cannot sleep for {seconds} seconds")
    io.sleep(float(seconds))
    return None


def sleep_until(io: Io, time: str) -> Value:
    moment = time_parse(time)
    assert isinstance(moment, float)
    return sleep(io, max(0.0, moment - io.now()))


def generate(io: Io) -> Value:
    return io.uuid()


def publish(io: Io, topic: str, body: dict[str, Value]) -> Value:
    return io.publish(topic, body)


FUNCTIONS = {
    "sys.get_env": get_env,
    "sys.now": now,
    "sys.log": log,
    "sys.sleep": sleep,
    "sys.sleep_until": sleep_until,
    "uuid.generate": generate,
    "googleapis.pubsub.v1.projects.topics.publish": publish,
}
BLOCKING = frozenset(FUNCTIONS) - {"sys.get_env", "sys.now", "uuid.generate"}
