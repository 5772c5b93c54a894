"""What templates may name of a trigger: `trigger.uri`, and the like."""

from __future__ import annotations

from contextlib import suppress

from onward.core import matching
from onward.core.pipeline import (
    AbsentTrigger,
    BatchTrigger,
    MessageTrigger,
    ObjectsTrigger,
    ObjectTrigger,
    Pipeline,
    PipelineTrigger,
    ScheduleTrigger,
    Trigger,
)

SET = ("uris", "count", "bytes", "parts", "manifest", "set", "round")
FACTS: dict[type, tuple[str, ...]] = {
    ObjectTrigger: ("uri", "bucket", "name", "generation", "size"),
    ObjectsTrigger: SET,
    BatchTrigger: SET,
    AbsentTrigger: (),
    MessageTrigger: ("topic", "id", "key"),
    ScheduleTrigger: ("schedule", "time"),
    PipelineTrigger: ("run", "pipeline", "state", "hops"),
}


def named(pipeline: Pipeline) -> list[str] | None:
    """All that some trigger of the pipeline tells of what started a run; None: it has no trigger."""
    if not pipeline.triggers:
        return None
    found = {"on": None}
    for trigger in pipeline.triggers:
        found |= dict.fromkeys((*FACTS[type(trigger)], *sorted(captures(trigger))))
        if isinstance(trigger, PipelineTrigger) and len(trigger.pipelines) > 1:
            found |= dict.fromkeys((*SET, *trigger.join))
    return list(found)


def captures(trigger: Trigger) -> set[str]:
    """The names that any of its patterns captures."""
    match trigger:
        case ObjectTrigger(match=patterns):
            return {name for pattern in patterns for name in captured(pattern)}
        case ObjectsTrigger(by=by) | BatchTrigger(by=by):
            return set(by)
        case _:
            return set()


def captured(pattern: str) -> tuple[str, ...]:
    """The names that the pattern captures; none, if it can't be read: the checks of the trigger say that."""
    with suppress(matching.BadPattern):
        return matching.compile(pattern).names
    return ()
