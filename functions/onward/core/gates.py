"""Gates: who is let in when somebody has come or left. See `admission` for those who come and leave."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from onward.core.attempts import SLACK
from onward.core.commands import (
    Change,
    CheckHolders,
    Command,
    Decision,
    Delete,
    FindWaiters,
    Leave,
    Preparation,
    Put,
    SetTimer,
)
from onward.core.draft import Context
from onward.core.events import (
    Admitted,
    CancelRun,
    Event,
    GateEvent,
    Grant,
    HoldersGone,
    SetPaused,
    TurnedAway,
    WaitersFound,
)
from onward.core.naming import timer_name
from onward.core.pipeline import HOUR, MINUTE, RUNS_PER_HOUR, SECOND
from onward.core.state import Document, Gate, GateKey, Key, PipelineKey, PipelineState, Waiter, WaiterKey

AT_ONCE = 16
"""How many one grant lets in at most."""
MOST = 1_000
"""The largest gate. As many of those that had to wait go on at once where nothing says how many may."""
CHECKED = 32
"""How many holders are looked at when somebody has waited for long."""


def runs_gate(pipeline: str) -> str:
    """The gate of a pipeline's runs."""
    return f"runs:{pipeline}"


def hour_of(pipeline: str) -> str:
    """What `Context.limit` calls the number of runs that may begin in an hour."""
    return f"hour:{pipeline}"


def limit_of(context: Context, gate: str, planned: int | None) -> int | None:
    """The size as deployed, or else as planned; None: there is none."""
    deployed = context.limit(gate)
    return planned if deployed is None else deployed


def nobody(event: Admitted) -> Decision:
    """What was let in has ended already, or is not there any more."""
    holder = event.run if event.node is None else f"{event.run}/{event.node}"
    key = GateKey(event.gate)
    return Decision((Leave(key, (holder,)),), events=(Grant(event.gate, f"{holder} left"),))


def scope(event: GateEvent) -> tuple[Key, ...]:
    """The documents that deciding this event may read."""
    if isinstance(event, SetPaused):
        return (PipelineKey(event.pipeline),)
    pipeline = pipeline_of(event.gate)
    gate = GateKey(event.gate)
    return (gate,) if pipeline is None else (gate, PipelineKey(pipeline))


def pipeline_of(gate: str) -> str | None:
    """The pipeline whose runs the gate lets in; None: it lets in steps."""
    kind, _, name = gate.partition(":")
    return name if kind == "runs" else None


def decide(docs: Mapping[Key, Document | None], event: GateEvent, context: Context) -> Decision:
    """What follows from `event`."""
    match event:
        case SetPaused():
            return _set_paused(docs, event)
        case HoldersGone(gate=gate, holders=holders):
            key = GateKey(gate)
            return Decision((Leave(key, holders),), events=(Grant(gate, f"{holders[0]} gone"),))
        case Grant():
            found = _gate(docs, event)
            mine = (holder for holder, by in found.by.items() if by == event.by and holder in found.admitted)
            told = tuple(_admitted(event.gate, holder) for holder in mine)
            return replace(_look(docs, found, event, context), events=told)
        case WaitersFound():
            found = _gate(docs, event)
            if found.grants != event.grants:
                # Somebody else has let others in since: those who wait may be others, too.
                return _look(docs, found, event, context)
            return _Granting(found, event, context).decision()


def _gate(docs: Mapping[Key, Document | None], event: Grant | WaitersFound) -> Gate:
    found = docs.get(GateKey(event.gate))
    return found if isinstance(found, Gate) else Gate()


def _look(
    docs: Mapping[Key, Document | None], gate: Gate, event: Grant | WaitersFound, context: Context
) -> Decision:
    """Find who waits, unless nobody could be let in anyway."""
    pipeline = pipeline_of(event.gate)
    full = len(gate.admitted) >= (context.limit(event.gate) or MOST)
    commands: list[Command] = []
    if pipeline is not None:
        state = docs.get(PipelineKey(pipeline))
        hourly = 0 if full else context.limit(hour_of(pipeline)) or RUNS_PER_HOUR
        if not (isinstance(state, PipelineState) and state.paused):
            commands.append(FindWaiters(event.gate, event.by, event.net, gate.grants, hourly))
    elif not full:
        commands.append(FindWaiters(event.gate, event.by, event.net, gate.grants))
    if event.net and gate.admitted:
        # Others at another time, so that all of them are looked at in the end.
        first = context.now // MINUTE * CHECKED % len(gate.admitted)
        turned = (*gate.admitted[first:], *gate.admitted[:first])
        commands.append(CheckHolders(event.gate, turned[:CHECKED]))
    return Decision(commands=tuple(commands))


def _admitted(gate: str, holder: str) -> Admitted:
    run, _, node = holder.partition("/")
    return Admitted(run, node or None, gate)


class _Granting:
    """One grant: who is let in, who is turned away, and when to look again."""

    def __init__(self, gate: Gate, event: WaitersFound, context: Context) -> None:
        self.key = GateKey(event.gate)
        self.gate = gate
        self.event = event
        self.context = context
        held = set(gate.admitted)
        self.waiters = [(place, each) for place, each in event.waiters if _holder_of(each) not in held]
        planned = next((each.limit for _, each in self.waiters if each.limit is not None), None)
        limit = limit_of(context, event.gate, planned)
        self.limit = MOST if limit is None else min(limit, MOST)
        self.events: list[Event] = []
        self.prepare: list[Preparation] = []

    def decision(self) -> Decision:
        room = max(0, self.limit - len(self.gate.admitted))
        look, pace = self._pace(min(room, AT_ONCE))
        new = self.waiters[:pace]
        changes: list[Change] = []
        if new or look != self.gate.look:
            changes.append(Put(self.key, self._with([_holder_of(each) for _, each in new], look)))
        for place, each in new:
            waiter = WaiterKey(self.event.gate, place)
            changes.append(Delete(waiter, blind=True))
            self.events.append(Admitted(each.run, each.node, self.event.gate))
        rest = self.waiters[pace:]
        if room <= len(new):
            self._turn_away([each for _, each in rest], new)
        elif rest and not look:
            self.events.append(Grant(self.event.gate, f"{_holder_of(new[-1][1])} next"))
        return Decision(tuple(changes), events=tuple(self.events), prepare=tuple(self.prepare))

    def _with(self, new: list[str], look: int) -> Gate:
        admitted = (*self.gate.admitted, *new)
        by = {holder: self.gate.by.get(holder, self.event.by) for holder in admitted}
        told = {holder: cause for holder, cause in by.items() if cause}
        return Gate(admitted, told, look, self.gate.grants + bool(new))

    def _pace(self, most: int) -> tuple[int, int]:
        """When to look again because of the hourly rate (0: no need to), and how many may go now."""
        pipeline, now, look = pipeline_of(self.event.gate), self.context.now, self.gate.look
        if pipeline is None or not self.waiters:
            return 0, most
        hourly = self.context.limit(hour_of(pipeline)) or RUNS_PER_HOUR
        free = max(0, hourly - self.event.started)
        if not look and free >= len(self.waiters[:most]):
            return 0, most
        if now + SLACK < look:
            if self.event.net:
                self._set_timer(look)  # it may have died with its process
            return look, 0
        pace = min(most, free)
        if len(self.waiters) <= pace:
            return 0, pace
        # As many go each time as are due by the rate, so that those of the last time have begun by now.
        look = now + min(max(HOUR * AT_ONCE // hourly, SECOND), 5 * MINUTE)
        self._set_timer(look)
        return look, pace

    def _set_timer(self, at: int) -> None:
        gate = self.event.gate
        self.prepare.append(SetTimer(timer_name(gate, "", "look", at), at, Grant(gate, f"look {at}")))

    def _turn_away(self, rest: list[Waiter], new: list[tuple[str, Waiter]]) -> None:
        """There is no room: what happens to those who don't just wait."""
        gone = [each for each in rest if each.conflict == "skip"]
        self.events += (TurnedAway(each.run, self.event.gate) for each in gone)
        newest = [each for each in rest if each.conflict == "cancel_running"]
        keep = max(0, self.limit - len(new))
        self.events += (CancelRun(each.run) for each in newest[keep:])
        self.events += (CancelRun(holder) for holder in self.gate.admitted[: len(newest[:keep])])
        if (gone or newest[keep:]) and len(self.event.waiters) > AT_ONCE:
            self.events.append(Grant(self.event.gate, f"{rest[-1].run} turned away"))


def _holder_of(waiter: Waiter) -> str:
    return waiter.run if waiter.node is None else f"{waiter.run}/{waiter.node}"


def _set_paused(docs: Mapping[Key, Document | None], event: SetPaused) -> Decision:
    key = PipelineKey(event.pipeline)
    found = docs.get(key)
    state = found if isinstance(found, PipelineState) else PipelineState()
    if event.at < state.told:
        return Decision()
    changed = replace(state, paused=event.paused, told=event.at)
    ring = () if event.paused else (Grant(runs_gate(event.pipeline), f"resumed {event.at}"),)
    return Decision((Put(key, changed),) if changed != state else (), events=ring)
