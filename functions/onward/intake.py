"""From a fact to the events that follow from it, or why none do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import assert_never

from onward.core import starting
from onward.core.backfilling import begin
from onward.core.commands import SetTimer
from onward.core.errors import NotFound, UserError
from onward.core.events import Bell, CancelRun, Event, Room, RunEnded, SetPaused, StopBackfill, Verdict
from onward.core.facts import ByHand, Message, StopsBackfill, Tick, WantsBackfill
from onward.core.naming import next_try, parse_job_name
from onward.core.pipeline import Dataflow, Dataproc, DeleteCluster
from onward.core.plan import WIDTH, Plan
from onward.core.starting import Refused, another_try
from onward.core.state import BackfillKey, Node, NodeKey, Run, RunKey
from onward.deployed import Deployed
from onward.ingress.facts import (
    NOT_OURS,
    Command,
    Doorbell,
    Fact,
    Ignored,
    ObjectFinalized,
    Poison,
    Rang,
    Switch,
    Told,
)
from onward.messaging.tasks import EARLY
from onward.plans import Plans
from onward.ports import Bus, Clock, JobRef, Owned, Status, Store, Timers

Outcome = Event | Ignored | Poison
Whose = Callable[[Doorbell], Owned | None]
"""Whose job it is that rings, where the bell itself does not say it. A read."""
Judge = Callable[[JobRef, Status], Verdict]
"""What a status means for its step."""


class Intake:
    """Looks at what is deployed and at the runs there are; decides nothing about progress."""

    def __init__(  # noqa: PLR0913, PLR0917 - what facts can be about
        self,
        store: Store,
        plans: Plans,
        deployed: Deployed,
        timers: Timers,
        bus: Bus,
        whose: Whose,
        judge: Judge,
        clock: Clock,
        deployment: str = "",
    ) -> None:
        self._store = store
        self._plans = plans
        self._deployed = deployed
        self._timers = timers
        self._bus = bus
        self._whose = whose
        self._judge = judge
        self._clock = clock
        self._deployment = deployment

    def outcomes(self, fact: Fact) -> Iterator[Outcome]:
        """What one delivery is good for: each outcome by itself, as one's trouble is none of another's."""
        try:
            match fact:
                case ObjectFinalized(object=arrival):
                    yield from self._starts(arrival)
                case ByHand():
                    yield starting.by_hand(fact, self._deployed, self._deployment)
                case Message() | Tick():
                    yield from self._starts(fact)
                case Command() | Switch() | WantsBackfill() | StopsBackfill():
                    yield self._commanded(fact)
                case Doorbell():
                    yield from self._rung(fact)
                case Told(event=RunEnded() as ended):
                    yield from self._starts(ended)
                case Told(event=event):
                    yield event
                case Rang(timer=timer):
                    yield self._timer_rang(timer)
                case _:
                    assert_never(fact)
        except UserError as error:
            yield Poison(str(error))

    def _starts(self, fact: starting.Fact) -> Iterator[Outcome]:
        found = False
        for outcome in starting.starts(fact, self._deployed, self._deployment):
            found = True
            yield Poison(outcome.reason) if isinstance(outcome, Refused) else outcome
        if not found:
            yield Ignored(f"{starting.spelled(fact)} matches no pipeline")

    def _commanded(self, command: Command | Switch | WantsBackfill | StopsBackfill) -> Outcome:
        match command:
            case Command():
                return self._of_run(command)
            case Switch(command=named, pipeline=pipeline, at=at):
                self._deployed.plan(pipeline)  # or it can't be meant
                return SetPaused(pipeline, named == "pause", at)
            case WantsBackfill(pipeline=pipeline):
                return begin(command, self._deployed.plan(pipeline), self._deployment)
            case StopsBackfill(backfill=name, running=running):
                return self._stopped(name, running=running)

    def _of_run(self, command: Command) -> Outcome:
        run = self._run(command.run)
        if run is None:
            raise NotFound(f"there is no run {command.run}")
        if command.command == "cancel":
            return CancelRun(command.run)
        again = next_try(command.run)
        if self._run(again) is not None:
            # Not of the newest try: a repeat of this command would then start one more.
            return Ignored(f"run {command.run} was tried again already, as {again}")
        newest = self._deployed.plan(run.pipeline) if command.newest_plan else None
        return another_try(command.run, run, newest)

    def _stopped(self, name: str, *, running: bool) -> Outcome:
        if not self._store.read([BackfillKey(name)]):
            raise NotFound(f"there is no backfill {name}")
        return StopBackfill(name, running)

    def _run(self, run: str) -> Run | None:
        found = self._store.read([RunKey(run)]).get(RunKey(run))
        return found.doc if found is not None and isinstance(found.doc, Run) else None

    def _rung(self, bell: Doorbell) -> Iterator[Outcome]:
        owned = self._whose(bell) if bell.owner is None else None
        owner = bell.owner or parse_job_name(owned.name if owned is not None else "")
        plan = None if owner is None else self._plans.of_run(owner.run)
        if owner is None or plan is None:
            yield Ignored(NOT_OURS)
            return
        name = plan.numbered(owner.number, owner.item)
        if name is None:
            yield Ignored(f"run {owner.run} has no step of number {owner.number}")
            return
        step = plan.step_node(name).step
        match step.does:
            case DeleteCluster(cluster=cluster):
                yield from self._cluster_rang(plan, owner.run, name, cluster)
            case Dataflow(detached=False) if bell.begins:
                yield Ignored("the job has begun, and its step waits for its end")
            case _ if owned is not None and owned.status is not None:
                # To see whose it is was to see how it is: that read is the verdict.
                ref = JobRef(owned.name, owner.run, name, owner.attempt, step, owned.status.job)
                yield self._judge(ref, owned.status)
            case _:
                yield Bell(owner.run, name, owner.attempt)

    def _cluster_rang(self, plan: Plan, run: str, deletion: str, cluster: str) -> Iterator[Outcome]:
        """It may be gone, for the step that deletes it; or there, for those that wait to run on it."""
        node = self._store.read([NodeKey(run, deletion)]).get(NodeKey(run, deletion))
        if node is not None and isinstance(node.doc, Node) and node.doc.attempt:
            yield Bell(run, deletion, node.doc.attempt)
            return
        rooms = []
        for name, _ in self._store.first(run, "active", WIDTH):
            does = plan.step_node(name).step.does
            if isinstance(does, Dataproc) and does.cluster == cluster:
                rooms.append(Room(run, name))
        if len(rooms) > 1:  # a delivery submits one job
            self._bus.publish(rooms[1:])
        yield rooms[0] if rooms else Ignored(f"no step of run {run} waits for cluster {cluster}")

    def _timer_rang(self, timer: SetTimer) -> Outcome:
        if timer.at - self._clock.now() <= EARLY:
            return timer.event
        self._timers.set([timer])
        return Ignored("the timer is on its way")
