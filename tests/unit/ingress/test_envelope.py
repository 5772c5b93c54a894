from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onward.core.errors import BadEvent
from onward.ingress.envelope import MAX_BODY, CloudEvent, Message, opened
from unit.ingress.envelopes import binary, payload, push, pushed, request, structured, unwrapped

PUBLISHED = "2026-09-01T08:00:00.109Z"


def message(**members: object) -> Message:
    body = push(b"{}")
    body["message"] |= members
    body["message"] = {name: value for name, value in body["message"].items() if value is not ...}
    found = opened(request(body))
    assert isinstance(found, Message)
    return found


@pytest.mark.parametrize("wrap", [structured, binary, lambda event: request(event["data"])])
def test_a_message_is_the_same_by_eventarc_in_both_modes_and_by_a_push(wrap):
    found = opened(wrap(payload("pubsub_message_published")))
    assert found == Message(
        "22222222222222222",
        b'{"run_id":"r20260901","node_id":"clean","attempt":1}',
        {"run_id": "r20260901", "node_id": "clean", "attempt": "1"},
        published=PUBLISHED,
    )


def test_a_push_tells_how_often_it_was_delivered():
    assert opened(pushed(b"x", {"a": "b"})) == Message("77", b"x", {"a": "b"}, 4, PUBLISHED)


def test_a_push_without_wrapper_is_a_message_with_the_attributes_that_are_headers():
    found = opened(unwrapped({"a": 1}, {"eventType": "OBJECT_FINALIZE"}))
    assert found == Message("77", b'{"a": 1}', {"eventtype": "OBJECT_FINALIZE"}, published=PUBLISHED)
    assert isinstance(found, Message)
    assert found.attribute("eventType") == "OBJECT_FINALIZE"


def test_a_message_may_consist_of_attributes_alone():
    assert message(data=...).data == b""
    assert message(data="").data == b""
    assert message(data=None).data == b""


def test_an_id_is_found_under_either_name_and_may_be_a_number():
    assert message(messageId=..., message_id="5").id == "5"
    assert message(messageId="5", message_id=...).id == "5"
    assert message(messageId=5).id == "5"


def test_attributes_may_be_missing():
    assert message(attributes=...).attributes == {}


@given(st.binary(max_size=40))
def test_data_is_taken_in_both_alphabets_of_base64_with_padding_or_without(data: bytes):
    for text in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
        assert message(data=text.decode()).data == data
        assert message(data=text.decode().rstrip("=")).data == data


@pytest.mark.parametrize("text", ["a", "====", "ab cd", "ab\n", "a=bc", "äöüß", "abcde", "{}"])
def test_data_that_is_not_base64_is_named(text: str):
    with pytest.raises(BadEvent, match="the message's data must be base64, not"):
        message(data=text)


@pytest.mark.parametrize("wrap", [structured, binary])
def test_another_cloud_event_keeps_its_type_and_data(wrap):
    found = opened(wrap(payload("gcs_object_finalized")))
    assert isinstance(found, CloudEvent)
    assert (found.id, found.type) == ("1234567890123456", "google.cloud.storage.object.v1.finalized")
    assert b'"_SUCCESS' in found.data.replace(b"sales/2026-09-01/", b"")


def test_a_structured_event_may_hold_its_data_as_base64():
    event = payload("gcs_object_finalized")
    event |= {"data": None, "data_base64": base64.b64encode(b"{}").decode()}
    assert opened(structured(event)).data == b"{}"


def test_a_binary_events_attributes_are_percent_decoded():
    event = payload("gcs_object_finalized") | {"id": "a%20b"}
    assert opened(binary(event)).id == "a b"


@pytest.mark.parametrize(
    ("headers", "body", "problem"),
    [
        ({}, b"", "a pushed message must be JSON such as"),
        ({}, b"\xff\xfe", "a pushed message must be JSON such as"),
        ({}, b"[]", "a pushed message must be JSON such as"),
        ({}, b"[" * 100_000, "a pushed message must be JSON such as"),
        ({}, b'{"message": ' * 50_000, "a pushed message must be JSON such as"),
        ({}, b'{"message": {"data": 3, "messageId": "1"}}', r"Expected `str \| null`, got `int`"),
        ({}, b'{"message": {}}', "a pushed message must have a messageId"),
        ({}, b'{"message": {"messageId": 1e3}}', "must be JSON such as"),
        ({}, b'{"message": {"messageId": ' + b"9" * 5000 + b"}}", "Integer value out of range"),
        ({}, b'{"message": {"messageId": "1"}, "deliveryAttempt": "often"}', "must be a whole number"),
        ({}, b" " * (MAX_BODY + 1), "the request is 15,000,001 bytes; at most 15,000,000 are taken"),
        ({"content-type": "application/cloudevents-batch+json"}, b"[]", "send each event by itself"),
        ({"content-type": "application/cloudevents+xml"}, b"", "send each event by itself"),
        ({"content-type": "application/cloudevents+json"}, b"{}", "a CloudEvent must be JSON such as"),
        ({"ce-type": "t", "ce-specversion": "1.0"}, b"{}", "must have the header ce-source"),
        (
            {"ce-type": "t", "ce-specversion": "0.3", "ce-source": "s", "ce-id": "1"},
            b"{}",
            "version `0.3` are not known",
        ),
        (
            {
                "ce-type": "t",
                "ce-specversion": "1.0",
                "ce-source": "s",
                "ce-id": "1",
                "content-type": "application/protobuf",
            },
            b"",
            "the event's data is `application/protobuf`; set the trigger to application/json",
        ),
    ],
)
def test_what_is_no_envelope_is_refused_in_one_sentence(headers, body, problem):
    with pytest.raises(BadEvent, match=problem) as refused:
        opened(request(body, headers or None))
    assert len(str(refused.value)) < 400
    assert "\n" not in str(refused.value)


def test_an_unknown_member_or_attribute_harms_nothing():
    event = payload("pubsub_message_published") | {"newextension": "1", "traceparent": "00-1-2-03"}
    event["data"]["message"]["newMember"] = {"a": [1]}
    assert isinstance(opened(structured(event)), Message)
    assert isinstance(opened(binary(event)), Message)
