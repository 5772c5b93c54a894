"""Dead letters are told with their reason, and published again as they were."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from cloud.deployment import LETTERS, Deployment
from unit.ingress.envelopes import push, request

LETTERS_PY = Path(__file__).parents[2] / ".ci" / "letters.py"
TOPICS = ("onward-object", "onward-start", "onward-command", "onward-completions")


@pytest.fixture
def topics(deployment: Deployment) -> Deployment:
    for name in TOPICS:
        topic = f"projects/{deployment.project}/topics/{name}"
        deployment.publisher.create_topic(name=topic)
        deployment.subscriber.create_subscription(
            name=f"projects/{deployment.project}/subscriptions/{name}", topic=topic
        )
    return deployment


def letters(verb: str, deployment: Deployment) -> list[str]:
    spec = spec_from_file_location("letters", LETTERS_PY)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.SECONDS = 2.0  # the emulator is near
    return list(module.Letters(deployment.project, "onward").all(verb == "replay"))


def bury(deployment: Deployment, data: bytes, **attributes: str) -> None:
    topic = f"projects/{deployment.project}/topics/{LETTERS}"
    named: dict[str, Any] = {name.replace("_", "-"): value for name, value in attributes.items()}
    deployment.publisher.publish(topic=topic, messages=[{"data": data, "attributes": named}])


def test_a_letter_is_listed_with_its_reason_and_stays_and_is_then_published_as_it_was(topics: Deployment):
    assert topics.post("on_message", request(push(b'{"pipeline": "sale"}', {"key": "k"}))) == 204
    for _ in range(2):
        (line,) = letters("list", topics)
        assert "on_message: 'no pipeline named `sale` is deployed; did you mean `sales`?'" in line
    (line,) = letters("replay", topics)
    assert line.endswith("published again to onward-start")
    (message,) = topics.published("onward-start", 1)
    assert (message.data, dict(message.attributes)) == (b'{"pipeline": "sale"}', {"key": "k"})
    assert letters("list", topics) == []


def test_what_pubsub_gave_up_goes_back_to_the_topic_of_its_subscription(topics: Deployment) -> None:
    source = {"CloudPubSubDeadLetterSourceSubscription": "onward-completions", "kind": "x"}
    bury(topics, b"bell", **source)
    (line,) = letters("replay", topics)
    assert "onward-completions: 'was delivered too often'" in line
    (message,) = topics.published("onward-completions", 1)
    assert (message.data, dict(message.attributes)) == (b"bell", {"kind": "x"})


def test_what_can_not_be_published_again_stays_and_says_so(topics: Deployment) -> None:
    bury(topics, b"{}", onward_door="run_python", onward_reason="r")
    bury(topics, b"{", onward_door="on_object", onward_reason="too\nlong", onward_cut_from="9999999")
    said = sorted(
        line.partition(" on_")[2] or line.partition(" run_")[2] for line in letters("replay", topics)
    )
    assert said == [
        "object: 'too\\nlong': stays, as it was too large to be kept whole",
        "python: 'r': stays, as nobody can publish it: try its run again",
    ]
    assert len(letters("list", topics)) == 2


def test_all_are_told_however_many_and_each_once(topics: Deployment) -> None:
    for number in range(250):
        bury(topics, b"{}", onward_door="on_timer", onward_reason=f"number {number}")
    for verb in ("list", "replay"):
        said = [line.partition("'")[2] for line in letters(verb, topics)]
        assert len(set(said)) == len(said) == 250


def test_a_letter_of_a_pipelines_topic_goes_to_ours_as_others_may_listen_to_that_one(
    topics: Deployment,
) -> None:
    named = {"onward-door": "on_message", "onward-reason": "r", "onward-topic": "orders", "onward-id": "17"}
    bury(topics, b"no json", kind="new", **named)
    (line,) = letters("replay", topics)
    assert line.endswith("published again to onward-start")
    (message,) = topics.published("onward-start", 1)
    kept = {"kind": "new", "onward-topic": "orders", "onward-id": "17"}
    assert (message.data, dict(message.attributes)) == (b"no json", kept)


def test_so_does_what_pubsub_gave_up_of_a_pipelines_topic(topics: Deployment) -> None:
    topics.subscriber.create_subscription(
        name=f"projects/{topics.project}/subscriptions/onward-start-orders",
        topic=f"projects/{topics.project}/topics/onward-object",
        push_config={"push_endpoint": "http://127.0.0.1:9/?topic=projects%2Fshop%2Ftopics%2Forders"},
    )
    bury(topics, b"{}", CloudPubSubDeadLetterSourceSubscription="onward-start-orders", kind="new")
    (line,) = letters("replay", topics)
    assert line.endswith("published again to onward-start")
    (message,) = topics.published("onward-start", 1)
    assert dict(message.attributes) == {"kind": "new", "onward-topic": "projects/shop/topics/orders"}
