"""Backfills: which partitions have to run, and how many of them at a time.

A backfill is a frozen list of partitions and a mark in it. What comes after the mark is nothing yet: no run,
no waiter, no timer. So 10,000 partitions that wait cost nothing, and to stop is to go no further.

    begins    the document is written, then looked at
    listed    the list is written under the hash of its content; the hash is committed, once
    a look    a page of the list and the runs under way are read: runs that have ended leave, partitions after
              the mark are judged, and those that need a run take the places that are free. Mark, places and
              the starts are one commit; whoever comes second finds the mark moved and looks again
    an end    each run of a backfill has it looked at when it ends, and again when it is asked about later

A place is never lost, as who has ended is read from the runs themselves. A start that a crash left out is
found by the next look: its run is not there, and is started again, under the same id. Started runs then go
through the limits and the pause of their pipeline like all others, after those that came by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, assert_never

from msgspec.structs import replace

from onward.core.attempts import MARGIN, SLACK, SUBMIT_WINDOW
from onward.core.backfill import Asked, Backfill
from onward.core.commands import Command, Decision, JudgePartitions, ListPartitions, Put, SetTimer
from onward.core.draft import Context
from onward.core.errors import UserError
from onward.core.events import (
    BackfillEvent,
    BeginBackfill,
    CancelRun,
    Event,
    LookAtBackfill,
    PartitionsJudged,
    PartitionsListed,
    StartRun,
    StopBackfill,
)
from onward.core.facts import WantsBackfill
from onward.core.naming import backfill_id, next_try, run_id, timer_name
from onward.core.partitions import Partition, checked
from onward.core.plan import WIDTH, Plan
from onward.core.state import BackfillKey, Document, Key, Run, RunState

LARGEST = 100
"""Runs of one backfill under way at the same time."""
CHUNK = WIDTH
"""Partitions that one look judges."""
LATE = SUBMIT_WINDOW + MARGIN
"""After this long nobody is in the middle of starting a run that was decided before."""


class State(StrEnum):
    """How it is with a partition."""

    MISSING = "missing"
    """No run of its fact, and what it would make is not there."""
    STALE = "stale"
    """No run of its fact, and what is there is older than the object."""
    DONE = "done"
    """Its run succeeded, or all is there that it would make."""
    RUNNING = "running"
    FAILED = "failed"
    """Its newest try did not succeed."""
    REFUSED = "refused"
    """Nothing can start: its values are not what the parameters take."""


class Judged(NamedTuple):
    """A partition, how it is with it, and its newest run if it has one."""

    partition: Partition
    state: State
    run: str | None = None
    doc: Run | None = None


def begin(wanted: WantsBackfill, plan: Plan, deployment: str) -> BeginBackfill:
    """The backfill that somebody asks for, by the plan that its runs will follow. Raises `UserError`."""
    if not 1 <= wanted.parallel <= LARGEST:
        raise UserError(f"a backfill has 1 to {LARGEST} runs under way at a time, not {wanted.parallel}")
    asked = Asked(wanted.first, wanted.last, wanted.each, wanted.params, wanted.objects, wanted.force)
    asked = checked(asked, plan)
    name = backfill_id(wanted.pipeline, deployment, wanted.key or "")
    new = Backfill(wanted.pipeline, plan.name, asked, 0, wanted.parallel, deployment)
    return BeginBackfill(name, new)


def keys(partition: Partition, backfill: str) -> tuple[str, ...]:
    """The runs, first tries, that it may have: that of its fact, and that of this backfill, if forced."""
    if partition.start is None:
        return ()
    return (partition.start.run, forced(partition.start, backfill))


def forced(start: StartRun, backfill: str) -> str:
    """The run that does again what is done: one for each backfill."""
    return run_id(start.pipeline, "backfill", backfill, start.run)


def judge(
    partition: Partition, newest: Sequence[tuple[str, Run]], made: int | None, *, declared: bool
) -> Judged:
    """`newest`: the newest tries of its runs. `made`: when the oldest of its outputs was written (µs); None:
    one is not there. Not `declared`: there are none that could be looked for."""
    if partition.start is None:
        return Judged(partition, State.REFUSED)
    if newest:
        run, doc = max(newest, key=lambda each: each[1].started)
        return Judged(partition, _of_run(doc), run, doc)
    if not declared or made is None:
        return Judged(partition, State.MISSING)
    return Judged(partition, State.STALE if made < partition.updated else State.DONE)


def _of_run(run: Run) -> State:
    match run.state:
        case RunState.SUCCEEDED:
            return State.DONE
        case RunState.FAILED | RunState.CANCELLED | RunState.SKIPPED:
            return State.FAILED
        case RunState.QUEUED | RunState.RUNNING | RunState.CANCELLING:
            return State.RUNNING
        case _:
            assert_never(run.state)


def start(judged: Judged, backfill: str, *, force: bool) -> StartRun | None:
    """What the backfill starts for a partition; None: nothing has to be."""
    natural = judged.partition.start
    if natural is None or (judged.doc is not None and judged.doc.trigger.get("backfill") == backfill):
        return None  # of these facts, this backfill has started its run already
    again = judged.state is State.STALE or (force and judged.state is State.DONE)
    own = _own(natural, backfill, force=again)
    match judged.state:
        case State.MISSING | State.STALE:
            return own
        case State.FAILED:
            assert judged.run is not None
            return replace(own, run=next_try(judged.run))
        case State.DONE if force:
            return own if judged.run is None else replace(own, run=forced(natural, backfill))
        case _:
            return None


def restart(partition: Partition, backfill: str, run: str, *, force: bool) -> StartRun:
    """What was decided to start, and has not come to be."""
    natural = partition.start
    assert natural is not None
    return _own(natural, backfill, run, force=force)


def _own(natural: StartRun, backfill: str, run: str | None = None, *, force: bool) -> StartRun:
    """Steps that are done when their outputs are there run all the same, if that is what it is about."""
    trigger = {**natural.trigger, "backfill": backfill, **({"force": True} if force else {})}
    return replace(natural, run=run or natural.run, trigger=trigger)


# What happens next ------------------------------------------------------


def scope(event: BackfillEvent) -> tuple[Key, ...]:
    """The documents that deciding this event may read."""
    return (BackfillKey(event.backfill),)


def decide(docs: Mapping[Key, Document | None], event: BackfillEvent, context: Context) -> Decision:
    """What follows from `event`."""
    name = event.backfill
    found = docs[BackfillKey(name)]
    doc = found if isinstance(found, Backfill) else None
    if isinstance(event, BeginBackfill):
        begun = doc or replace(event.doc, at=context.now)
        return _look(name, begun, () if doc is not None else (Put(BackfillKey(name), begun),))
    if doc is None or doc.ended is not None:
        return Decision()
    match event:
        case LookAtBackfill():
            decision = _look(name, doc)
        case StopBackfill(running=running):
            stopped = replace(doc, stopped=doc.stopped or context.now, cancels=doc.cancels or running)
            decision = _look(name, stopped, _changes(name, doc, stopped))
        case PartitionsListed():
            decision = _freeze(name, doc, event, context)
        case PartitionsJudged():
            decision = _go_on(name, doc, event, context)
    return decision


def _freeze(name: str, doc: Backfill, event: PartitionsListed, context: Context) -> Decision:
    if event.error is not None:
        return Decision(_changes(name, doc, replace(doc, error=event.error, ended=context.now)))
    listed = doc if doc.list is not None else replace(doc, list=event.list, total=event.total)
    return _look(name, listed, _changes(name, doc, listed))


def _look(name: str, doc: Backfill, changes: tuple[Put, ...] = ()) -> Decision:
    """Look after the commit, in the same delivery: its repeat looks again."""
    if doc.ended is not None:
        return Decision()
    command: Command = (ListPartitions if doc.list is None else JudgePartitions)(name, doc)
    return Decision(changes, (command,))


def _go_on(name: str, doc: Backfill, event: PartitionsJudged, context: Context) -> Decision:
    """Those that have ended leave; what has to run takes their places."""
    if doc.next != event.next:
        return _look(name, doc)  # somebody else has gone on since
    if doc.stopped is not None:
        return _wind_down(name, doc, event, doc.stopped, context)
    left = _without(doc, event.ended)
    room = doc.size - len(left.open)
    starts = event.starts[:room]
    # Up to here all are started, or need not be.
    mark = event.upto if len(starts) == len(event.starts) else event.starts[len(starts)][0]
    events: list[Event] = [start for start in event.lost if start.run in left.open]
    events += (start for _, start in starts)
    if mark < doc.total and len(starts) < room:
        if mark == doc.next:
            return _look(name, doc)  # there was no room for more when it was looked at
        events.append(LookAtBackfill(name))  # a delivery looks at so many, and starts no more than so many
    places = {start.run: index for index, start in starts}
    moved = replace(left, next=mark, open={**left.open, **places}, started=doc.started + len(starts))
    if mark >= doc.total and not moved.open:
        moved = replace(moved, ended=context.now)
    return Decision(_changes(name, doc, moved), events=tuple(events))


def _wind_down(name: str, doc: Backfill, event: PartitionsJudged, stopped: int, context: Context) -> Decision:
    """Nothing more begins. What waits is cancelled, and what runs, if that was asked for."""
    ended, timers = dict(event.ended), list[SetTimer]()
    if context.now + SLACK >= stopped + LATE:
        ended |= {start.run: False for start in event.lost}
    elif event.lost:  # somebody may be in the middle of starting these
        again = timer_name(name, "", "stopped", stopped)
        timers.append(SetTimer(again, stopped + LATE, LookAtBackfill(name)))
    moved = _without(doc, ended)
    if not moved.open:
        moved = replace(moved, ended=context.now)
    told = (*event.waiting, *(event.running if doc.cancels else ()))
    cancels = tuple(CancelRun(run) for run in told if run in moved.open)
    return Decision(_changes(name, doc, moved), tuple(timers), cancels)


def _without(doc: Backfill, ended: Mapping[str, bool]) -> Backfill:
    """Without these runs, of which it is said whether they failed."""
    gone = {run: failed for run, failed in ended.items() if run in doc.open}
    rest = {run: index for run, index in doc.open.items() if run not in gone}
    return replace(doc, open=rest, failed=doc.failed + sum(gone.values()))


def _changes(name: str, before: Backfill, after: Backfill) -> tuple[Put, ...]:
    return (Put(BackfillKey(name), after),) if after != before else ()
