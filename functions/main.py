"""The Cloud Functions: one HTTP entry point per kind of event.

Each answers 204, or 500 for what should be delivered again. Only the platform's own service accounts may call
them; what they carry is not believed all the same (`onward.ingress`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from onward import wiring
from onward.ingress import completions, messages, storage, timers
from onward.ingress.envelope import TOPIC_HEADER

if TYPE_CHECKING:
    from flask import Request
    from onward.ingress.facts import Parser

Answer = tuple[str, int]
NONE: Mapping[str, str] = {}


def on_object(request: Request) -> Answer:
    """An object became final: a bucket's notification through Pub/Sub, or Eventarc's own event."""
    return _answer("on_object", storage.parse, request)


def on_message(request: Request) -> Answer:
    """A message on the topic that starts runs, or on a pipeline's: its subscription names that as `topic`."""
    topic = request.args.get("topic")
    return _answer("on_message", messages.parse, request, {TOPIC_HEADER: topic} if topic else {})


def on_command(request: Request) -> Answer:
    """A message on the topic that cancels and retries runs."""
    return _answer("on_command", messages.parse_command, request)


def on_wake(request: Request) -> Answer:
    """What another invocation told this one."""
    return _answer("on_wake", timers.parse_wake, request)


def on_job_event(request: Request) -> Answer:
    """A service says that a job may have ended."""
    return _answer("on_job_event", completions.parse, request)


def on_timer(request: Request) -> Answer:
    """A timer of ours, from Cloud Tasks."""
    return _answer("on_timer", timers.parse_timer, request)


def run_python(request: Request) -> Answer:
    """A task asks for a call of a python step's function. Users' code runs here and nowhere else."""
    return "", wiring.run_python(dict(request.headers), request.get_data())


def _answer(door: str, parse: Parser, request: Request, more: Mapping[str, str] = NONE) -> Answer:
    return "", wiring.receive(door, parse, {**dict(request.headers), **more}, request.get_data())
