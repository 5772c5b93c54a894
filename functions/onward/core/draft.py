"""A decision in the making: what the rules read from and write to while one event is decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from onward.core.commands import Change, Command, Decision, Preparation, Put, SetTimer, SpillHistory
from onward.core.events import Event, OfRun, Wake
from onward.core.naming import timer_name
from onward.core.plan import Plan, StepNode
from onward.core.state import HISTORY_LENGTH, Document, Entry, Key, Node, NodeKey, Phase, Run

_NOTHING = Node()


Limit = Callable[[str], int | None]
"""The size of a gate as it is deployed now; None where nothing is deployed that says so."""


Followed = Callable[[str], bool]
"""Whether a pipeline's trigger waits for runs of this one to end, as it is deployed now."""


class Context(msgspec.Struct, frozen=True):
    """What a decision takes from the world: the time (µs) and a token that nobody else has."""

    now: int
    token: str
    limit: Limit = lambda _: None
    followed: Followed = lambda _: False
    crowded: bool = False
    """Of a start: as many runs of the pipeline have begun as an hour may have."""


class Draft:
    """Collects changes and commands; reads see the changes made so far."""

    __slots__ = (
        "changes",
        "commands",
        "context",
        "docs",
        "ended",
        "event",
        "event_name",
        "events",
        "now",
        "plan",
        "prepare",
        "run",
        "run_id",
        "settled",
        "token",
    )

    def __init__(
        self, plan: Plan, docs: Mapping[Key, Document | None], event: OfRun, run: Run | None, context: Context
    ) -> None:
        self.plan = plan
        self.docs = docs
        self.run_id = event.run
        self.run = run
        self.context = context
        self.now = context.now
        self.token = context.token
        self.event = event
        self.event_name = str(event.__struct_config__.tag)
        self.changes: dict[Key, Change] = {}
        self.commands: list[Command] = []
        self.events: list[Event] = []
        self.prepare: list[Preparation] = []
        self.ended: list[str] = []
        """Nodes that ended in this decision and have not yet been passed on."""
        self.settled = True

    def knows(self, name: str) -> bool:
        """Whether the node's document was read, so that this decision may rest on it."""
        return NodeKey(self.run_id, name) in self.docs

    def node(self, name: str, run: str | None = None) -> Node:
        """The node as it is now; a document that isn't there is a node that waits."""
        key = NodeKey(run or self.run_id, name)
        change = self.changes.get(key)
        doc = change.doc if isinstance(change, Put) else self.docs.get(key)
        return doc if isinstance(doc, Node) else _NOTHING

    def step(self, name: str) -> StepNode:
        """The plan's node of a step."""
        return self.plan.step_node(name)

    def move(self, name: str, node: Node, phase: Phase, why: str = "", **fields: object) -> Node:
        """Write the node in its new phase, with one more line of history."""
        state = str(phase.__struct_config__.tag)
        history = (*node.history, Entry(self.now, self.event_name, state, why))
        spilled = node.spilled
        if len(history) > HISTORY_LENGTH:
            half = HISTORY_LENGTH // 2
            self.prepare.append(SpillHistory(self.run_id, name, spilled, history[:half]))
            history, spilled = history[half:], spilled + half
        moved = replace(node, phase=phase, history=history, spilled=spilled, **fields)
        key = NodeKey(self.run_id, name)
        self.changes[key] = Put(key, moved)
        return moved

    def end(self, name: str, node: Node, phase: Phase, why: str = "", job: str = "") -> None:
        """Move the node to a phase that it never leaves."""
        self.move(name, node, phase, why, ended=self.now, job=node.job or job or None)
        self.ended.append(name)

    def set_timer(self, name: str, node: Node, at: int) -> int:
        """Wake this node at that time. Returns the node's new count of timers, for `move`."""
        self.repeat_timer(name, node.timers + 1, at)
        return node.timers + 1

    def repeat_timer(self, name: str, n: int, at: int) -> None:
        """Set the node's n-th timer, which a crash may have left out. One that is set stays as it is."""
        event = Wake(self.run_id, name)
        self.commands.append(SetTimer(timer_name(self.run_id, name, "wake", n), at, event))

    def decision(self) -> Decision:
        """What was decided."""
        return Decision(
            tuple(self.changes.values()),
            tuple(self.commands),
            tuple(self.events),
            tuple(self.prepare),
            self.settled,
        )
