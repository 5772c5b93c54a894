"""What backfills ask of the world: which objects are there, which runs, which outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from onward.core import backfilling, outputs
from onward.core import partitions as listing
from onward.core.backfill import Asked, Backfill, of_trigger
from onward.core.backfilling import CHUNK, Judged, judge
from onward.core.commands import JudgePartitions, ListPartitions
from onward.core.errors import UserError
from onward.core.events import BackfillEvent, PartitionsJudged, PartitionsListed, StartRun
from onward.core.matching import ObjectArrival
from onward.core.naming import next_try
from onward.core.partitions import Found, Partition
from onward.core.plan import Plan
from onward.core.state import Run, RunKey, RunState
from onward.plans import Plans
from onward.ports import Listed, Objects, Store

PAGE = 32 * CHUNK
"""Partitions in one object of a frozen list."""
LISTED = 200_000
"""Objects that are looked through for outputs; where there are more, each output is asked for by itself."""
_pages = msgspec.json.Decoder(list[Partition])


class Backfills:
    """Looks at what a backfill is about."""

    def __init__(self, store: Store, objects: Objects, plans: Plans) -> None:
        self._store = store
        self._objects = objects
        self._plans = plans

    def answer(self, command: ListPartitions | JudgePartitions) -> BackfillEvent:
        """The report that the command asks for."""
        match command:
            case ListPartitions(backfill=name, doc=doc):
                try:
                    return self._list(name, doc)
                except UserError as error:
                    return PartitionsListed(name, error=str(error))
            case JudgePartitions(backfill=name, doc=doc):
                return self._judge(name, doc)

    def _list(self, name: str, doc: Backfill) -> PartitionsListed:
        found = self.partitions(self._plan(doc), doc.asked, doc.deployment)
        bodies = [msgspec.json.encode(found[at : at + PAGE]) for at in range(0, len(found), PAGE)]
        content = hashlib.sha256(b"\n".join(bodies)).hexdigest()[:16]
        for number, body in enumerate(bodies):
            self._objects.put(_page(name, content, number), body)
        return PartitionsListed(name, content, len(found))

    def _judge(self, name: str, doc: Backfill) -> PartitionsJudged:
        pages = _Pages(self._objects, name, doc.list or "")
        there = self._open(doc)
        ended = {run: failed for run, of in there.items() if (failed := _over(of, name)) is not None}
        room = doc.stopped is None and len(doc.open) - len(ended) < doc.size
        upto = min(doc.next + CHUNK, doc.total) if room else doc.next
        chunk = [pages.partition(index) for index in range(doc.next, upto)]
        judged = self.judged(self._plan(doc), chunk, name)
        starts = (backfilling.start(each, name, force=doc.asked.force) for each in judged)
        return PartitionsJudged(
            name,
            doc.next,
            upto,
            tuple((index, start) for index, start in enumerate(starts, doc.next) if start is not None),
            ended,
            tuple(
                backfilling.restart(pages.partition(index), name, run, force=doc.asked.force)
                for run, index in doc.open.items()
                if run not in there
            ),
            tuple(run for run, of in there.items() if of.state is RunState.QUEUED and run not in ended),
            tuple(run for run, of in there.items() if of.state is RunState.RUNNING and run not in ended),
        )

    def _open(self, doc: Backfill) -> dict[str, Run]:
        """Those of its open runs that are there."""
        keys = {run: RunKey(run) for run in doc.open}
        found = self._store.read(keys.values()) if keys else {}
        docs = {run: found[key].doc for run, key in keys.items() if key in found}
        return {run: of for run, of in docs.items() if isinstance(of, Run)}

    def partitions(self, plan: Plan, asked: Asked, deployment: str) -> list[Partition]:
        """All that is asked for, in order. Raises `UserError` where a backfill can't be about that."""
        found = [_found(each) for each in self._objects.list(asked.objects, LISTED)] if asked.objects else []
        return listing.partitions(plan, asked, found, deployment)

    def judged(self, plan: Plan, many: Sequence[Partition], backfill: str) -> list[Judged]:
        """How it is with each of them."""
        ids = [backfilling.keys(partition, backfill) for partition in many]
        newest = self._newest(run for runs in ids for run in runs)
        tries = [[newest[run] for run in runs if run in newest] for runs in ids]
        starts = [each.start for each, runs in zip(many, tries, strict=True) if each.start and not runs]
        made = self._made(plan, starts)
        return [
            judge(each, runs, made.get(_id(each)), declared=_id(each) in made)
            for each, runs in zip(many, tries, strict=True)
        ]

    def _newest(self, runs: Iterable[str]) -> dict[str, tuple[str, Run]]:
        """The newest try of each run that is there: one read for all, and one more for each further try."""
        newest: dict[str, tuple[str, Run]] = {}
        asked = {run: run for run in runs}
        while asked:
            found = self._store.read([RunKey(run) for run in asked])
            again = {}
            for key, versioned in found.items():
                if isinstance(key, RunKey) and isinstance(versioned.doc, Run):
                    first = asked[key.run]
                    newest[first] = (key.run, versioned.doc)
                    again[next_try(key.run)] = first
            asked = again
        return newest

    def _made(self, plan: Plan, starts: Sequence[StartRun]) -> dict[str, int | None]:
        """Of each run that declares outputs, when the oldest was written (µs); None: one is not there."""
        templates = outputs.declared(plan)
        if not templates:
            return {}
        uris = {start.run: outputs.rendered(templates, plan, start) for start in starts}
        written = self._written({uri for found in uris.values() for uri in found or ()})
        made: dict[str, int | None] = {}
        for run, wanted in uris.items():
            if wanted is not None:
                times = [time for uri in wanted if (time := written.get(uri)) is not None]
                made[run] = min(times) if len(times) == len(wanted) else None
        return made

    def _written(self, uris: set[str]) -> Mapping[str, int]:
        """When each output that is there was written (µs)."""
        listed: dict[str, int] = {}
        can = {uri for uri in uris if outputs.readable(uri)}
        for glob in outputs.covering(can):
            found = self._objects.list(glob, LISTED)
            if len(found) >= LISTED:
                can.clear()
                break
            listed.update((each.uri, each.updated) for each in found)
        there = sorted(listed)
        written = {uri: time for uri in can if (time := outputs.newest(uri, there, listed)) is not None}
        others = {uri: ages.newest for uri in uris - can if (ages := self._objects.ages(uri)) is not None}
        return {**written, **others}

    def _plan(self, doc: Backfill) -> Plan:
        plan = self._plans.get(doc.plan)
        assert plan is not None, "a backfill only ever begins with a stored plan"
        return plan


class _Pages:
    """The frozen list of a backfill: what is read of it."""

    def __init__(self, objects: Objects, backfill: str, content: str) -> None:
        self._objects = objects
        self._backfill = backfill
        self._content = content
        self._read: dict[int, list[Partition]] = {}

    def partition(self, index: int) -> Partition:
        """The partition of that number."""
        number, place = divmod(index, PAGE)
        if number not in self._read:
            body = self._objects.own(_page(self._backfill, self._content, number))
            assert body is not None, "a list is only committed once it is written"
            self._read[number] = _pages.decode(body)
        return self._read[number][place]


def _over(run: Run, backfill: str) -> bool | None:
    """Whether the run failed; None: it is under way. What somebody else started first is over, too."""
    if run.state.ended:
        return run.state is not RunState.SUCCEEDED
    return None if of_trigger(run.trigger) == backfill else False


def _id(partition: Partition) -> str:
    return partition.start.run if partition.start is not None else ""


def _page(backfill: str, content: str, number: int) -> str:
    return f"backfills/{backfill}/{content}/{number}.json"


def _found(listed: Listed) -> Found:
    bucket, _, name = listed.uri.removeprefix("gs://").partition("/")
    arrival = ObjectArrival(bucket, name, listed.generation, listed.size, dict(listed.metadata))
    return Found(arrival, listed.updated)
