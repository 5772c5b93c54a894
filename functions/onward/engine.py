"""An event arrives → what happens next: load, decide, commit, carry out.

    turn(events)   read the few documents that each event may touch · decide · commit all of it in one go ·
                   carry out the commands · return what carrying out reported: a settle, a verdict
    handle(event)  turns until nothing is left to report; then the event may be acknowledged

Events that wait together are decided and committed together. Where this process is alone with its store,
what they tell other nodes is decided in the same turn. Elsewhere it is published, so that each has a delivery
of its own; only a gather's set is looked at here, in the next turn: after the commit that joined it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from onward.admitting import Rates, answer
from onward.backfills import Backfills
from onward.core.commands import (
    Announce,
    CancelJob,
    Command,
    Examine,
    Find,
    FindMembers,
    OfBackfill,
    OfGate,
    OfRun,
    OfSet,
    Preparation,
    ReadStatus,
    SetTimer,
    SpillHistory,
    Submit,
    TellOfSet,
)
from onward.core.draft import Context, Followed, Limit
from onward.core.errors import Conflict, Temporary, Unavailable, UserError
from onward.core.events import (
    Announced,
    Bell,
    Event,
    Found,
    SubmitDelayed,
    SubmitRefused,
    Submitted,
    Sweep,
    Verdict,
)
from onward.core.gates import pipeline_of
from onward.core.pipeline import DAY, SECOND
from onward.core.plan import WIDTH, Plan
from onward.core.state import Run, RunKey
from onward.examination import examine
from onward.items import standing_still
from onward.jobs import Jobs
from onward.members import Members
from onward.overlay import Known
from onward.plans import Plans
from onward.ports import (
    Accepted,
    Announcer,
    Bus,
    Busy,
    Clock,
    Declined,
    JobRef,
    Objects,
    Service,
    Services,
    Status,
    Store,
    Timers,
    Unheard,
)
from onward.work import Follow, Work

COMMIT_TRIES = 6
OVERDUE = DAY
"""After this long a run that has not ended is worth a look; its net tells so at each of its rounds."""
AFTER_TROUBLE = 10 * SECOND
"""How long to wait after a submit of which nobody knows whether it came through."""


class Turn(NamedTuple):
    """What came of a turn: events to decide next, and why the events should be delivered again, if so."""

    reports: Sequence[Event]
    unfinished: Temporary | None = None
    left: Sequence[Command] = ()
    """What could not be carried out. Where nobody delivers events again, `carry_out` does it later."""


class Engine:
    """The one flow, for the cloud and the laptop alike. Holds no state of its own but caches."""

    def __init__(  # noqa: PLR0913, PLR0917 - one argument per port
        self,
        store: Store,
        services: Services,
        timers: Timers,
        bus: Bus,
        objects: Objects,
        clock: Clock,
        new_token: Callable[[], str],
        alone: bool = False,
    ) -> None:
        self.store = store
        self.services = services
        self.timers = timers
        self.bus = bus
        self.objects = objects
        self.clock = clock
        self.new_token = new_token
        self.alone = alone
        self.plans = Plans(store)
        self.jobs = Jobs(store, objects)
        self.members = Members(store, self.plans, objects)
        self.backfills = Backfills(store, objects, self.plans)
        self.on_run: Callable[[str, Run, str], None] | None = None
        """Told of each state that a run as a whole comes to; `late`: it goes on for longer than expected;
        `overdue`: it has been open for a day."""
        self.on_crowded: Callable[[str], None] = lambda _: None
        """Told the pipeline, when its runs begin to wait for the hour to have room: once, not for each."""
        self.on_set: Callable[[TellOfSet], None] = lambda _: None
        """Told what people should know of a set."""
        self.follow: Follow = lambda _: ()
        """What the end of a run starts, where this process is alone; elsewhere it is published."""
        self.followed: Followed = lambda _: False
        self.announcer: Announcer = Unheard()
        self.limit: Limit = lambda _: None
        """The size of a gate, by what is deployed."""
        self._rates = Rates(store)

    def handle(self, event: Event) -> Sequence[Event]:
        """Deal with one event to the end; returns what carrying out reported. Raises `Temporary` when it
        should be delivered again.
        """
        waiting: Sequence[Event] = [event]
        reports: list[Event] = []
        unfinished: Temporary | None = None
        known = Known(self.store)
        while waiting:
            turn = self.turn(waiting, known)
            waiting, unfinished = turn.reports, unfinished or turn.unfinished
            reports += waiting
        if unfinished is not None:
            raise unfinished
        return reports

    def turn(self, events: Sequence[Event], known: Known | None = None) -> Turn:
        """Decide and commit these events together, then carry out what follows."""
        for remaining in reversed(range(COMMIT_TRIES)):
            now = self.clock.now()
            if known is not None:
                known.not_before(now)
            context = Context(now, self.new_token(), self.limit, self.followed)
            work = Work(
                self.plans,
                known or self.store,
                context,
                events,
                alone=self.alone,
                follow=self.follow,
                crowded=lambda pipeline, most: self._rates.crowded(pipeline, most, now),  # noqa: B023
            )
            self._prepare(work.prepare)
            writes = work.overlay.writes()
            try:
                versions = self.store.commit(writes) if writes else {}
            except Temporary as error:
                if known is not None:
                    known.forget()
                if remaining == 0 or not isinstance(error, Conflict):
                    raise
            else:
                break
        if known is not None:
            known.wrote(writes, versions)
        if self.on_run is not None:
            for run, doc, state in _news(work, events, now):
                self.on_run(run, doc, state)
        for gate in work.overlay.crowded():
            self.on_crowded(pipeline_of(gate) or gate)
        if work.told:
            self.bus.publish(work.told)
        todo = _once([command for command in work.commands if work.holds(command)])
        reports, unfinished, left = self.carry_out(todo, known)
        if not work.settled and not self.alone:
            unfinished = unfinished or Unavailable("another invocation is in the middle of this")
        return Turn([*work.gathers, *reports], unfinished, left)

    def _prepare(self, preparations: Sequence[Preparation]) -> None:
        timers = [step for step in preparations if isinstance(step, SetTimer)]
        if timers:
            self.timers.set(timers)
        for step in preparations:
            if isinstance(step, SpillHistory):
                body = msgspec.json.encode(step.entries)
                self.objects.put(f"history/{step.run}/{step.node}/{step.first}.json", body)

    def carry_out(self, commands: Sequence[Command], known: Known | None = None) -> Turn:
        """Each command on its own: one that fails keeps none of the others from being carried out."""
        jobs = self.jobs if known is None else self.jobs.reading(known)
        timers = [command for command in commands if isinstance(command, SetTimer)]
        if timers:
            self.timers.set(timers)
        reports: list[Event] = []
        unfinished: Temporary | None = None
        left: list[Command] = []
        for command in commands:
            try:
                if isinstance(command, OfSet):
                    reports += self.members.carry_out(command, known, self._tell_of_set)
                elif isinstance(command, OfGate):
                    reports += answer(self.store, command, self.clock.now())
                elif isinstance(command, OfBackfill):
                    reports.append(self.backfills.answer(command))
                else:
                    reports += self._carry_out_one(command, jobs)
            except Temporary as error:
                unfinished = unfinished or error
                left.append(command)
        told = {command.id: command for command in commands if isinstance(command, Announce)}
        try:
            reports = [*self._announce(tuple(told.values())), *reports]
        except Temporary as error:
            unfinished = unfinished or error
            left += told.values()
        return Turn(reports, unfinished, left)

    def _tell_of_set(self, command: TellOfSet) -> None:
        if command.announce is not None:
            self.announcer.announce((command.announce,))
        self.on_set(command)

    def _announce(self, facts: Sequence[Announce]) -> Iterator[Event]:
        if facts:
            self.announcer.announce(facts)
        return (Announced(fact.run, fact.node, fact.kind, fact.attempt) for fact in facts if fact.run)

    def _carry_out_one(self, command: OfRun, jobs: Jobs) -> Sequence[Event]:
        match command:
            case Submit():
                return self._submit(command, jobs)
            case ReadStatus():
                return (self._read_status(command, jobs),)
            case CancelJob(run=run, node=node, attempt=attempt, job=job):
                plan = self._plan(run)
                ref = jobs.ref(plan, run, node, attempt, job)
                self._service(plan, node).cancel(ref)
            case Examine():
                return (examine(command, self.plans, jobs),)
            case Find():
                return (self._find(command),)
            case SetTimer() | Announce():
                pass
        return ()

    def _submit(self, command: Submit, jobs: Jobs) -> Sequence[Event]:
        run, node, attempt, token = command.run, command.node, command.attempt, command.token
        plan = self._plan(run)
        if self.clock.now() > command.until:
            # Frozen since the commit: others may have taken this intent over.
            return (SubmitDelayed(run, node, attempt, token, "its time to submit had passed", AFTER_TROUBLE),)
        try:
            request = jobs.request(plan, command)
            submission = self._service(plan, node).submit(request)
        except UserError as error:
            return (SubmitRefused(run, node, attempt, token, str(error)),)
        except Temporary as error:
            # Whether a job exists is unknown; the next submit of this name will look before it leaps.
            return (SubmitDelayed(run, node, attempt, token, str(error), AFTER_TROUBLE),)
        match submission:
            case Accepted(job=job, rings=rings):
                submitted = Submitted(run, node, attempt, job)
                return (submitted,) if rings else (submitted, Bell(run, node, attempt))
            case Declined(error=why):
                return (SubmitRefused(run, node, attempt, token, why),)
            case Busy(error=why, wait=wait):
                return (SubmitDelayed(run, node, attempt, token, why, wait),)

    def _read_status(self, command: ReadStatus, jobs: Jobs) -> Event:
        run, node, attempt = command.run, command.node, command.attempt
        plan = self._plan(run)
        ref = jobs.ref(plan, run, node, attempt, command.job)
        status = self._service(plan, node).status(ref)
        verdict = jobs.verdict(plan, ref, status, belled=command.belled, orphaned=command.orphaned)
        return replace(verdict, lost=command.lost)

    def verdict(self, ref: JobRef, status: Status, *, read: bool = True) -> Verdict:
        """What a status means for its step. Not `read`: the service said it by itself, unasked."""
        return replace(self.jobs.verdict(self._plan(ref.run), ref, status), read=read)

    def _find(self, command: Find) -> Found:
        run, now = command.run, self.clock.now()
        match command.purpose:
            case "watch":
                nodes = self.store.first(run, "due", WIDTH + 1)
                overdue = tuple(name for name, node in nodes if (node.due or 0) <= now)
                later = [due for _, node in nodes if (due := node.due or 0) > now]
                next_due = min(later, default=None)
                return Found(run, command.purpose, command.n, overdue[:WIDTH], next_due)
            case "lanes":
                standing = standing_still(self.store, self._plan(run), run, command.node)
                return Found(run, command.purpose, command.n, tuple(standing))
            case "cancel" | "deadline":
                nodes = self.store.first(run, "active", WIDTH)
            case _:
                nodes = self.store.first(run, "any", WIDTH)
        return Found(run, command.purpose, command.n, tuple(name for name, _ in nodes))

    def _plan(self, run: str) -> Plan:
        plan = self.plans.of_run(run)
        assert plan is not None, "a command is only ever decided for a run that exists"
        return plan

    def _service(self, plan: Plan, node: str) -> Service:
        return self.services[plan.step_node(node).step.kind]


def _once(commands: Sequence[Command]) -> list[Command]:
    """Each set is looked at once, however many of its members have come together."""
    looks: dict[str, FindMembers] = {}
    for command in commands:
        if isinstance(command, FindMembers):
            other = looks.get(command.set, command)
            looks[command.set] = replace(
                command,
                enough=max(command.enough, other.enough),
                timed=command.timed or other.timed,
                rung=command.rung or other.rung,
                after=command.after or other.after,
            )
    return [each for each in commands if not isinstance(each, FindMembers)] + [*looks.values()]


def _news(work: Work, events: Sequence[Event], now: int) -> Iterator[tuple[str, Run, str]]:
    for before, run, doc in work.overlay.runs():
        if before is None or before.state is not doc.state:
            yield run, doc, doc.state
        if doc.late and not (before is not None and before.late):
            yield run, doc, "late"
    for event in events:
        if isinstance(event, Sweep) and event.purpose == "watch":
            found = work.overlay.read((RunKey(event.run),))[RunKey(event.run)]
            if isinstance(found, Run) and not found.state.ended and now - found.started >= OVERDUE:
                yield event.run, found, "overdue"
