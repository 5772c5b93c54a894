"""The topics and subscriptions on a laptop are those that Terraform makes."""

from __future__ import annotations

import re
from pathlib import Path

import grpc
from google.pubsub_v1.services.publisher import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from onward.local.standins import deployment

MODULES = Path(__file__).parents[3] / "terraform" / "modules"
TOPOLOGY = "\n".join(path.read_text() for path in sorted((MODULES / "topology").glob("*.tf")))
MESSAGING = (MODULES / "messaging" / "main.tf").read_text()


def number(name: str) -> int:
    """The first value of this name in the push subscriptions' resource."""
    found = re.search(rf'^ +{name} += "?(\d+)', MESSAGING, re.MULTILINE)
    assert found is not None, name
    return int(found[1])


def test_the_topics_and_the_functions_that_they_lead_to_are_those_of_the_topology() -> None:
    own = re.search(r"own_topics += \[(.*)\]", TOPOLOGY)
    assert own is not None
    names = {f"onward-{name}" for name in re.findall(r'"([^"]+)"', own[1])}
    assert names == {deployment.DEAD_LETTER, deployment.ANNOUNCEMENTS, *deployment.DOORS} - {
        deployment.DATAFLOW
    }
    routes = dict(re.findall(r'^ +(on_\w+|run_\w+) += \{ topic = "([^"]+)"', TOPOLOGY, re.MULTILINE))
    assert {f"onward-{topic}": door for door, topic in routes.items()} == {
        topic: door for topic, door in deployment.DOORS.items() if topic != deployment.DATAFLOW
    }


def test_a_subscription_repeats_and_gives_up_as_terraform_says(
    pubsub_address: str,
) -> None:
    with grpc.insecure_channel(pubsub_address) as channel:
        publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        deployment.subscribe(pubsub_address, "127.0.0.1:9", ())
        project = f"projects/{deployment.PROJECT}"
        found = {each.name: each for each in subscriber.list_subscriptions(project=project)}
        for topic, door in deployment.DOORS.items():
            if topic == deployment.DATAFLOW:
                continue
            made = found[f"{project}/subscriptions/onward-{door}"]
            assert made.topic == f"{project}/topics/{topic}"
            assert made.push_config.push_endpoint == f"http://127.0.0.1:9/{door}/"
            assert made.ack_deadline_seconds == number("ack_deadline_seconds")
            assert made.retry_policy.minimum_backoff.total_seconds() == number("minimum_backoff")
            assert made.retry_policy.maximum_backoff.total_seconds() == number("maximum_backoff")
            assert made.dead_letter_policy.dead_letter_topic == f"{project}/topics/{deployment.DEAD_LETTER}"
            assert made.dead_letter_policy.max_delivery_attempts == number("max_delivery_attempts")
        for name in found:
            subscriber.delete_subscription(subscription=name)
        for each in publisher.list_topics(project=project):
            publisher.delete_topic(topic=each.name)
