"""Tells the life of a run as a sequence of events; each is decided on its scope alone, as in the engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count

from onward.core.commands import Command, Decision, Delete, Join, Leave, Put, SetTimer, adjusted
from onward.core.draft import Context
from onward.core.events import (
    Bell,
    Event,
    Examined,
    JobState,
    StartRun,
    SubmitDelayed,
    SubmitRefused,
    Submitted,
    Verdict,
    Wake,
)
from onward.core.pipeline import SECOND, Pipeline, Python, Retry, Step
from onward.core.plan import Plan, compile_plan
from onward.core.scope import scope
from onward.core.state import (
    Document,
    Key,
    Node,
    NodeKey,
    Phase,
    Run,
    RunKey,
    RunState,
    WaiterKey,
)
from onward.core.transition import transition

RUN = "a" * 20
NOON = 1_700_000_000 * SECOND
MOST_DOCUMENTS = 34
"""A transition's width of nodes, the run, and one more."""


def step(name: str, *needs: str, **fields: object) -> Step:
    """A python step."""
    return Step(name, Python("steps.py", name), needs, **fields)  # type: ignore[arg-type]


def retried(attempts: int, backoff: int = 30 * SECOND, max_backoff: int = 600 * SECOND) -> Retry:
    return Retry(attempts, backoff, max_backoff)


class Life:
    """A run whose documents live in a dictionary, and whose clock moves when told."""

    def __init__(self, *steps: Step, run: str = RUN, plan: Plan | None = None) -> None:
        self.plan = plan or compile_plan(Pipeline("tale", steps))
        self.id = run
        self.now = NOON
        self.docs: dict[Key, Document] = {}
        self.commands: list[Command] = []
        self._tokens = (f"token{n}" for n in count(1))

    # Telling -----------------------------------------------------------

    def hear(self, event: Event) -> Decision:
        """Decide one event and take its changes in; what it tells other nodes stays untold."""
        decision = self.would(event)
        for change in decision.changes:
            match change:
                case Put(key=key, doc=doc):
                    self.docs[key] = doc
                case Join(key=key) | Leave(key=key):
                    if (doc := adjusted(self.docs.get(key), change)) is not None:
                        self.docs[key] = doc
                case Delete(key=key):
                    self.docs.pop(key, None)
        self.commands += decision.commands
        return decision

    def would(self, event: Event) -> Decision:
        """What the event would decide now."""
        keys = scope(self.plan, event)
        assert len(keys) <= MOST_DOCUMENTS, f"{event} reads {len(keys)} documents"
        docs = {key: self.docs.get(key) for key in keys}
        decision = transition(self.plan, docs, event, Context(self.now, next(self._tokens)))
        # Waiters are only ever created, and deleted whatever they are.
        versioned = (change for change in decision.changes if not isinstance(change, Join | Leave))
        written = {change.key for change in versioned if not isinstance(change.key, WaiterKey)}
        assert written <= set(keys), f"{event} writes what it has not read"
        assert len(decision.changes) <= MOST_DOCUMENTS
        return decision

    def follow(self, event: Event) -> list[Command]:
        """Decide the event and all that it tells other nodes; returns the commands of all of it."""
        commands: list[Command] = []
        waiting = deque([event])
        while waiting:
            decision = self.hear(waiting.popleft())
            commands += decision.commands
            waiting += decision.events
        return commands

    def later(self, microseconds: int) -> Life:
        self.now += microseconds
        return self

    # The events of this run --------------------------------------------

    def start(self) -> list[Command]:
        return self.follow(self.start_event())

    def start_event(self) -> StartRun:
        return StartRun(self.id, "tale", self.plan.name)

    def wake(self, name: str, *, echo: bool = False, orphaned: bool = False) -> list[Command]:
        return self.follow(Wake(self.id, name, echo, orphaned))

    def submitted(self, name: str, attempt: int = 1) -> list[Command]:
        return self.follow(Submitted(self.id, name, attempt, f"job-{name}-{attempt}"))

    def refused(self, name: str, token: str, attempt: int = 1) -> list[Command]:
        return self.follow(SubmitRefused(self.id, name, attempt, token, "no such machine"))

    def delayed(self, name: str, token: str, wait: int, attempt: int = 1) -> list[Command]:
        return self.follow(SubmitDelayed(self.id, name, attempt, token, "quota", wait))

    def bell(self, name: str, attempt: int = 1) -> list[Command]:
        return self.follow(Bell(self.id, name, attempt))

    def verdict(self, name: str, state: JobState, attempt: int = 1, **fields: object) -> list[Command]:
        job = f"job-{name}-{attempt}"
        return self.follow(Verdict(self.id, name, attempt, state, job, **fields))  # type: ignore[arg-type]

    def examined(self, name: str, **seen: object) -> list[Command]:
        return self.follow(Examined(self.id, name, **seen))  # type: ignore[arg-type]

    # What is so --------------------------------------------------------

    def node(self, name: str) -> Node:
        found = self.docs.get(NodeKey(self.id, name), Node())
        assert isinstance(found, Node)
        return found

    def phase(self, name: str) -> Phase:
        return self.node(name).phase

    def state(self, name: str) -> str:
        return str(self.phase(name).__struct_config__.tag)

    def states(self) -> dict[str, str]:
        return {name: self.state(name) for name, _ in self.plan.step_nodes()}

    @property
    def run(self) -> Run:
        found = self.docs[RunKey(self.id)]
        assert isinstance(found, Run)
        return found

    def put(self, name: str, node: Node) -> None:
        self.docs[NodeKey(self.id, name)] = node

    def put_run(self, state: RunState = RunState.RUNNING, ended: int | None = None) -> None:
        run = Run("tale", self.plan.name, state, NOON, ended=ended)
        self.docs[RunKey(self.id)] = run

    def running(self, name: str, attempt: int = 1) -> Life:
        """Settle the submit that is under way."""
        self.submitted(name, attempt)
        return self


def timers(commands: Iterable[Command]) -> dict[int, Event]:
    """When which timer rings."""
    return {command.at: command.event for command in commands if isinstance(command, SetTimer)}


def only(kind: type, commands: Iterable[Command]) -> list[Command]:
    """The commands of this kind."""
    return [command for command in commands if isinstance(command, kind)]


def play(life: Life, outcomes: Mapping[str, JobState], choose: Callable[[Sequence[Event]], int]) -> None:
    """A world without faults, in which `choose` says which of the waiting events comes next."""
    from onward.core.commands import Examine, ReadStatus, Submit

    waiting: list[Event] = [life.start_event()]
    for _ in range(100_000):
        if not waiting:
            return
        decision = life.hear(waiting.pop(choose(waiting)))
        waiting += decision.events
        for command in decision.commands:
            match command:
                case Submit(run=run, node=node, attempt=attempt):
                    waiting += (Submitted(run, node, attempt, "job"), Bell(run, node, attempt))
                case ReadStatus(run=run, node=node, attempt=attempt):
                    waiting.append(Verdict(run, node, attempt, outcomes.get(node, JobState.SUCCEEDED), "job"))
                case Examine(run=run, node=node):
                    waiting.append(Examined(run, node, adopt=True))
                case _:
                    pass
    raise AssertionError("the run never comes to rest")
