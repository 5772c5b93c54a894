"""What a `scenario.yaml` says, as data: what is done, and what comes of it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import yaml

DOORS = ("embedded", "cloud")
SECOND = 1_000_000
_SPAN = re.compile(r"(\d+)(s|m|h|d)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A misspelled word is a mistake."""


class Drop(Strict):
    """An object arrives. `again`: what is there already is told once more."""

    bucket: str
    name: str
    content: str = ""
    again: bool = False
    metadata: dict[str, str] = {}


class Object(Strict):
    """One that is deleted."""

    bucket: str
    name: str


class Publish(Strict):
    """A message. `id` is Pub/Sub's: the same id is the same message, delivered again."""

    topic: str
    data: Any = None
    attributes: dict[str, str] = {}
    id: str = ""


class Hand(Strict):
    """A run by hand."""

    pipeline: str
    params: dict[str, Any] = {}
    key: str = ""
    force: bool = False


class Which(Strict):
    """The newest run of a pipeline that has these parameters (or, at a retry, its newest try)."""

    pipeline: str
    params: dict[str, Any] = {}
    newest_plan: bool = False


class Order(Strict):
    """About jobs of a step. To end one: that of the oldest that run, or else the next that is submitted."""

    step: str
    pipeline: str = ""
    times: int = 1
    output: Any = None
    error: str = "it broke"


class Time(Strict):
    """How long (`90s`, `2h`, `1d`), or until when: `06:00 Europe/Stockholm`, `2026-09-03 06:00 UTC`."""

    by: str = ""
    to: str = ""


class Restart(Strict):
    """The runtime is gone for so long, then started again; the cloud's instances are new ones."""

    after: str = "0s"


class Expected(Strict):
    """A run, or `times` of them, as it is in the end."""

    pipeline: str
    state: str
    params: dict[str, Any] = {}
    """Those that matter."""
    steps: dict[str, str] = {}
    """Of those that matter, the states that each went through."""
    outputs: dict[str, Any] = {}
    error: str = ""
    """A part of it."""
    trigger: dict[str, Any] = {}
    """What of it matters."""
    number: int = msgspec.field(default=1, name="try")
    times: int = 1


class Action(Strict):
    """One thing that is done: exactly one of these. When it is done, all that follows from it happens."""

    drop: Drop | None = None
    delete: Object | None = None
    publish: Publish | None = None
    run: Hand | None = None
    cancel: Which | None = None
    retry: Which | None = None
    pause: str | None = None
    resume: str | None = None
    hold: Order | None = None
    succeed: Order | None = None
    fail: Order | None = None
    advance: Time | None = None
    restart: Restart | None = None
    together: list[Action] | None = None
    """Nothing that follows happens before the last of them is done."""
    expect: list[Expected] | None = None
    """All runs, as they are now."""

    @property
    def does(self) -> Any:
        """The one that is given."""
        (given,) = [value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None]
        return given


class Scenario(Strict):
    """A promise, and how it is kept."""

    scenario: str
    proves: list[str]
    do: list[Action]
    expect: list[Expected]
    at: str = "2026-09-01 08:00 UTC"
    """When it begins."""
    doors: tuple[str, ...] = DOORS
    why: str = ""
    """It does not go through both."""
    clusters: dict[str, int] = {}
    """How many of the runs' own were `created`, and are `left`: at the cloud door."""
    refused: list[str] = []
    """A part of each reason for which something was put aside or refused, in any order."""
    announced: list[dict[str, Any]] = []
    """What matters of each announcement, in any order."""


def read(folder: Path) -> Scenario:
    """Raises AssertionError for a file that is not what it should be."""
    file = folder / "scenario.yaml"
    try:
        raw = _plain(yaml.safe_load(file.read_text()))
        found = msgspec.convert(raw, Scenario)
        for action in found.do:
            assert action.does is not None
    except (yaml.YAMLError, msgspec.ValidationError, ValueError) as error:
        raise AssertionError(f"{file}: {error}") from None
    assert set(found.doors) <= set(DOORS), f"{file}: there are the doors {DOORS}"
    assert found.doors == DOORS or found.why, f"{file}: say why it goes not through both doors"
    return found


def span(text: str) -> int:
    """Microseconds."""
    found = _SPAN.fullmatch(text)
    assert found, f"{text!r} is no duration such as 90s, 30m, 2h or 1d"
    return int(found[1]) * _UNITS[found[2]] * SECOND


def moment(text: str, after: int = 0) -> int:
    """Microseconds since 1970 of `2026-09-01 08:00 UTC`; of `08:00 UTC`, the next one after that time."""
    *day, clock, zone = text.split()
    here = ZoneInfo(zone)
    hour, minute = map(int, clock.split(":"))
    if day:
        return _micros(datetime.fromisoformat(day[0]).replace(hour=hour, minute=minute, tzinfo=here))
    now = datetime.fromtimestamp(after / SECOND, UTC).astimezone(here)
    found = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return _micros(found if _micros(found) > after else found + timedelta(days=1))


def _micros(at: datetime) -> int:
    return round(at.timestamp() * SECOND)


def _plain(value: Any) -> Any:
    """Dates as text: a parameter is compared as JSON."""
    match value:
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case date():
            return value.isoformat()
        case _:
            return value
