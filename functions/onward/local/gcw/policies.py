"""Retry policies: the standard library's, and `retry:` of a definition."""

from __future__ import annotations

from collections.abc import Callable

from onward.core.problems import shown
from onward.local.gcw.definition import Constant, Retry, Template
from onward.local.gcw.errors import WorkflowError, failure
from onward.local.gcw.evaluator import Environment
from onward.local.gcw.reader import Context, Reader
from onward.local.gcw.source import Node
from onward.local.gcw.templates import render
from onward.local.gcw.values import Value

BACKOFF: dict[str, Template] = {
    "initial_delay": Constant(1.0),
    "max_delay": Constant(60.0),
    "multiplier": Constant(1.25),
}
RETRIES = 5
MAX_RETRIES = 100_000
"""More than an execution has steps for."""
POLICIES = {
    "http.default_retry": "http.default_retry_predicate",
    "http.default_retry_non_idempotent": "http.default_retry_predicate_non_idempotent",
}


def _idempotent(error: WorkflowError) -> bool:
    passing = {"ConnectionError", "ConnectionFailedError", "TimeoutError"}
    return _code(error) in (429, 502, 503, 504) or not passing.isdisjoint(error.tags)


def _non_idempotent(error: WorkflowError) -> bool:
    return _code(error) in (429, 503) or "ConnectionFailedError" in error.tags


def _code(error: WorkflowError) -> object:
    return error.payload["code"] if isinstance(error.payload, dict) and "code" in error.payload else None


PREDICATES: dict[str, Callable[[WorkflowError], bool]] = {
    "http.default_retry_predicate": _idempotent,
    "http.default_retry_predicate_non_idempotent": _non_idempotent,
    "retry.always": lambda _: True,
    "retry.never": lambda _: False,
}


def parse_retry(reader: Reader, node: Node, context: Context) -> Retry | None:
    """`retry:`, a default policy by name or a map of its own."""
    if isinstance(node.content, str):
        name = reader.reference(node, context, "retry")
        if name in POLICIES:
            return Retry(POLICIES[name], node.line, Constant(RETRIES), **BACKOFF)
        if name is not None:
            message = f"the retry policy {shown(name)} is not available locally"
            reader.problem(node.line, context, message, f"there are {' and '.join(POLICIES)}")
        return None
    fields = ("predicate", "max_retries", "backoff")
    keys = reader.keys(node, context, "retry", fields, fields)
    if not all(field in keys for field in fields):
        return None
    predicate = reader.reference(keys["predicate"], context, "predicate") or "retry.never"
    retries = reader.value(keys["max_retries"], context)
    return Retry(predicate, keys["predicate"].line, retries, **_backoff(reader, keys["backoff"], context))


def _backoff(reader: Reader, node: Node, context: Context) -> dict[str, Template]:
    if node.content == "${retry.default_backoff}":
        return BACKOFF
    keys = reader.keys(node, context, "backoff", BACKOFF, BACKOFF)
    return {name: reader.value(keys.get(name), context, default) for name, default in BACKOFF.items()}


def delays(retry: Retry, env: Environment) -> list[float]:
    """Seconds to wait before each retry: as many as there may be."""
    parts = (retry.max_retries, retry.initial_delay, retry.max_delay, retry.multiplier)
    retries, delay, longest, multiplier = (_positive(render(part, env)) for part in parts)
    waits = []
    for _ in range(int(min(retries, MAX_RETRIES))):
        waits.append(min(delay, longest))
        delay *= multiplier
    return waits


def _positive(value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise failure("ValueError", f"a retry policy is made of numbers from 0, not {value!r}")
    return float(value)
