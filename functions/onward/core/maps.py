"""A step that runs once per item of a list: its lanes, and what becomes of the whole.

    m           the step's own node: `mapping`, from the freezing of its list until its lanes have ended
    m[17]       an item: a node with attempts like any step's
    m[~2]       a group of lanes, where there are more of them than one transition may touch

With `max_parallel: L`, lane l is the items l, l + L, l + 2L and so on, one after the other: an item's end and
the start of the next are one commit. Each item carries the tally of those before it in its lane, so a lane
needs no document of its own, and its last item tells the parent how many have failed. What is joined are the
lanes. A lane ends at its last item, or at one that was cancelled: because the run is, or because more items
have failed than may. The items behind that one never begin, and are not touched.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from onward.core.attempts import FIRST_CHECK, LONGEST_CHECK, SLACK
from onward.core.commands import Find, Join
from onward.core.draft import Draft
from onward.core.events import ItemList, Joined, Wake
from onward.core.naming import group_name, group_of, item_name, item_of, predecessor
from onward.core.pipeline import Step
from onward.core.plan import WIDTH
from onward.core.state import (
    Cancelled,
    Failed,
    Mapped,
    Node,
    NodeKey,
    Phase,
    Succeeded,
    Tally,
)

MOST_ITEMS = 100_000
LONGEST_ERROR = 200
"""Characters of the first failure that a lane passes on."""


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a lane, or a group of them, came to: what its parent keeps of it."""

    lane: int
    """Or the group's number."""
    done: int
    """Items that have ended and were not cancelled."""
    failed: int = 0
    first: int | None = None
    """The first item that failed, and why."""
    error: str = ""


_decode = msgspec.json.Decoder(Mark).decode
_encode = msgspec.json.Encoder().encode


def begin(draft: Draft, name: str, node: Node, items: ItemList) -> None:
    """The list is frozen: start its lanes."""
    if not items.count:
        draft.end(name, replace(node, items=items), Succeeded([]), "there are no items")
        return
    due = draft.now + FIRST_CHECK
    why = f"{items.count:,} items"
    draft.move(name, node, Mapped(draft.now, due), why, items=items, started=draft.now)
    step = draft.step(name).step
    lanes = min(step.max_parallel, items.count)
    if step.max_parallel <= WIDTH:
        draft.events += (Wake(draft.run_id, item_name(name, lane)) for lane in range(lanes))
    else:
        draft.events += (Wake(draft.run_id, group) for group in groups(name, lanes))


def look_at_lanes(draft: Draft, name: str, node: Node, event: object) -> None:
    """Whoever started the lanes may have died over it: find those that stand still."""
    phase = node.phase
    assert isinstance(phase, Mapped)
    assert node.items is not None
    if draft.now + SLACK >= phase.due:
        due = draft.now + min(FIRST_CHECK << (phase.checks + 1), LONGEST_CHECK)
        draft.move(name, node, Mapped(phase.since, due, phase.checks + 1), "its lanes are looked at")
    step = draft.step(name).step
    if step.max_parallel <= WIDTH:
        draft.commands.append(Find(draft.run_id, "lanes", 0, name))
    else:
        lanes = min(step.max_parallel, node.items.count)
        draft.events += (Wake(draft.run_id, group) for group in groups(name, lanes))


def groups(name: str, lanes: int) -> Iterable[str]:
    """The groups that so many lanes of a step fill."""
    return (group_name(name, number) for number in range(-(-lanes // WIDTH)))


def lanes_of(step: Step, count: int, group: int | None = None) -> range:
    """The lanes in which `count` items run, or those of one group."""
    lanes = range(min(step.max_parallel, count))
    return lanes if group is None else lanes[group * WIDTH : (group + 1) * WIDTH]


# An item ----------------------------------------------------------------


def reached(draft: Draft, name: str, node: Node) -> Node | None:
    """The node with the tally of its lane so far; None for an item that its lane has not come to."""
    item = item_of(name)
    if item is None:
        return node
    of, index = item
    whole = draft.node(of)
    if not isinstance(whole.phase, Mapped) or whole.items is None or index >= whole.items.count:
        return None
    before = index - draft.step(of).step.max_parallel
    if before < 0:
        return replace(node, tally=Tally())
    ended = draft.node(item_name(of, before))
    if not ended.phase.ended or isinstance(ended.phase, Cancelled):
        return None
    return replace(node, tally=_with(ended, before))


def kept_from(draft: Draft, name: str, node: Node) -> tuple[Phase, str] | None:
    """The end of an item that does not begin, and why: the step has failed already. None: it may."""
    item = item_of(name)
    if item is None or node.tally is None:
        return None
    whole = draft.node(item[0])
    failed = node.tally.failed + sum(mark.failed for mark in _marks(whole))
    if whole.items is None or failed <= draft.step(name).step.allow_failures.of(whole.items.count):
        return None
    return Cancelled(), "more items have failed than may"


def same_list(draft: Draft, name: str) -> bool:
    """Whether the try before ran the same item under this name; true of what is no item."""
    item, before = item_of(name), predecessor(draft.run_id)
    return item is None or draft.node(item[0]).items == draft.node(item[0], run=before).items


def after(draft: Draft, name: str, *, echo: bool) -> tuple[str, ...]:
    """The item that follows one that has ended. At the end of a lane, or of a group of them: none, and its
    parent is told."""
    group = group_of(name)
    if group is not None:
        of, number = group
        _tell(draft, of, None if echo else _sum(number, _marks(draft.node(name))))
        return ()
    of, index = item_of(name) or ("", 0)
    node, items = draft.node(name), draft.node(of).items
    step = draft.step(of).step
    following = index + step.max_parallel
    cancelled = isinstance(node.phase, Cancelled)
    if not cancelled and items is not None and following < items.count:
        return (item_name(of, following),)
    position, lane = divmod(index, step.max_parallel)
    tally = _with(node, index)
    mark = Mark(lane, position + (not cancelled), tally.failed, tally.first, tally.error)
    parent = of if step.max_parallel <= WIDTH else group_name(of, lane // WIDTH)
    _tell(draft, parent, None if echo else mark)
    return ()


def _with(node: Node, index: int) -> Tally:
    """The tally of a lane up to and with this item, which has ended."""
    tally = node.tally or Tally()
    match node.phase:
        case Succeeded() | Cancelled():
            return tally
        case Failed(error=error) if not tally.failed:
            return Tally(1, index, error[:LONGEST_ERROR])
        case _:
            return replace(tally, failed=tally.failed + 1)


# The whole --------------------------------------------------------------


def _tell(draft: Draft, parent: str, mark: Mark | None) -> None:
    """Join the parent, in the commit that ends what is joined; and have it look at its set after that."""
    if mark is not None:
        key = NodeKey(draft.run_id, parent)
        draft.changes[key] = Join(key, (_encode(mark).decode(),))
    draft.events.append(Joined(draft.run_id, parent))


def _marks(node: Node) -> list[Mark]:
    return [_decode(mark) for mark in node.arrived]


def _sum(number: int, marks: Iterable[Mark]) -> Mark:
    told = sorted(marks, key=lambda mark: mark.lane)
    firsts = [mark for mark in told if mark.first is not None]
    first = min(firsts, key=lambda mark: mark.first or 0, default=Mark(0, 0))
    done, failed = (sum(counts) for counts in zip(*((mark.done, mark.failed) for mark in told), strict=True))
    return Mark(number, done, failed, first.first, first.error)


def group(draft: Draft, name: str, of: str, event: object) -> None:
    """A group of lanes starts its lanes, and is done when all of them are."""
    node, items = draft.node(name), draft.node(of).items
    if items is None or not isinstance(event, Wake | Joined):
        return
    lanes = lanes_of(draft.step(of).step, items.count, (group_of(name) or ("", 0))[1])
    if node.phase.ended:
        after(draft, name, echo=True)
    elif isinstance(event, Wake):
        draft.commands.append(Find(draft.run_id, "lanes", 0, name))
    elif lanes and len(node.arrived) >= len(lanes):
        draft.end(name, node, Succeeded())


def judge_items(draft: Draft, name: str, node: Node, event: object) -> None:
    """The step ends when all of its lanes have, by how many items have failed."""
    assert node.items is not None
    step, count = draft.step(name).step, node.items.count
    lanes = lanes_of(step, count)
    if len(node.arrived) < (len(lanes) if step.max_parallel <= WIDTH else -(-len(lanes) // WIDTH)):
        return
    whole = _sum(0, _marks(node))
    allowed = step.allow_failures.of(count)
    if whole.failed > allowed:
        draft.end(name, node, Failed(_failure(whole, count, allowed)), "too many items failed")
    elif whole.done < count:
        draft.end(name, node, Cancelled(), f"{count - whole.done:,} items had not ended")
    else:
        draft.end(name, node, Succeeded(), f"{whole.failed:,} of {count:,} items failed")


def _failure(whole: Mark, count: int, allowed: int) -> str:
    failed = f"{whole.failed:,} of {count:,} items failed, at most {allowed:,} may"
    first = f"; first: item {whole.first:,}: {whole.error}" if whole.first is not None else ""
    rest = f"; {count - whole.done:,} were not begun or stopped" if whole.done < count else ""
    return failed + rest + first
