"""Deciding a group of events: load the slice of each, decide, and gather what is to be committed and done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from onward.core import backfilling, gates, sets
from onward.core.commands import Command, Decision, FindWaiters, Preparation, Submit
from onward.core.draft import Context
from onward.core.events import (
    Admitted,
    Arrived,
    BackfillEvent,
    Event,
    GateEvent,
    Grant,
    Joined,
    OfRun,
    RunEnded,
    SetEvent,
    SetPaused,
    StartRun,
    TurnedAway,
    WaitersFound,
    Wake,
)
from onward.core.plan import Gather, Plan
from onward.core.scope import scope
from onward.core.state import Document, Key, Node, NodeKey, Run, RunKey, Set, SetKey
from onward.core.transition import transition
from onward.overlay import Overlay
from onward.plans import Plans
from onward.ports import Reads

Follow = Callable[[RunEnded], Sequence[Event]]
"""What the end of a run starts, by what is deployed."""
Crowded = Callable[[str, int], bool]
"""Whether as many runs of a pipeline have begun in the last hour as may."""


class Work:
    """Deciding a group of events: each sees what the ones before it decided."""

    def __init__(  # noqa: PLR0913 - what a decision may rest on
        self,
        plans: Plans,
        docs: Reads,
        context: Context,
        events: Sequence[Event],
        *,
        alone: bool,
        follow: Follow,
        crowded: Crowded,
    ) -> None:
        self.overlay = Overlay(docs)
        self.commands: list[Command] = []
        self.prepare: list[Preparation] = []
        self.told: list[Event] = []
        self.gathers: list[Event] = []
        self.settled = True
        self._plans = plans
        self._context = context
        self._alone = alone
        self._follow = follow
        self._crowded = crowded
        self._asked: dict[str, FindWaiters] = {}
        self._started: dict[str, Plan] = {}
        # Wakes are kept apart and once each: a gather with a thousand children looks at its set once.
        wakes: dict[Event, None] = {}
        for event in events:
            self._decide(event, wakes)
        while wakes:
            event = next(iter(wakes))
            del wakes[event]
            self._decide(event, wakes)
        self.commands += self._asked.values()

    def _decide(self, event: Event, wakes: dict[Event, None]) -> None:
        match event:
            case RunEnded():
                for follower in self._follow(event):
                    self._decide(follower, wakes)
            case _ if isinstance(event, SetEvent):
                self._take(self._decide_set(event), event, None, wakes)
            case _ if isinstance(event, GateEvent):
                docs = self.overlay.read(gates.scope(event))
                self._take(gates.decide(docs, event, self._context), event, None, wakes)
            case _ if isinstance(event, BackfillEvent):
                docs = self.overlay.read(backfilling.scope(event))
                self._take(backfilling.decide(docs, event, self._context), event, None, wakes)
            case _:
                plan = self._plan(event)
                self._take(self._decide_run(event, plan), event, plan, wakes)

    def _take(self, decision: Decision, event: Event, plan: Plan | None, wakes: dict[Event, None]) -> None:
        self.overlay.apply(decision.changes)
        for command in decision.commands:
            if isinstance(command, FindWaiters):
                self._asked[command.gate] = command  # once for all who come and leave at the same time
            else:
                self.commands.append(command)
        self.prepare += decision.prepare
        self.settled = self.settled and decision.settled
        if self._alone:
            for told in map(_anonymous, decision.events):
                if isinstance(told, StartRun | RunEnded):
                    self._decide(told, wakes)
                else:
                    wakes[told] = None
            return
        for told in decision.events:
            (self.gathers if _looked_at_here(event, plan, told) else self.told).append(told)

    def _of(self, event: OfRun, plan: Plan, docs: Mapping[Key, Document | None]) -> Context:
        """What the decision takes from the world; of a new run, also whether it is one too many."""
        if not isinstance(event, StartRun) or docs[RunKey(event.run)] is not None:
            return self._context
        most = self._context.limit(gates.hour_of(event.pipeline)) or plan.pipeline.max_runs_per_hour
        return replace(self._context, crowded=self._crowded(event.pipeline, most))

    def _decide_run(self, event: OfRun, plan: Plan | None) -> Decision:
        if plan is None:
            return gates.nobody(event) if isinstance(event, Admitted) else Decision()
        docs = self.overlay.read(scope(plan, event))
        return transition(plan, docs, event, self._of(event, plan, docs))

    def _decide_set(self, event: SetEvent) -> Decision:
        docs = self.overlay.read(sets.scope(event))
        found = docs[SetKey(event.set)]
        name = event.plan if isinstance(event, Arrived) else found.plan if isinstance(found, Set) else None
        plan = self._plans.get(name) if name is not None else None
        return sets.decide(plan, docs, event, self._context)

    def holds(self, command: Command) -> bool:
        """False for a submit whose step a later event of the group has ended or moved on."""
        if not isinstance(command, Submit):
            return True
        key = NodeKey(command.run, command.node)
        node = self.overlay.read((key,))[key]
        if not isinstance(node, Node) or node.attempt != command.attempt:
            return False
        return getattr(node.phase, "token", None) == command.token

    def _plan(self, event: OfRun) -> Plan | None:
        plans = self._plans
        if not isinstance(event, StartRun):
            return self._started.get(event.run) or plans.of_run(event.run)
        plan = plans.get(event.plan)
        keys = scope(plan, event) if plan is not None else (RunKey(event.run),)
        run = self.overlay.read(keys)[RunKey(event.run)]
        if isinstance(run, Run):
            # A repeated start may come from a newer deploy; the run keeps the plan it began with.
            plan = plans.get(run.plan)
        if plan is not None:
            self._started[event.run] = plan
        return plan


def _looked_at_here(event: Event, plan: Plan | None, told: Event) -> bool:
    """After the commit, in the delivery of the event that led to it, whose repeat looks again."""
    match told:
        case Wake(node=name):
            return plan is not None and isinstance(plan.nodes.get(name), Gather)
        case Joined():
            return True
        case Grant():
            return plan is not None or isinstance(event, SetPaused)
        case Admitted(run=run, node=node):
            return isinstance(event, WaitersFound) and event.by == (run if node is None else f"{run}/{node}")
        case TurnedAway(run=run):
            return isinstance(event, WaitersFound) and event.by == run
        case _:
            return False


def _anonymous(event: Event) -> Event:
    """Where nobody delivers a grant again, one of a gate is as good as another."""
    return Grant(event.gate, net=event.net) if isinstance(event, Grant) else event
