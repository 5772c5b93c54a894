"""The items of a `for_each`, outside of the core: the frozen list, how far each lane has come, the results.

A list is kept in pages under the hash of its content, so it can only be written once. The last item of a lane
that has a document is found by halving: in a lane, each item begins after the one before it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from onward.core.errors import NotFound, UserError
from onward.core.events import ItemList
from onward.core.maps import MOST_ITEMS, lanes_of
from onward.core.naming import group_of, item_name
from onward.core.pipeline import ForEach, Step
from onward.core.plan import Plan
from onward.core.problems import shown
from onward.core.state import Cancelled, Failed, Node, NodeKey, Succeeded
from onward.core.templates import render, render_text
from onward.ports import Objects, Reads

LARGEST_ITEM = 8 * 1024
"""Bytes of JSON."""
PAGE = 500
_KEPT_PAGES = 32
_READ = 250
"""Documents that are read together."""


# The list ---------------------------------------------------------------


def expand(each: ForEach, context: Mapping[str, Any], objects: Objects) -> list[Any]:
    """The items; of a list within a list, each with the outer item that it belongs to. Raises `UserError`."""
    found = _values(each, context, objects)
    if each.inner is not None:
        pairs: list[Any] = []
        for outer in found:
            inner = _values(each.inner, {**context, each.name: outer}, objects)
            _few(len(pairs) + len(inner))
            pairs += ([outer, value] for value in inner)
        found = pairs
    _few(len(found))
    return found


def _values(each: ForEach, context: Mapping[str, Any], objects: Objects) -> list[Any]:
    if each.objects is not None:
        glob = render_text(each.objects, context)
        return [found.uri for found in objects.list(glob, MOST_ITEMS + 1)]
    found = render(each.items, context)
    if not isinstance(found, list):
        text = found if isinstance(found, str) else msgspec.json.encode(found).decode()
        raise UserError(f"`for_each` must give a list, and gives {shown(text)}")
    return found


def _few(count: int) -> None:
    if count > MOST_ITEMS:
        raise UserError(f"`for_each` gives more than {MOST_ITEMS:,} items: run over batches of them")


def named(each: ForEach, index: int, value: Any) -> dict[str, Any]:
    """What templates call an item."""
    values = (value,) if each.inner is None else value
    return dict(zip(each.names(), (*values, index), strict=True))


class Lists:
    """Frozen lists, as objects."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._pages: OrderedDict[tuple[str, int], list[Any]] = OrderedDict()

    def freeze(self, values: Sequence[Any]) -> ItemList:
        """Keep the list. Raises `UserError` for an item that is too large."""
        encoded = [msgspec.json.encode(value) for value in values]
        for index, each in enumerate(encoded):
            if len(each) > LARGEST_ITEM:
                raise UserError(
                    f"item {index:,} of `for_each` takes {len(each):,} bytes, of at most {LARGEST_ITEM:,}: "
                    "give the URI of an object that holds it"
                )
        digest = hashlib.sha256(b"\n".join(encoded)).hexdigest()[:32]
        frozen = ItemList(len(encoded), f"lists/{digest}")
        for first in range(0, len(encoded), PAGE):
            page = b"[" + b",".join(encoded[first : first + PAGE]) + b"]"
            self._objects.put(_page(frozen, first // PAGE), page)
        return frozen

    def item(self, frozen: ItemList, index: int) -> Any:
        """One item of a list. Raises `NotFound`."""
        number, place = divmod(index, PAGE)
        key = (frozen.name, number)
        if key not in self._pages:
            body = self._objects.own(_page(frozen, number))
            if body is None:
                raise NotFound(f"the list of its items, {_page(frozen, number)}, is not there any more")
            self._pages[key] = msgspec.json.decode(body)
            if len(self._pages) > _KEPT_PAGES:
                self._pages.popitem(last=False)
        self._pages.move_to_end(key)
        return self._pages[key][place]


def _page(frozen: ItemList, number: int) -> str:
    return f"{frozen.name}/{number}.json"


# The lanes --------------------------------------------------------------


def standing_still(reads: Reads, plan: Plan, run: str, name: str) -> list[str]:
    """What to wake so that each lane goes on that nobody drives: its next item, or its last one so that its
    parent hears of it. `name`: the step, or a group of its lanes."""
    of, group = group_of(name) or (name, None)
    items = _nodes(reads, run, [of])[of].items
    if items is None:
        return []
    step = plan.step_node(of).step
    found = []
    for lane, (index, node) in _last(reads, step, run, items, lanes_of(step, items.count, group)).items():
        following = lane if index is None else index + step.max_parallel
        if index is not None and not node.phase.ended:
            continue  # it is looked at when it is due
        over = isinstance(node.phase, Cancelled) or following >= items.count
        found.append(item_name(of, index if over and index is not None else following))
    return found


def progress(reads: Reads, step: Step, run: str, items: ItemList) -> dict[str, int]:
    """How many items there are, and how many of them succeeded, failed or are under way."""
    done = failed = under_way = 0
    for index, node in _last(reads, step, run, items, lanes_of(step, items.count)).values():
        if index is None:
            continue
        done += index // step.max_parallel
        failed += node.tally.failed if node.tally is not None else 0
        match node.phase:
            case Cancelled():
                pass
            case phase if phase.ended:
                done += 1
                failed += isinstance(phase, Failed)
            case _:
                under_way += 1
    return {"count": items.count, "succeeded": done - failed, "failed": failed, "running": under_way}


def _last(
    reads: Reads, step: Step, run: str, items: ItemList, lanes: Iterable[int]
) -> dict[int, tuple[int | None, Node]]:
    """Of each lane, the last item that has a document: its index (None: it has not begun) and its node."""
    width = step.max_parallel
    last: dict[int, tuple[int | None, Node]] = {lane: (None, Node()) for lane in lanes}
    # Positions in a lane: at `low` there is a document, at `high` there is none.
    low = dict.fromkeys(last, -1)
    high = {lane: -(-(items.count - lane) // width) for lane in last}
    while halves := {
        # A lane that has not begun is told by its first item.
        lane: (low[lane] + high[lane]) // 2 if low[lane] >= 0 else 0
        for lane in last
        if high[lane] - low[lane] > 1
    }:
        names = {lane: item_name(step.name, lane + half * width) for lane, half in halves.items()}
        nodes = _nodes(reads, run, names.values())
        for lane, half in halves.items():
            node = nodes[names[lane]]
            if node == Node():
                high[lane] = half
            else:
                low[lane], last[lane] = half, (lane + half * width, node)
    return last


def _nodes(reads: Reads, run: str, names: Iterable[str]) -> dict[str, Node]:
    """The nodes of these names; one without a document waits."""
    keys = {name: NodeKey(run, name) for name in names}
    found = reads.read(keys.values())
    return {
        name: doc.doc if (doc := found.get(key)) is not None and isinstance(doc.doc, Node) else Node()
        for name, key in keys.items()
    }


# The results ------------------------------------------------------------


def nodes_of(reads: Reads, run: str, of: str, indices: range) -> Iterator[tuple[str, Node]]:
    """The nodes of these items by name, read some at a time."""
    for first in range(0, len(indices), _READ):
        names = [item_name(of, index) for index in indices[first : first + _READ]]
        yield from _nodes(reads, run, names).items()


def outputs(reads: Reads, objects: Objects, run: str, of: str, node: Node) -> list[Any]:
    """What the items of a `for_each` that succeeded returned, in order; None for those that failed.

    Composed by the first who asks, and kept as an object.
    """
    assert node.items is not None
    if not node.items.count:
        return []
    if isinstance(node.phase, Succeeded) and node.phase.adopted is not None:
        run = node.phase.adopted  # its items are there
    name = f"outputs/{run}/{of}.json"
    body = objects.own(name)
    if body is None:
        found = [_output(each, objects) for _, each in nodes_of(reads, run, of, range(node.items.count))]
        body = msgspec.json.encode(found)
        objects.put(name, body)
    composed: list[Any] = msgspec.json.decode(body)
    return composed


def _output(node: Node, objects: Objects) -> Any:
    match node.phase:
        case Succeeded(output_uri=str(uri)):
            return msgspec.json.decode(objects.get(uri))
        case Succeeded(output=output):
            return output
        case _:
            return None
