"""Announcements as CloudEvents, on a topic and in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from onward.cloudevents import message, structured
from onward.core.commands import Announce
from onward.core.errors import Unavailable
from onward.core.pipeline import SECOND
from onward.local.announcements import AnnouncementFile
from onward.messaging.pubsub import Announcements, Topic

NOON = 1_700_000_000 * SECOND
FACT = Announce(
    "f" * 32,
    "run_ended",
    NOON,
    "weather",
    "failed",
    "a" * 20,
    {"run": "a" * 20, "pipeline": "weather", "started": NOON - SECOND, "ended": NOON, "error": "no"},
    "a" * 20,
)
TIME = "2023-11-14T22:13:20.000000Z"


def test_a_message_has_the_events_attributes_and_some_to_filter_by() -> None:
    data, attributes = message(FACT, "/projects/p/onward")
    assert attributes == {
        "ce-specversion": "1.0",
        "ce-id": FACT.id,
        "ce-source": "/projects/p/onward/pipelines/weather",
        "ce-type": "dev.onward.run.ended.v1",
        "ce-subject": "a" * 20,
        "ce-time": TIME,
        "ce-datacontenttype": "application/json",
        "pipeline": "weather",
        "kind": "run_ended",
        "state": "failed",
    }
    assert json.loads(data) == {
        "run": "a" * 20,
        "pipeline": "weather",
        "state": "failed",
        "started": "2023-11-14T22:13:19.000000Z",
        "ended": TIME,
        "error": "no",
    }


def test_the_same_event_is_one_json_object() -> None:
    data, _ = message(FACT, "/onward")
    event = json.loads(structured(FACT, "/onward"))
    assert event.pop("data") == json.loads(data)
    assert event == {
        "specversion": "1.0",
        "id": FACT.id,
        "source": "/onward/pipelines/weather",
        "type": "dev.onward.run.ended.v1",
        "subject": "a" * 20,
        "time": TIME,
        "datacontenttype": "application/json",
    }


def test_a_group_of_facts_is_one_publish() -> None:
    class Recorded(Topic):
        def publish(self, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> None:
            groups.append(messages)

    groups: list[Sequence[tuple[bytes, Mapping[str, str]]]] = []
    Announcements(Recorded("projects/p/topics/t"), "/onward").announce([FACT, FACT])
    assert groups == [[message(FACT, "/onward")] * 2]


def test_the_file_has_a_line_for_each_and_whoever_listens_hears_it(tmp_path: Path) -> None:
    announcements = AnnouncementFile(tmp_path / "announcements.jsonl")
    heard: list[Announce] = []
    announcements.heard.append(heard.append)
    announcements.announce([FACT])
    announcements.announce([FACT])
    lines = (tmp_path / "announcements.jsonl").read_bytes().splitlines()
    assert lines == [structured(FACT, "/onward")] * 2
    assert heard == [FACT, FACT]


def test_a_file_that_can_not_be_written_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="took no announcement"):
        AnnouncementFile(tmp_path / "gone" / "announcements.jsonl").announce([FACT])
