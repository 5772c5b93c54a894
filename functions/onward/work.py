"""Deciding a group of events: load the slice of each, decide, and gather what is to be committed and done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from onward.core import admission, sets
from onward.core.commands import Command, Decision, Preparation, Submit
from onward.core.draft import Context
from onward.core.events import Arrived, Event, Grant, OfRun, RunEnded, SetEvent, StartRun, Wake
from onward.core.plan import Gather, Plan
from onward.core.state import Node, NodeKey, Run, RunKey, Set, SetKey
from onward.core.transition import scope, transition
from onward.overlay import Overlay
from onward.plans import Plans
from onward.ports import Reads

Follow = Callable[[RunEnded], Sequence[Event]]
"""What the end of a run starts, by what is deployed."""


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
        self._started: dict[str, Plan] = {}
        # Wakes are kept apart and once each: a gather with a thousand children looks at its set once.
        wakes: dict[Event, None] = {}
        for event in events:
            self._decide(event, wakes)
        while wakes:
            event = next(iter(wakes))
            del wakes[event]
            self._decide(event, wakes)

    def _decide(self, event: Event, wakes: dict[Event, None]) -> None:
        plan: Plan | None = None
        match event:
            case RunEnded():
                for follower in self._follow(event):
                    self._decide(follower, wakes)
                return
            case _ if isinstance(event, SetEvent):
                decision = self._decide_set(event)
            case Grant():
                docs = self.overlay.read(admission.scope(event))
                decision = admission.decide(docs, event, self._context)
            case _:
                plan = self._plan(event)
                if plan is None:
                    return
                docs = self.overlay.read(scope(plan, event))
                decision = transition(plan, docs, event, self._context)
        self.overlay.apply(decision.changes)
        self.commands += decision.commands
        self.prepare += decision.prepare
        self.settled = self.settled and decision.settled
        if self._alone:
            for told in decision.events:
                if isinstance(told, StartRun):
                    self._decide(told, wakes)
                else:
                    wakes[told] = None
            return
        for told in decision.events:
            joins = plan and isinstance(told, Wake) and isinstance(plan.nodes.get(told.node), Gather)
            (self.gathers if joins else self.told).append(told)

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
