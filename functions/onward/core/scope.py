"""The slice of the state that an event can touch: the few documents that deciding it may read."""

from __future__ import annotations

from onward.core import admission, runs
from onward.core.backfill import of_trigger
from onward.core.events import (
    Admitted,
    Announced,
    Arrive,
    Bell,
    CancelNode,
    CancelRun,
    Examined,
    Found,
    Joined,
    OfRun,
    Room,
    StartRun,
    SubmitDelayed,
    SubmitRefused,
    Submitted,
    Sweep,
    TurnedAway,
    Verdict,
    Wake,
)
from onward.core.naming import item_name, item_of, predecessor
from onward.core.pipeline import ON_FAILURE, ON_SUCCESS
from onward.core.plan import END, End, Gather, Lanes, Plan, Scatter, StepNode
from onward.core.state import BackfillKey, Key, NodeKey, RunKey


def scope(plan: Plan, event: OfRun) -> tuple[Key, ...]:
    """The documents that deciding this event may read: a handful, whatever the size of the run."""
    run = event.run
    keys: list[Key] = [RunKey(run), *admission.scope(plan, event)]
    match event:
        case StartRun(trigger=trigger):
            _add_startable(keys, plan, run, plan.roots)
            backfill = of_trigger(trigger)
            if backfill is not None:
                keys.append(BackfillKey(backfill))
            parent = runs.parent(trigger)
            if parent is not None:
                keys.append(NodeKey(parent.run, parent.node))
        case Admitted(node=None):
            _add_startable(keys, plan, run, plan.roots)
        case Arrive(node=name, child=child):
            keys += (NodeKey(run, name), NodeKey(run, child))
        case Submitted(node=name) | SubmitDelayed(node=name) | Room(node=name):
            keys.append(NodeKey(run, name))
        # Of a bell, what the verdict that follows will need is read at once.
        case Bell(node=name) | Wake(node=name) | Examined(node=name) | Verdict(node=name):
            _add_around(keys, plan, run, name)
        case CancelNode(node=name) | SubmitRefused(node=name) | Admitted(node=str(name)) | Joined(node=name):
            _add_around(keys, plan, run, name)
        case Found(nodes=names, purpose="expire"):
            keys += (NodeKey(run, name) for name in names)
        case Announced(node=str(name)):
            keys.append(NodeKey(run, name))
        case CancelRun() | Sweep() | Found() | Announced() | TurnedAway():
            pass
    return tuple(keys)


def _add_around(keys: list[Key], plan: Plan, run: str, name: str) -> None:
    """The node, the one it waits for, and the one that it may start."""
    match plan.node(name):
        case StepNode(after=after, next=following):
            following = following or _add_of_item(keys, plan, run, name)
            _add_startable(keys, plan, run, (name,))
            if after is not None:
                keys.append(NodeKey(run, after))
            _add_startable(keys, plan, run, following)
        case Gather(next=following):
            keys.append(NodeKey(run, name))
            _add_startable(keys, plan, run, following)
        case End():
            _add_end(keys, plan, run)
        case Scatter(next=following):
            keys.append(NodeKey(run, following[0]))
        case Lanes(of=of):
            keys += (NodeKey(run, name), NodeKey(run, of))
        case None:
            pass


def _add_of_item(keys: list[Key], plan: Plan, run: str, name: str) -> tuple[str, ...]:
    """The whole that an item is of, and the item before it in its lane; returns the one after it."""
    item = item_of(name)
    if item is None:
        return ()
    of, index = item
    _add_startable(keys, plan, run, (of,))
    lanes = plan.step_node(of).step.max_parallel
    if index >= lanes:
        keys.append(NodeKey(run, item_name(of, index - lanes)))
    return (item_name(of, index + lanes),)


def _add_end(keys: list[Key], plan: Plan, run: str) -> None:
    end = plan.nodes[END]
    assert isinstance(end, End)
    handling = (name for name in (ON_FAILURE, ON_SUCCESS) if name in plan.nodes)
    keys += (NodeKey(run, name) for name in dict.fromkeys((end.after, end.last, *handling)))


def _add_startable(keys: list[Key], plan: Plan, run: str, names: tuple[str, ...]) -> None:
    if names == (END,):
        _add_end(keys, plan, run)
    elif len(names) == 1 and isinstance(plan.node(names[0]), StepNode):
        keys.append(NodeKey(run, names[0]))
        before = predecessor(run) if "~" in run else None
        if before is not None:
            keys.append(NodeKey(before, names[0]))
