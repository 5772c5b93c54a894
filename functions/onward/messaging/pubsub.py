"""Messages on topics of ours: what invocations tell each other, dead letters, and what others may hear."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from onward.cloudevents import message
from onward.core.commands import Announce
from onward.core.errors import Unavailable
from onward.core.events import Event

if TYPE_CHECKING:
    from google.pubsub_v1.services.publisher import PublisherClient

SECONDS = 20.0
"""How long a publish may take, Google's own repeats included."""
LARGEST = 9_000_000
"""Bytes of a dead letter's data; a message has at most ten million with all that belongs to it."""
LONGEST = 1024
"""Bytes of an attribute's value."""
REASON, DOOR = "onward-reason", "onward-door"


class Topic:
    """One topic. `connect` builds the client, for others than Google's default."""

    def __init__(self, name: str, connect: Callable[[], PublisherClient] | None = None) -> None:
        self._name = name
        self._connect = connect or _connect

    @cached_property
    def _client(self) -> PublisherClient:
        return self._connect()

    def publish(self, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> None:
        """All of them (data, attributes) in one call. Raises `Unavailable`."""
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from google.pubsub_v1.types import PublishRequest, PubsubMessage

        request = PublishRequest(
            topic=self._name,
            messages=[PubsubMessage(data=data, attributes=attributes) for data, attributes in messages],
        )
        try:
            self._client.publish(request, timeout=SECONDS)
        except (GoogleAPIError, GoogleAuthError) as error:
            raise Unavailable(f"{self._name} did not take a message: {error}") from error


class PubSubBus:
    """See `ports.Bus`."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic

    def publish(self, events: Sequence[Event]) -> None:
        """See `ports.Bus`. Each event has a delivery, and so a repeat, of its own."""
        self._topic.publish([(msgspec.json.encode(event), {}) for event in events])


class Announcements:
    """See `ports.Announcer`. `source` is where the CloudEvents come from."""

    def __init__(self, topic: Topic, source: str) -> None:
        self._topic = topic
        self._source = source

    def announce(self, facts: Sequence[Announce]) -> None:
        """See `ports.Announcer`."""
        self._topic.publish([message(fact, self._source) for fact in facts])


class DeadLetters:
    """Keeps what could not be dealt with, so that it can be published again once the reason is mended."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic

    def bury(self, door: str, reason: str, data: bytes, attributes: Mapping[str, str]) -> None:
        """`door` is the entry point that it came to."""
        notes = {**attributes, DOOR: door, REASON: reason}
        if len(data) > LARGEST:
            notes["onward-cut-from"] = str(len(data))
        self._topic.publish([(data[:LARGEST], {name: _cut(value) for name, value in notes.items()})])


def _cut(text: str) -> str:
    return text.encode(errors="replace")[:LONGEST].decode(errors="ignore")


def _connect() -> PublisherClient:
    from google.auth.exceptions import GoogleAuthError
    from google.pubsub_v1.services.publisher import PublisherClient
    from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

    emulator = os.environ.get("PUBSUB_EMULATOR_HOST")
    if emulator:
        import grpc  # type: ignore[import-untyped]

        return PublisherClient(transport=PublisherGrpcTransport(channel=grpc.insecure_channel(emulator)))
    try:
        return PublisherClient()
    except GoogleAuthError as error:
        raise Unavailable(f"no credentials for Google Cloud: {error}") from error
