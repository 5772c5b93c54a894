"""Whether a step begins: what it needs came to, what an earlier try did, what its `if` says, what is there.

    what it waits for has not ended         nothing yet
    the run is being cancelled              cancelled, unless its `when` is `always`
    that is not what its `when` asks for    upstream_failed or skipped
    something has to be looked at           examined; the answer begins or ends it
    else                                    it begins

Another node's event may let a step begin in passing. Where it would have to look or to end the step, it wakes
it instead, so that the repeat of the step's own event can mend all that follows (see `transition`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec.structs import replace

from onward.core import admission, handlers, maps
from onward.core.commands import Examine
from onward.core.draft import Draft
from onward.core.events import Examined, Wake
from onward.core.naming import predecessor
from onward.core.pipeline import ON_FAILURE, ON_SUCCESS, Step
from onward.core.plan import StepNode
from onward.core.state import (
    Cancelled,
    Failed,
    Node,
    Phase,
    RunState,
    Skipped,
    Succeeded,
    UpstreamFailed,
)

_MARK = re.compile(r"([^!?=]*)([!?=]?)(.*)")


def ready(draft: Draft, name: str, node: Node, event: object) -> None:
    """Begin the step if what it waits for has ended as it should, look where that is not enough, or pass over
    it."""
    planned = draft.step(name)
    source = draft.node(planned.after) if planned.after is not None else None
    come = maps.reached(draft, name, node)
    if come is None or (source is not None and not source.phase.ended):
        return
    node = come
    end = _kept_from(draft, planned, source) or maps.kept_from(draft, name, node)
    earlier = _earlier_try(draft, name, planned, source)
    if end is None and earlier is None and not asks(planned.step):
        admission.enter(draft, name, node)
    elif not (isinstance(event, Wake) and event.node == name and not event.echo):
        draft.events.append(Wake(draft.run_id, name))
    elif end is not None:
        draft.end(name, node, *end)
    else:
        # The try before may have kept a list although it did not succeed.
        holds = earlier is not None or planned.step.for_each is not None
        before = _holding(draft, name, planned, source) if holds else None
        draft.commands.append(Examine(draft.run_id, name, before))


def asks(step: Step) -> bool:
    """Whether something has to be looked at before each beginning."""
    return step.condition is not None or step.unless_exists is not None or step.for_each is not None


def examined(draft: Draft, name: str, node: Node, event: Examined) -> None:
    """Begin the step or end it, by what was seen."""
    planned = draft.step(name)
    source = draft.node(planned.after) if planned.after is not None else None
    come = maps.reached(draft, name, node)
    if come is None or (source is not None and not source.phase.ended):
        return
    node = come
    end = _kept_from(draft, planned, source) or maps.kept_from(draft, name, node)
    earlier = _earlier_try(draft, name, planned, source)
    if end is not None:
        draft.end(name, node, *end)
    elif earlier is not None and event.adopt:
        before = draft.node(name, run=predecessor(draft.run_id))
        draft.end(name, replace(node, items=before.items), earlier, "adopted from the try before")
    elif event.error:
        draft.end(name, node, Failed(event.error), "refused")
    elif not event.wanted:
        draft.end(name, node, Skipped("its `if` is false"), "its `if` is false")
    elif event.done:
        draft.end(name, node, Succeeded(), "what it would make is there")
    elif event.items is not None:
        maps.begin(draft, name, node, event.items)
    else:
        why = "what the try before made does not hold any more" if earlier is not None else ""
        admission.enter(draft, name, node, why)


def _kept_from(draft: Draft, planned: StepNode, source: Node | None) -> tuple[Phase, str] | None:
    """The end of a step that does not begin, and why; None: it may."""
    if planned.step.name in (ON_FAILURE, ON_SUCCESS) and source is not None:
        return handlers.kept_from(draft.run, planned.step.name, source)
    if not planned.always and (draft.run is None or draft.run.state is not RunState.RUNNING):
        return Cancelled(), "the run is being cancelled"
    first = cause(planned.after or "", source) if source is not None else ""
    match planned.step.when, source.phase if source is not None else None:
        case "success", Skipped():
            why = f"step {first} was skipped"
            return Skipped(why, first), why
        case "success", Failed() | UpstreamFailed() | Cancelled():
            return UpstreamFailed(first), f"{first} did not succeed"
        case "failure", Succeeded() | Skipped():
            why = "nothing that it needs has failed"
            return Skipped(why), why
        case _:
            return None


def _earlier_try(draft: Draft, name: str, planned: StepNode, source: Node | None) -> Succeeded | None:
    """What the run before this one achieved for this node, as this node's own end.

    None where something that it needs was done anew: then its result is out of date. So is that of a step
    that is there for what its needs come to.
    """
    before = _holding(draft, name, planned, source)
    phase = draft.node(name, run=before).phase
    if before is None or not isinstance(phase, Succeeded):
        return None
    return Succeeded(phase.output, phase.output_uri, phase.adopted or before)


def _holding(draft: Draft, name: str, planned: StepNode, source: Node | None) -> str | None:
    """The try before, where what it did for this node is not out of date: all that it needs was adopted."""
    before = predecessor(draft.run_id)
    compiled = planned.always or planned.step.name in (ON_FAILURE, ON_SUCCESS)
    if before is None or compiled or planned.step.when != "success":
        return None
    if source is not None and not _adopted(source):
        return None
    return before if maps.same_list(draft, name) else None


def _adopted(node: Node) -> bool:
    return isinstance(node.phase, Succeeded) and node.phase.adopted is not None


# What a gather holds ----------------------------------------------------


def mark(name: str, node: Node) -> str:
    """What a gather keeps of a child that has ended: `name` succeeded, `name=` was adopted, `name!cause`
    failed or was kept from beginning by a failure, `name?cause` was skipped."""
    match node.phase:
        case Succeeded(adopted=None):
            return name
        case Succeeded():
            return f"{name}="
        case Skipped():
            return f"{name}?{cause(name, node)}"
        case _:
            return f"{name}!{cause(name, node)}"


def outcome(of: Iterable[str], marks: Iterable[str], run: str) -> Phase | None:
    """What a gather of `of` comes to: None while a child is missing. A failure outranks a skip."""
    told = {child: (sign, first) for each in marks for child, sign, first in _MARK.findall(each)[:1]}
    children = list(of)
    if len(told) < len(children):
        return None
    for kind, phase in (("!", UpstreamFailed), ("?", Skipped)):
        for child in children:
            sign, first = told[child]
            if sign == kind:
                return phase(cause=first)
    adopted = all(told[child][0] == "=" for child in children)
    return Succeeded(adopted=predecessor(run) if adopted else None)


def cause(name: str, node: Node) -> str:
    """The step that began what this node came to."""
    match node.phase:
        case UpstreamFailed(cause=first) | Skipped(cause=str(first)) if first:
            return first
        case _:
            return name


def failed_children(marks: Iterable[str]) -> Iterable[str]:
    """The children of a gather that failed, or were kept from beginning by a failure."""
    return (child for each in marks for child, sign, _ in _MARK.findall(each)[:1] if sign == "!")
