from __future__ import annotations

from typing import Any

import pytest
from onward.core.matching import ObjectArrival
from onward.core.pipeline import DAY
from onward.ingress import storage
from onward.ingress.facts import Facts, Ignored, ObjectFinalized, Poison
from unit.ingress.envelopes import NOW, binary, payload, pushed, request, structured, unwrapped

UPDATED = 1_788_249_015_917_000
MARKER = ObjectArrival("invented-landing", "sales/2026-09-01/_SUCCESS", "1756713015917163", 0)
ATTRIBUTES = {
    "eventType": "OBJECT_FINALIZE",
    "bucketId": "invented-landing",
    "objectId": "sales/2026-09-01/_SUCCESS",
    "objectGeneration": "1756713015917163",
    "eventTime": "2026-09-01T07:50:15.917Z",
    "payloadFormat": "JSON_API_V1",
    "notificationConfig": "projects/_/buckets/invented-landing/notificationConfigs/1",
}


def event(**members: Any) -> dict[str, Any]:
    found = payload("gcs_object_finalized")
    found["data"] |= members
    found["data"] = {name: value for name, value in found["data"].items() if value is not ...}
    return found


def arrived(result: object) -> ObjectArrival:
    assert isinstance(result, Facts), result
    (fact,) = result.facts
    assert isinstance(fact, ObjectFinalized)
    return fact.object


@pytest.mark.parametrize("wrap", [structured, binary])
def test_eventarcs_own_event_is_an_arrival(wrap):
    assert storage.parse(wrap(event())) == Facts((ObjectFinalized(MARKER, UPDATED),))


@pytest.mark.parametrize("wrap", [pushed, unwrapped])
def test_a_buckets_notification_is_the_same_arrival(wrap):
    assert storage.parse(wrap(event()["data"], ATTRIBUTES)) == Facts((ObjectFinalized(MARKER, UPDATED),))


def test_a_notification_without_payload_is_the_same_arrival_but_for_the_size():
    found = storage.parse(pushed(b"", ATTRIBUTES | {"payloadFormat": "NONE"}))
    assert found == Facts((ObjectFinalized(MARKER, UPDATED),))


@pytest.mark.parametrize("size", [7, "7"])
def test_64_bits_come_as_numbers_or_as_text(size):
    found = arrived(storage.parse(structured(event(size=size, generation=1756713015917163))))
    assert found == ObjectArrival(MARKER.bucket, MARKER.name, MARKER.generation, 7)


def test_a_size_may_be_missing():
    assert arrived(storage.parse(structured(event(size=...)))).size == 0


@pytest.mark.parametrize("name", ["a b\n\"'..\\", "../../x", "é" * 500, "%41", "x"])
def test_any_name_stays_as_it_is(name: str):
    assert arrived(storage.parse(structured(event(name=name)))).name == name
    assert arrived(storage.parse(pushed({}, ATTRIBUTES | {"objectId": name}))).name == name


@pytest.mark.parametrize("kind", ["deleted", "archived", "metadataUpdated"])
def test_what_else_happens_to_an_object_starts_nothing(kind: str):
    found = storage.parse(structured(event() | {"type": f"google.cloud.storage.object.v1.{kind}"}))
    assert isinstance(found, Ignored)
    assert kind in found.reason


@pytest.mark.parametrize("kind", ["OBJECT_DELETE", "OBJECT_ARCHIVE", "OBJECT_METADATA_UPDATE"])
def test_a_notification_of_what_else_happens_starts_nothing(kind: str):
    found = storage.parse(pushed(event()["data"], ATTRIBUTES | {"eventType": kind}))
    assert isinstance(found, Ignored)
    assert kind in found.reason


@pytest.mark.parametrize("wrap", [pushed, lambda data, _: structured(event(**data))])
def test_an_arrival_beyond_the_horizon_is_poison(wrap):
    def at(now: int) -> object:
        return storage.parse(wrap(event()["data"], ATTRIBUTES)._replace(at=now))

    assert isinstance(at(UPDATED + 35 * DAY), Facts)
    late = at(UPDATED + 35 * DAY + 1)
    assert isinstance(late, Poison)
    assert late.reason.startswith("the object arrived 35 days ago; after 35 days nobody knows")


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"bucket": ...}, "missing required field `bucket`"),
        ({"bucket": ""}, "must have a bucket and a name"),
        ({"name": ""}, "must have a bucket and a name"),
        ({"name": 3}, "Expected `str`, got `int`"),
        ({"generation": "latest"}, "the object's generation must be a whole number of 64 bits, not `latest`"),
        ({"generation": -1}, "Expected `int` >= 0"),
        ({"generation": "9" * 19}, "must be a whole number of 64 bits"),
        ({"size": "1.5"}, "the object's size must be a whole number"),
        ({"updated": "yesterday"}, "the object's time must be a time such as"),
        ({"updated": "2026-13-01T00:00:00Z"}, "the object's time must be a time such as"),
        ({"updated": "0001-01-01T00:00:00+23:59"}, "days ago"),
    ],
)
def test_a_broken_object_is_poison_with_a_reason(members, problem):
    found = storage.parse(structured(event(**members)))
    assert isinstance(found, Poison)
    assert problem in found.reason


@pytest.mark.parametrize("name", ["eventType", "bucketId", "objectId", "objectGeneration"])
def test_a_notification_without_an_attribute_that_matters_is_poison(name: str):
    attributes = {key: value for key, value in ATTRIBUTES.items() if key != name}
    found = storage.parse(pushed(event()["data"], attributes))
    assert found == Poison(f"a bucket's notification must have the attribute {name}")


def test_a_time_in_nanoseconds_counts_in_microseconds():
    found = storage.parse(structured(event(updated="2026-09-01T07:50:15.917000999Z")))
    assert found == Facts((ObjectFinalized(MARKER, UPDATED),))


def test_something_else_entirely_is_poison():
    assert isinstance(storage.parse(request(b"GET /", at=NOW)), Poison)
