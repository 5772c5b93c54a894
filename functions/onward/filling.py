"""What people and scripts see of sets that fill: what is there, what is missing, and when they close."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from onward.core import manifests
from onward.core.errors import UserError
from onward.core.events import SetRang
from onward.core.manifests import MARK, SetTrigger
from onward.core.pipeline import AbsentTrigger, BatchTrigger, ObjectsTrigger, PipelineTrigger
from onward.core.sets import set_trigger
from onward.core.state import Member, Set
from onward.plans import Plans
from onward.ports import Objects, Store
from onward.views import rfc3339

MOST_SETS = 10_000
"""Sets that are looked through."""
SHOWN = 20
"""Members, and missing objects, that are listed of a set."""


class Filling:
    """Reads sets from a store."""

    def __init__(self, store: Store, objects: Objects) -> None:
        self._store = store
        self._objects = objects
        self._plans = Plans(store)

    def sets(self, pipeline: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
        """Those that are open, the ones that close first at the head."""
        found: list[dict[str, Any]] = []
        for name, doc in self._store.open_sets(MOST_SETS):
            if pipeline is None or doc.pipeline == pipeline:
                found += self._set(name, doc)
            if len(found) == limit:
                break
        return sorted(found, key=_order)

    def _set(self, name: str, doc: Set) -> Iterator[dict[str, Any]]:
        plan = self._plans.get(doc.plan)
        trigger = set_trigger(plan, SetRang(name), doc)
        if trigger is None or isinstance(trigger, AbsentTrigger):
            return  # of what is awaited there is a set only once it has come, or was absent
        waiting = self._store.members(name, "waiting", SHOWN)
        if doc.round > 1 and not waiting:
            return
        newest = self._store.members(name, "newest", 1)
        closes = _closes(trigger, waiting, newest)
        yield {
            "set": name,
            "pipeline": doc.pipeline,
            "trigger": str(trigger.__struct_config__.tag),
            "key": doc.key,
            "round": doc.round,
            "opened": rfc3339(doc.opened),
            "waiting": self._store.count("members", name, manifests.MOST_OBJECTS),
            "here": [
                {
                    "part": "" if member.part == MARK else member.part,
                    "name": member.facts.get("name", ""),
                    "at": rfc3339(member.at),
                }
                for _, member in waiting
            ],
            "missing": self._missing(doc, trigger, waiting)[:SHOWN],
            "closes": rfc3339(closes),
            "closing": doc.closing is not None,
        }

    def _missing(  # noqa: PLR0911 - one return per kind of set
        self, doc: Set, trigger: SetTrigger, waiting: list[tuple[str, Member]]
    ) -> list[str]:
        """What has to come before it is complete, as people call it."""
        if doc.round > 1:
            return []
        match trigger:
            case BatchTrigger(count=count):
                return _more(count - len(waiting))
            case PipelineTrigger(pipelines=pipelines):
                return [each for each in pipelines if each not in doc.parts]
            case AbsentTrigger():
                return []
            case ObjectsTrigger(count=int() as count):
                names = {member.facts.get("name") for _, member in waiting}
                return _more(count - len(names)) if len(waiting) < SHOWN else []
            case ObjectsTrigger(quiet=int()):
                return []
            case ObjectsTrigger(manifest=str() as manifest):
                return self._listed(doc, trigger, waiting) or [manifests.glob(manifest, doc.key)]
            case ObjectsTrigger(marker=str() as marker):
                return [manifests.glob(marker, doc.key)]
            case ObjectsTrigger(parts=parts):
                return [manifests.glob(part.match, doc.key) for part in parts if part.name not in doc.parts]

    def _listed(self, doc: Set, trigger: ObjectsTrigger, waiting: list[tuple[str, Member]]) -> list[str]:
        """What its list names and is not there."""
        mark = next((member for name, member in waiting if name == doc.marked), None)
        if mark is None:
            return []
        try:
            body = self._objects.get(str(mark.facts.get("uri")))
            names = manifests.listed_names(body, trigger.bucket)
            absent = (each for each in names if not self._objects.exists(f"gs://{trigger.bucket}/{each}"))
            return [name for _, name in zip(range(SHOWN), absent, strict=False)]
        except UserError:
            return []


def _order(seen: dict[str, Any]) -> tuple[str, ...]:
    return (seen["closes"] or "never", seen["opened"], seen["pipeline"], str(seen["key"]))


def _more(count: int) -> list[str]:
    return [f"{count:,} more"] if count > 0 else []


def _closes(
    trigger: SetTrigger, waiting: list[tuple[str, Member]], newest: list[tuple[str, Member]]
) -> int | None:
    """When it will be complete if nothing more comes; None: never."""
    match trigger:
        case BatchTrigger(window=window) if waiting:
            return waiting[0][1].at + window
        case ObjectsTrigger(quiet=int() as quiet) if newest:
            return newest[0][1].at + quiet
        case _:
            return None
