"""Dead letters: what could not be dealt with, why, and how it is tried again once the reason is mended.

Usage: letters.py list PROJECT PREFIX       what waits, and why; all of it stays
       letters.py replay PROJECT PREFIX     publish each again to the topic that it was on, and take it off
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOPICS = {
    "on_object": "object",
    "on_message": "start",
    "on_command": "command",
    "on_wake": "wake",
    "on_job_event": "completions",
}
"""By entry point. A call of a python step and a timer come from queues: nobody can publish those."""
OWN = ("onward-reason", "onward-door", "onward-cut-from", "CloudPubSub")
"""What the names of attributes begin with that say why a letter is dead."""
BATCH = 100
SECONDS = 5.0
"""When nothing more came for so long, that was all."""


class Letters:
    """The subscription that keeps them."""

    def __init__(self, project: str, prefix: str) -> None:
        from google.pubsub_v1.services.publisher import PublisherClient
        from google.pubsub_v1.services.subscriber import SubscriberClient

        self._prefix = prefix
        self._topic = f"projects/{project}/topics/{prefix}-"
        self._name = f"projects/{project}/subscriptions/{prefix}-dead-letter"
        self._publisher: Any = _client(PublisherClient)
        self._subscriber: Any = _client(SubscriberClient)

    def all(self, replay: bool) -> Iterator[str]:
        """A line for each that waits, with what became of it."""
        began, held, met = datetime.now(UTC), [], set[str]()
        while letters := self._pull():
            held += [letter.ack_id for letter in letters]
            # One that was published again may be dead again by now, and one that stays may come twice.
            new = [each for each in letters if each.message.publish_time <= began]
            new = [each for each in new if each.message.message_id not in met]
            if not new:
                break
            for letter in new:
                met.add(letter.message.message_id)
                became = self._again(letter) if replay else ""
                yield f"{_told(letter.message)}{became and f': {became}'}"
        for start in range(0, len(held), BATCH):
            self._subscriber.modify_ack_deadline(
                subscription=self._name, ack_ids=held[start : start + BATCH], ack_deadline_seconds=0
            )

    def _pull(self) -> Any:
        from google.api_core.exceptions import DeadlineExceeded

        try:
            answer = self._subscriber.pull(
                subscription=self._name, max_messages=BATCH, retry=None, timeout=SECONDS
            )
        except DeadlineExceeded:
            return ()
        return answer.received_messages

    def _again(self, letter: Any) -> str:
        """Publish it, then take it off: should this end in between, it is there twice, which harms nobody."""
        message, attributes = letter.message, letter.message.attributes
        topic = TOPICS.get(attributes.get("onward-door", "")) or self._source(attributes)
        # Others may listen to a pipeline's topic, and have dealt with it: so it goes to the topic of starts.
        pipelines = self._pipelines(attributes) if topic.startswith("start-") else {}
        topic = "start" if pipelines else topic
        if topic not in TOPICS.values():
            return "stays, as nobody can publish it: try its run again"
        if "onward-cut-from" in attributes:
            return "stays, as it was too large to be kept whole"
        kept = {name: value for name, value in attributes.items() if not name.startswith(OWN)}
        kept |= pipelines
        again = {"data": message.data, "attributes": kept}
        self._publisher.publish(topic=f"{self._topic}{topic}", messages=[again])
        self._subscriber.acknowledge(subscription=self._name, ack_ids=[letter.ack_id])
        return f"published again to {self._prefix}-{topic}"

    def _source(self, attributes: Any) -> str:
        """Of one that Pub/Sub gave up: its subscription is named as its topic."""
        name = attributes.get("CloudPubSubDeadLetterSourceSubscription", "")
        return str(name).removeprefix(f"{self._prefix}-")

    def _pipelines(self, attributes: Any) -> dict[str, str]:
        """The attribute that says of which topic of a pipeline's a message is: its subscription knows it."""
        name = attributes["CloudPubSubDeadLetterSourceSubscription"]
        path = f"{self._name.rpartition('/')[0]}/{name}"
        url = self._subscriber.get_subscription(subscription=path).push_config.push_endpoint
        topics = parse_qs(urlsplit(url).query).get("topic")
        return {"onward-topic": topics[0]} if topics else {}


def _told(message: Any) -> str:
    attributes = message.attributes
    door = attributes.get("onward-door") or attributes.get("CloudPubSubDeadLetterSourceSubscription", "?")
    reason = attributes.get("onward-reason") or "was delivered too often"
    return f"{message.publish_time:%Y-%m-%d %H:%M:%S} {door}: {reason!r}"


def _client(kind: Any) -> Any:
    emulator = os.environ.get("PUBSUB_EMULATOR_HOST")
    if emulator is None:
        return kind()
    import grpc  # type: ignore[import-untyped]

    return kind(transport=kind.get_transport_class("grpc")(channel=grpc.insecure_channel(emulator)))


def main() -> None:
    match sys.argv[1:]:
        case ["list" | "replay" as verb, project, prefix]:
            for line in Letters(project, prefix).all(verb == "replay"):
                print(line, flush=True)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
