"""The pipeline file: what starts a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from onward.core.definition.names import IDENTIFIER, NAME
from onward.core.definition.nodes import Node
from onward.core.definition.records import Field, Listing, Record
from onward.core.definition.shapes import Free, Schema, Shape, Span, Text, Whole, Word
from onward.core.pipeline import (
    MAX_INT,
    AbsentTrigger,
    BatchTrigger,
    MessageTrigger,
    ObjectsTrigger,
    ObjectTrigger,
    Part,
    PipelineTrigger,
    ScheduleTrigger,
    Trigger,
)
from onward.core.problems import Path, Report

MAX_PARTS = 32
ENDS = ("succeeded", "failed", "cancelled")


def _triggers(**kinds: Any) -> tuple[Trigger, ...]:
    found: list[Trigger] = []
    for kind in kinds.values():
        found += kind if isinstance(kind, tuple) else (kind,)
    return tuple(found)


def _objects(bucket: str, match: tuple[Part, ...], **fields: Any) -> ObjectsTrigger:
    return ObjectsTrigger(bucket, match, **fields)


@dataclass(frozen=True)
class Globs(Shape):
    """Globs by name, or a glob or several, which are then named by their place."""

    wants: str = "globs by name"
    blank: ClassVar[tuple[Part, ...]] = ()

    def take(self, node: Node, at: Path, report: Report) -> tuple[Part, ...]:
        match node.value:
            case str() as glob:
                return (Part("0", glob),)
            case list() as items if items:
                globs = [Text().read(item, (*at, place), report) for place, item in enumerate(items)]
                parts = tuple(Part(str(place), glob) for place, glob in enumerate(globs))
            case dict() as entries if entries:
                for name, child in entries.items():
                    NAME.read(Node(child.line, child.first, name), (*at, name), report)
                globs = [Text().read(child, (*at, name), report) for name, child in entries.items()]
                parts = tuple(map(Part, entries, globs))
            case _:
                return tuple(self.refuse(node, at, report))
        if len(parts) > MAX_PARTS:
            report.say(node.line, at, f"has {len(parts)} parts", f"at most {MAX_PARTS} are allowed")
        return parts

    def schema(self) -> Schema:
        text = Text().schema()
        return {
            "anyOf": [
                text,
                {"type": "array", "items": text, "minItems": 1, "maxItems": MAX_PARTS},
                {"type": "object", "additionalProperties": text, "minProperties": 1},
            ]
        }


GLOBS = Listing(Text(), single=True, filled=True)
BUCKET = Field(Text(), "The bucket's name; may use `env`.", required=True)
MATCH = Field(GLOBS, "Globs over the object's name; {name} captures a parameter.", required=True)
OBJECT_FILTERS = {
    "exclude": Field(GLOBS, "Globs of names that start nothing although they match."),
    "min_size": Field(Whole(0, MAX_INT), "The smallest size in bytes."),
    "metadata": Field(Free(scalars=True), "What the object's own metadata must say."),
}
TIME_ZONE = Field(Text("a time zone"), "Such as Europe/Stockholm; by default UTC.")
CAPTURES = Listing(IDENTIFIER, single=True, filled=True)

OBJECT = Record(ObjectTrigger, {"bucket": BUCKET, "match": MATCH} | OBJECT_FILTERS)

OBJECTS = Record(
    _objects,
    {
        "bucket": BUCKET,
        "match": Field(Globs(), "The set's parts: globs by name, or globs.", required=True),
        "by": Field(CAPTURES, "Captures that a set's objects agree in; by default those of all parts."),
        "exclude": OBJECT_FILTERS["exclude"],
        "count": Field(Whole(1, 1_000), "Complete when so many objects are there."),
        "marker": Field(Text(), "Complete when the object that this glob matches is there."),
        "manifest": Field(Text(), "Complete when all objects that this one lists are there."),
        "quiet": Field(Span("1s", "7d"), "Complete when nothing has come for so long."),
        "on_rewrite": Field(Word(("new_run", "ignore")), "Of an object that comes after that."),
    },
)

BATCH = Record(
    BatchTrigger,
    {
        "bucket": BUCKET,
        "match": MATCH,
        "count": Field(Whole(1, 1_000), "One run per so many objects,", required=True),
        "window": Field(Span("1s", "7d"), "or per so much time, whichever comes first.", required=True),
        "by": Field(CAPTURES, "Captures that the objects of a batch agree in."),
    }
    | OBJECT_FILTERS,
)

ABSENT_BY = Record(
    AbsentTrigger,
    {
        "at": Field(Text("a time of day", "([01][0-9]|2[0-3]):[0-5][0-9]", 'such as "06:00"'), "When.", True),
        "time_zone": TIME_ZONE,
        "days": Field(Text("days of the week"), "Such as mon-fri; by default every day."),
        "bucket": Field(Text(), "By default that of the pipeline's object trigger."),
        "match": Field(GLOBS, "By default those of the pipeline's object trigger."),
        "params": Field(Free(), "Captures that the day gives, from `time`; by default `date` is the day."),
        "on_absent": Field(NAME, "The pipeline to run; by default an alert event is announced."),
    },
)

MESSAGE = Record(
    MessageTrigger,
    {
        "topic": Field(Text("a topic's name"), "The topic's short name; may use `env`.", required=True),
        "filter": Field(Free(scalars=True), "Attributes that a message must have."),
        "params": Field(Free(), "Parameters from `data` and `attributes`; by default the body's fields."),
    },
    short="topic",
)

SCHEDULE = Record(
    ScheduleTrigger,
    {
        "cron": Field(Text("a cron expression"), "Five fields.", required=True),
        "time_zone": TIME_ZONE,
        "params": Field(Free(), "Parameters from `time`, the logical time."),
        "catch_up": Field(Word(("all", "last", "none")), "Of what a laptop that was off has missed."),
    },
    short="cron",
)

ENDED = Record(
    PipelineTrigger,
    {
        "pipelines": Field(Listing(NAME, single=True, filled=True), "Whose runs.", required=True),
        "states": Field(
            Listing(Word(ENDS), single=True, filled=True),
            "What they came to.",
        ),
        "params": Field(Free(), "Parameters from `params` of the ended run; by default those of one name."),
        "join": Field(CAPTURES, "Parameters that the runs of several pipelines agree in."),
    },
    short="pipelines",
)

TRIGGER = Record(
    _triggers,
    {
        "object": Field(OBJECT, "An object that arrives in a bucket starts a run."),
        "objects": Field(OBJECTS, "A complete set of objects starts a run."),
        "batch": Field(BATCH, "Many small objects start one run together."),
        "absent_by": Field(ABSENT_BY, "An object that did not come in time is told."),
        "message": Field(Listing(MESSAGE, single=True, filled=True), "A Pub/Sub message starts a run."),
        "schedule": Field(Listing(SCHEDULE, single=True, filled=True), "A time starts a run."),
        "pipeline": Field(ENDED, "The end of another pipeline's run starts one."),
    },
)
