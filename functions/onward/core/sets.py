"""Sets of arrivals: what completes one, and what is started then. One mechanism for all such triggers.

Each arrival is a document of its own, a *member*; the set's own document is written when it is opened, when a
part comes for the first time, and when a round is closed. So arrivals do not get into each other's way.

    Arrived ─▶ member, committed ─▶ FindMembers ─▶ MembersFound ─ not complete: see that the timer is set
                                                       │ complete
                                                       ▼
    timer, repeat, restart ───────────────────────▶ SetRang ─▶ FindMembers ─▶ Freeze ─▶ Frozen
                                                       ▲                                  │
                                                       │            closing, by compare-and-set
                                                       │                                  │
                                      look again ◀─ next round ◀─ members are taken ◀─ StartRun

An arrival reads and writes the state alone; who may read and write objects hears the ring.

What makes it exact:

- A query can't be fenced. So each arrival looks after its own commit, at a set that it reads anew, and
  whoever has closed a round looks once more after that: an arrival is seen by one of the two.
- The round is read before the members are looked up, and only that round is closed: what an earlier round
  has taken was marked before the round moved on, so no manifest holds it.
- From the compare-and-set on, the set's document says what is to be done. Whatever repeats an event (a
  redelivery, the timer, a restart) finds that and goes on. The run's id is made of the members' facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from onward.core.announcing import absent
from onward.core.commands import (
    Announce,
    Change,
    Command,
    Decision,
    Delete,
    FindMembers,
    Freeze,
    Put,
    ReadManifest,
    SetTimer,
    SweepMembers,
    TellOfSet,
)
from onward.core.draft import Context
from onward.core.errors import UserError
from onward.core.events import (
    Arrived,
    Event,
    Frozen,
    ManifestRead,
    MembersFound,
    MembersSwept,
    SetEvent,
    SetRang,
    StartRun,
)
from onward.core.horizon import HORIZON, LONGEST_TIMER
from onward.core.manifests import MARK, SetTrigger
from onward.core.naming import run_id, timer_name
from onward.core.params import bind
from onward.core.pipeline import (
    HOUR,
    SECOND,
    AbsentTrigger,
    BatchTrigger,
    ObjectsTrigger,
    PipelineTrigger,
)
from onward.core.plan import WIDTH, Plan
from onward.core.problems import shown
from onward.core.state import Closing, Document, Key, Member, MemberKey, Set, SetKey

CHUNK = WIDTH - 1
"""Members that are dealt with in one commit, beside the set."""


def scope(event: SetEvent) -> tuple[Key, ...]:
    """The documents that deciding this event may read."""
    keys: list[Key] = [SetKey(event.set)]
    match event:
        case Arrived(member=member):
            keys.append(MemberKey(event.set, member))
        case ManifestRead(members=members) | MembersSwept(members=members):
            keys += (MemberKey(event.set, member) for member in members)
        case SetRang() | MembersFound() | Frozen():
            pass
    return tuple(keys)


def decide(
    plan: Plan | None, docs: Mapping[Key, Document | None], event: SetEvent, context: Context
) -> Decision:
    """What follows from `event`. `plan` is the event's, or else the set's."""
    trigger = set_trigger(plan, event, docs.get(SetKey(event.set)))
    if plan is None or trigger is None:
        return Decision()
    draft = _Draft(event.set, plan, trigger, docs, context.now)
    _RULES[type(event)](draft, event)
    return draft.decision()


def set_trigger(plan: Plan | None, event: SetEvent, found: Document | None) -> SetTrigger | None:
    """The trigger that the set fills, by the plan of the event or of the set."""
    number = event.trigger if isinstance(event, Arrived) else found.trigger if isinstance(found, Set) else -1
    triggers = plan.pipeline.triggers if plan is not None else ()
    trigger = triggers[number] if 0 <= number < len(triggers) else None
    return trigger if isinstance(trigger, SetTrigger) else None


def is_marked(trigger: SetTrigger) -> bool:
    """Whether one of its members says that the set is complete."""
    match trigger:
        case AbsentTrigger():
            return True
        case ObjectsTrigger(marker=marker, manifest=manifest):
            return marker is not None or manifest is not None
        case _:
            return False


def spoken(name: str, key: Mapping[str, str]) -> str:
    """What people call a set: by what its members agree in."""
    return " ".join(f"{each}={shown(value, bare=True)}" for each, value in key.items()) or name


class _Draft:
    """A decision about one set in the making."""

    def __init__(
        self,
        name: str,
        plan: Plan,
        trigger: SetTrigger,
        docs: Mapping[Key, Document | None],
        now: int,
    ) -> None:
        self.name = name
        self.plan = plan
        self.trigger = trigger
        self.docs = docs
        self.now = now
        found = docs.get(SetKey(name))
        self.set = found if isinstance(found, Set) else None
        self.changes: dict[Key, Change] = {}
        self.commands: list[Command] = []
        self.events: list[Event] = []
        self.prepare: list[SetTimer] = []

    def member(self, name: str) -> Member | None:
        found = self.docs.get(MemberKey(self.name, name))
        return found if isinstance(found, Member) else None

    def put(self, doc: Set) -> Set:
        self.set = doc
        self.changes[SetKey(self.name)] = Put(SetKey(self.name), doc)
        return doc

    def put_member(self, name: str, doc: Member) -> None:
        self.changes[MemberKey(self.name, name)] = Put(MemberKey(self.name, name), doc)

    def arm(self, doc: Set, due: int) -> None:
        """Write the set, with its next timer."""
        due = max(due, self.now + SECOND)
        self.commands.append(self.timer(self.put(replace(doc, due=due, timers=doc.timers + 1))))

    def timer(self, doc: Set) -> SetTimer:
        """The set's latest timer. Each incarnation of a set has timers of its own."""
        name = timer_name(self.name, str(doc.opened), "set", doc.timers)
        return SetTimer(name, doc.due or self.now, SetRang(self.name))

    def find(
        self, doc: Set, *, timed: bool = False, rung: bool = False, after: Arrived | None = None
    ) -> None:
        enough = _enough(self.trigger, doc)
        self.commands.append(FindMembers(self.name, enough, timed, rung, after))

    def tell(self, doc: Set, what: str, why: str, announce: Announce | None = None) -> None:
        told = TellOfSet(self.name, doc.round, doc.pipeline, what, why, doc.key, announce)
        self.commands.append(told)

    def decision(self) -> Decision:
        changes = tuple(self.changes.values())
        return Decision(changes, tuple(self.commands), tuple(self.events), tuple(self.prepare))


# What comes ---------------------------------------------------------------


def _arrived(draft: _Draft, event: Arrived) -> None:
    """A member is written once. Its repeat only looks again, and mends what a crash left."""
    before = draft.set
    known = draft.member(event.member)
    doc = before or _opened(draft, event)
    if known is None:
        draft.put_member(event.member, Member(draft.now, event.facts, event.part))
    if known is None or before is None:
        noted = _noted(draft.trigger, doc, event)
        if noted != doc or before is None:
            draft.put(noted)
        draft.find(noted, after=event)
    else:
        draft.events.append(SetRang(draft.name))


def _opened(draft: _Draft, event: Arrived) -> Set:
    """A new set, with its timer set first: an earlier try's may have rung in vain by now."""
    wait = LONGEST_TIMER
    match draft.trigger:
        case BatchTrigger(window=window):
            wait = window
        case ObjectsTrigger(quiet=int() as quiet):
            wait = quiet
        case _:
            pass
    doc = Set(event.pipeline, event.plan, event.trigger, event.key, draft.now, timers=1, due=draft.now + wait)
    draft.prepare.append(draft.timer(doc))
    return doc


def _noted(trigger: SetTrigger, doc: Set, event: Arrived) -> Set:
    """The set, with what this member says of it as a whole."""
    doc = replace(doc, plan=event.plan, trigger=event.trigger)
    if event.part == MARK:
        return replace(doc, marked=event.member)
    if isinstance(trigger, ObjectsTrigger | PipelineTrigger) and event.part not in doc.parts:
        return replace(doc, parts=(*doc.parts, event.part))
    return doc


def _rang(draft: _Draft, event: SetRang) -> None:
    doc = draft.set
    if doc is not None and doc.closing is not None and event.done and event.round == doc.round:
        draft.commands.append(ReadManifest(draft.name, doc.round, doc.closing.manifest, event.done))
    elif doc is not None:
        _look(draft, doc)


def _look(draft: _Draft, doc: Set) -> None:
    """Go on with what was begun, or see how far the set has got."""
    if doc.closing is not None:
        _carry_on(draft, doc, doc.closing)
        return
    rings = doc.due is not None and draft.now >= doc.due
    if not rings:
        draft.commands.append(draft.timer(doc))
    draft.find(doc, timed=rings, rung=True)


# Whether it is complete -----------------------------------------------------


def _found(draft: _Draft, event: MembersFound) -> None:
    doc = draft.set
    if doc is None or doc.closing is not None or doc.round != event.round:
        return  # whoever closes it looks once more after that
    if _complete(draft.trigger, doc, event, draft.now):
        if event.rung:
            draft.commands.append(Freeze(draft.name, doc.round))
        else:
            draft.events.append(SetRang(draft.name))
        return
    wait = _wait(draft.trigger)
    rings = doc.due is None or draft.now >= doc.due
    late = wait is not None and event.waiting > 0 and (doc.due or 0) > draft.now + wait
    if not event.timed:
        if rings or late:
            draft.find(doc, timed=True, rung=event.rung)
        return
    since = event.earliest if isinstance(draft.trigger, BatchTrigger) else event.newest
    if wait is not None and event.waiting and since is not None:
        due = since + wait
    else:
        due = max(event.newest or 0, doc.opened) + HORIZON
        if draft.now >= due:
            draft.commands.append(SweepMembers(draft.name))
            return
    due = min(due, draft.now + LONGEST_TIMER)
    if rings or due < (doc.due or 0):
        draft.arm(doc, due)


def _enough(trigger: SetTrigger, doc: Set) -> int:
    """How many waiting members it takes to decide something."""
    match trigger:
        case BatchTrigger(count=count):
            return count
        case ObjectsTrigger(marker=None, manifest=None, count=count, quiet=quiet):
            if doc.round > 1:
                return int(trigger.on_rewrite == "new_run")
            return count or int(quiet is not None)
        case PipelineTrigger():
            return int(doc.round > 1)
        case _:
            return 0


def _wait(trigger: SetTrigger) -> int | None:
    match trigger:
        case BatchTrigger(window=wait) | ObjectsTrigger(quiet=wait):
            return wait
        case _:
            return None


def _complete(  # noqa: PLR0911 - one return per kind of set
    trigger: SetTrigger, doc: Set, found: MembersFound, now: int
) -> bool:
    """Whether the round may be closed. After the first one, what comes is a change of a complete set."""
    changed = doc.round > 1 and found.waiting > 0
    match trigger:
        case BatchTrigger(count=count, window=window):
            over = found.waiting > 0 and found.earliest is not None and found.earliest + window <= now
            return found.waiting >= count or over
        case AbsentTrigger():
            return doc.marked is not None and doc.ended is None
        case ObjectsTrigger() if is_marked(trigger):
            return doc.marked is not None
        case ObjectsTrigger(quiet=int() as quiet):
            return found.waiting > 0 and found.newest is not None and found.newest + quiet <= now
        case ObjectsTrigger(count=int() as count):
            return changed or (doc.round == 1 and found.waiting >= count)
        case ObjectsTrigger(parts=parts):
            return changed or (doc.round == 1 and {part.name for part in parts} <= set(doc.parts))
        case PipelineTrigger(pipelines=pipelines):
            return changed or (doc.round == 1 and set(pipelines) <= set(doc.parts))


# Closing ---------------------------------------------------------------------


def _frozen(draft: _Draft, event: Frozen) -> None:
    """Close the round by compare-and-set, if nothing has changed since its members were looked up."""
    doc = draft.set
    if doc is None or doc.closing is not None or (doc.round, doc.marked) != (event.round, event.marked):
        return
    if not event.manifest:
        if event.problem:
            draft.tell(doc, "refused", event.problem)
            doc = draft.put(replace(doc, marked=None))
        if draft.now >= (doc.due or 0):
            draft.arm(doc, draft.now + LONGEST_TIMER)
        return
    awaited = isinstance(draft.trigger, AbsentTrigger)
    if awaited and event.facts["count"]:
        draft.put(replace(doc, marked=None, ended=draft.now))
        return
    start, why = None, ""
    if awaited:
        start = _on_absent(draft.name, event)
    elif event.content != doc.last:
        start, why = _start(draft, doc, event)
    if why:
        draft.tell(doc, "refused", why)
    closing = Closing(event.manifest, event.content, start, awaited)
    doc = draft.put(replace(doc, closing=closing, marked=None))
    if (doc.due or 0) > draft.now + HOUR:
        draft.arm(doc, draft.now + HOUR)
    _carry_on(draft, draft.set or doc, closing)


def _start(draft: _Draft, doc: Set, event: Frozen) -> tuple[StartRun | None, str]:
    """The run of this round, or why there can be none."""
    pipeline = draft.plan.pipeline
    names = {param.name for param in pipeline.params}
    try:
        bound = bind(pipeline.params, {name: value for name, value in event.given.items() if name in names})
    except UserError as error:
        return None, f"no run can start: {error}"
    run = run_id(pipeline.name, "set", draft.name, event.content)
    return StartRun(run, pipeline.name, doc.plan, bound, event.facts), ""


def _on_absent(name: str, event: Frozen) -> StartRun | None:
    """The run of the pipeline that is there for it."""
    on_absent: Any = event.given.get("on_absent")
    if on_absent is None:
        return None
    run = run_id(on_absent["pipeline"], "absent", name)
    return StartRun(run, on_absent["pipeline"], on_absent["plan"], on_absent["params"], event.facts)


def _carry_on(draft: _Draft, doc: Set, closing: Closing) -> None:
    """Tell what the round has come to, then take its members. Told again if anything is left undone."""
    if closing.start is not None:
        draft.events.append(closing.start)
    if closing.absent and closing.start is None:
        fact = absent(doc.pipeline, draft.name, draft.now, {"captures": doc.key})
        draft.tell(doc, "absent", "what was expected is not there", fact)
    else:
        draft.commands.append(ReadManifest(draft.name, doc.round, closing.manifest))


def _taken(draft: _Draft, event: ManifestRead) -> None:
    """Mark these members; after the last ones the next round begins."""
    doc = draft.set
    if doc is None or doc.closing is None or doc.round != event.round:
        return
    for name in event.members:
        member = draft.member(name)
        if member is not None and member.taken is None:
            draft.put_member(name, replace(member, taken=doc.round))
    if event.done < event.total:
        draft.events.append(SetRang(draft.name, doc.round, event.done))
        return
    ended = draft.now if doc.closing.absent else doc.ended
    doc = replace(doc, closing=None, last=doc.closing.content, round=doc.round + 1, ended=ended)
    draft.arm(doc, draft.now + LONGEST_TIMER)
    draft.find(doc, rung=True)


# Expiry ----------------------------------------------------------------------


def _swept(draft: _Draft, event: MembersSwept) -> None:
    """Remove what is older than anything that can still be delivered; keep the set if something new came."""
    doc = draft.set
    if doc is None or doc.closing is not None:
        return
    members = [(name, found) for name in event.members if (found := draft.member(name)) is not None]
    if any(member.at + HORIZON > draft.now for _, member in members):
        draft.arm(doc, draft.now + HOUR)
        return
    for name, _ in members:
        draft.changes[MemberKey(draft.name, name)] = Delete(MemberKey(draft.name, name))
    if event.more:
        draft.commands.append(SweepMembers(draft.name))
        return
    draft.changes[SetKey(draft.name)] = Delete(SetKey(draft.name))
    awaited = isinstance(draft.trigger, AbsentTrigger)  # on a day of which nobody asked for it
    if doc.round == 1 and members and not awaited:
        draft.tell(doc, "expired", "it was never complete; its members are forgotten")


_RULES: dict[type, Callable[[_Draft, Any], None]] = {
    Arrived: _arrived,
    SetRang: _rang,
    MembersFound: _found,
    Frozen: _frozen,
    ManifestRead: _taken,
    MembersSwept: _swept,
}
