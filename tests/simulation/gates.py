"""What must hold of admission: never more than the limit, in order, no slot lost, no waiter forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from onward.core import admission
from onward.core.state import Gate, GateKey, Key, Run, RunKey, Waiter, WaiterKey
from onward.ports import JobRequest, Versioned

from simulation.violation import Violation

if TYPE_CHECKING:
    from simulation.world import World


class _Waiting(NamedTuple):
    since: int
    holder: str


class Gates:
    """Looks at every change of a gate or of a waiter, and at every job of a step that has a pool."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.moments = count(1)
        self.waiting: dict[str, dict[str, _Waiting]] = {}
        """By gate and place."""
        self.granted: dict[str, int] = {}
        """By gate: when it last let somebody in."""
        self.order: dict[str, list[str]] = {}
        """By gate: who was let in, in this order."""

    def submitted(self, request: JobRequest) -> None:
        """A job of a step with a pool is made only for a holder of a slot."""
        found = self.world.store.read([RunKey(request.run)])[RunKey(request.run)].doc
        assert isinstance(found, Run)
        gate = admission.pool_gate(self.world.plans[found.plan], request.node)
        if gate is not None and f"{request.run}/{request.node}" not in self._gate(gate).admitted:
            raise Violation(f"{request.name} was made without a slot of {gate}")

    def _gate(self, name: str) -> Gate:
        found = self.world.store.read([GateKey(name)]).get(GateKey(name))
        return found.doc if found is not None and isinstance(found.doc, Gate) else Gate()

    def committed(self, before: Mapping[Key, Versioned], after: Mapping[Key, Versioned]) -> None:
        """Who is let in was the first in line, and there was room."""
        keys = before | after
        for key in keys:
            if isinstance(key, WaiterKey) and key not in before:
                waiter = after[key].doc
                assert isinstance(waiter, Waiter)
                holder = waiter.run if waiter.node is None else f"{waiter.run}/{waiter.node}"
                self.waiting.setdefault(key.gate, {})[key.waiter] = _Waiting(next(self.moments), holder)
        for key in keys:
            if isinstance(key, GateKey):
                old, new = (found[key].doc if key in found else Gate() for found in (before, after))
                assert isinstance(old, Gate)
                assert isinstance(new, Gate)
                gone = {each.waiter for each in keys if isinstance(each, WaiterKey) and each not in after}
                self._changed(key.gate, old.admitted, new.admitted, gone)
        for key in keys:
            if isinstance(key, WaiterKey) and key not in after:
                self.waiting[key.gate].pop(key.waiter, None)

    def _changed(self, gate: str, old: tuple[str, ...], now: tuple[str, ...], gone: set[str]) -> None:
        limit = self.world.limit(gate)
        if limit is not None and len(now) > max(limit, len(old)):
            raise Violation(f"{gate} holds {now}, and its limit is {limit}")
        new = set(now) - set(old)
        if not new:
            return
        line = self.waiting.get(gate, {})
        # One that was cancelled at this very moment is let in without a waiter; told, it gives its slot back.
        last = max((place for place, each in line.items() if each.holder in new), default="")
        for place, each in line.items():
            # A process that is alone may let one in and end it in one commit.
            stays = each.holder not in now and place not in gone
            if place < last and stays and each.since < self.granted.get(gate, 0):
                raise Violation(f"{gate} let {new} in before {each.holder}, who had waited for longer")
        self.granted[gate] = next(self.moments)
        self.order.setdefault(gate, []).extend(holder for holder in now if holder in new)
        self.world.counts["let in"] += len(new)

    def at_the_end(self) -> None:
        """Everybody has left, and nobody waits."""
        for gate in {*self.waiting, *self.order}:
            left = self.world.store.waiters(gate, 10)
            if left:
                raise Violation(f"{gate} has forgotten {left}")
            admitted = self._gate(gate).admitted
            if admitted:
                raise Violation(f"{gate} has lost the slots of {admitted}")
