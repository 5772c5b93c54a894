from __future__ import annotations

import pytest
from msgspec.structs import replace
from onward.core.facts import ByHand, Message, StopsBackfill, WantsBackfill
from onward.ingress.envelope import letter
from onward.ingress.facts import Command, Facts, Poison, Switch
from onward.ingress.messages import parse, parse_command
from unit.ingress.envelopes import RUN, binary, payload, push, pushed, request, unwrapped


@pytest.mark.parametrize("wrap", [pushed, unwrapped])
def test_a_start_names_the_pipeline_in_its_data_or_in_its_attributes(wrap):
    start = Facts((ByHand("weather", {"date": "2026-09-01"}, "k"),))
    data = {"pipeline": "weather", "params": {"date": "2026-09-01"}}
    assert parse(wrap(data, {"key": "k"})) == start
    assert parse(wrap(data | {"key": "k"})) == start
    assert parse(wrap(data["params"], {"pipeline": "weather", "key": "k"})) == start


def test_a_start_may_consist_of_attributes_alone():
    assert parse(pushed(b"", {"pipeline": "weather"})) == Facts((ByHand("weather", {}, "77"),))


def test_without_a_key_each_message_is_a_run_of_its_own_and_a_redelivery_the_same():
    (start,) = parse(pushed({"pipeline": "weather"})).facts
    assert start.key == "77"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the data of the message must be JSON such as"),
        ({"pipeline": 3}, "Expected `str`, got `int`"),
        ({"pipeline": "weather", "parms": {}}, "unknown field `parms`"),
        ({"pipeline": "weather", "params": []}, "Expected `object`, got `array`"),
    ],
)
def test_a_start_that_can_not_be_read_is_poison(data, problem):
    found = parse(pushed(data))
    assert isinstance(found, Poison)
    assert problem in found.reason


def test_a_command_cancels_or_retries_a_run():
    assert parse_command(pushed({"command": "cancel", "run": RUN})) == Facts((Command("cancel", RUN),))
    retry = {"command": "retry", "run": f"{RUN}~2", "newest_plan": True}
    assert parse_command(pushed(retry)) == Facts((Command("retry", f"{RUN}~2", True),))


def test_a_command_begins_or_stops_a_backfill_whose_key_is_the_message_if_it_gives_none():
    wanted = {"command": "backfill", "pipeline": "p", "from": "2026-01-01", "to": "2026-01-31"}
    found = WantsBackfill("p", "2026-01-01", "2026-01-31")
    assert parse_command(pushed(wanted)) == Facts((replace(found, key="77"),))
    again = {**wanted, "key": "k", "objects": "gs://b/**", "parallel": 2, "force": True, "params": {"a": 1}}
    given = replace(found, key="k", objects="gs://b/**", parallel=2, force=True, params={"a": 1})
    assert parse_command(pushed(again)) == Facts((given,))
    stop = {"command": "stop-backfill", "backfill": "b" * 12, "running": True}
    assert parse_command(pushed(stop)) == Facts((StopsBackfill("b" * 12, True),))


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_a_pause_is_as_old_as_its_message_whatever_that_says_itself(command):
    told = 1_788_249_600_109_000
    for said in ({}, {"at": 5}):
        found = parse_command(pushed({"command": command, "pipeline": "weather", **said}))
        assert found == Facts((Switch(command, "weather", told),))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (
            {"command": "halt", "run": RUN},
            "there is no command `halt`; there are `cancel`, `retry`, `pause`, `resume`, `backfill` and "
            "`stop-backfill`",
        ),
        ({"command": "pause", "run": RUN}, "unknown field `run`"),
        ({"command": "resume"}, "missing required field `pipeline`"),
        ({"command": "backfill", "from": "2026-01-01"}, "missing required field `pipeline`"),
        ({"command": "backfill", "pipeline": "p", "parallel": "4"}, "Expected `int`, got `str`"),
        ({"command": "stop-backfill", "run": RUN}, "unknown field `run`"),
        ({"command": "cancel"}, "missing required field `run`"),
        ({"command": "cancel", "run": "../runs/x"}, "`../runs/x` is not the id of a run"),
        ({"command": "cancel", "run": f"{RUN}~0"}, "is not the id of a run"),
        ({"command": "cancel", "run": RUN, "force": True}, "unknown field `force`"),
        ({}, "missing required field `command`"),
    ],
)
def test_a_command_that_can_not_be_carried_out_is_poison(data, problem):
    found = parse_command(pushed(data))
    assert isinstance(found, Poison)
    assert problem in found.reason


@pytest.mark.parametrize("parse", [parse, parse_command])
def test_an_event_that_is_no_message_is_poison(parse):
    found = parse(binary(payload("gcs_object_finalized")))
    assert isinstance(found, Poison)
    assert found.reason.startswith("a Pub/Sub message was expected")


@pytest.mark.parametrize("wrap", [pushed, unwrapped])
def test_a_message_of_a_pipelines_topic_stays_as_it_is(wrap):
    sent = wrap(b"\xff no json", {"kind": "new"})
    sent = sent._replace(headers={**sent.headers, "x-onward-topic": "orders"})
    assert parse(sent) == Facts((Message("orders", "77", b"\xff no json", {"kind": "new"}),))


def test_a_dead_letter_of_it_published_again_to_our_topic_is_the_same_message():
    sent = pushed(b"no json", {"kind": "new"})
    sent = sent._replace(headers={**sent.headers, "x-onward-topic": "orders"})
    data, attributes = letter(sent)
    again = parse(request(push(data, dict(attributes), messageId="99", message_id="99")))
    assert again == Facts((Message("orders", "77", b"no json", {"kind": "new"}),))


def test_nobody_makes_a_pipelines_message_another_topics_by_its_attributes():
    sent = pushed(b"{}", {"onward-topic": "sales", "onward-id": "1"})
    sent = sent._replace(headers={**sent.headers, "x-onward-topic": "orders"})
    (found,) = parse(sent).facts
    assert (found.topic, found.id) == ("orders", "77")
