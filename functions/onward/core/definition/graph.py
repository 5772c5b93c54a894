"""The graph of needs: every step is known, none waits for itself, and what runs before what."""

from __future__ import annotations

from collections import deque

import msgspec

from onward.core.definition.nodes import Node
from onward.core.pipeline import Pipeline, Step
from onward.core.problems import Report, circle, listed, shown

MOST_LISTED = 12


class Ancestors(msgspec.Struct, frozen=True):
    """Which steps have ended before a step begins: one bit per step."""

    bits: dict[str, int]
    before: dict[str, int]

    def has(self, step: str, earlier: str) -> bool:
        return bool(self.before[step] & self.bits[earlier])


def ancestors(pipeline: Pipeline, root: Node, report: Report) -> Ancestors | None:
    """None when the needs have problems, which were said."""
    steps = {step.name: step for step in pipeline.steps}
    sound = True
    for step in pipeline.steps:
        sound &= _known(step, steps, root, report)
    needs = {
        name: {need for need in step.needs if need in steps and need != name} for name, step in steps.items()
    }
    order = _order(needs)
    if len(order) < len(needs):
        for cycle in _cycles(needs.keys() - set(order), needs, list(steps)):
            at = ("steps", cycle[0], "needs")
            report.say(root.line_at(at), at, f"the steps wait for each other: {circle(cycle)}")
        return None
    if not sound:
        return None
    bits = {name: 1 << place for place, name in enumerate(order)}
    before: dict[str, int] = {}
    for name in order:
        reached = 0
        for need in needs[name]:
            reached |= before[need] | bits[need]
        before[name] = reached
    return Ancestors(bits, before)


def _known(step: Step, steps: dict[str, Step], root: Node, report: Report) -> bool:
    at = ("steps", step.name, "needs")
    seen: set[str] = set()
    sound = True
    for position, need in enumerate(step.needs):
        line = root.line_at((*at, position))
        if not need:  # was refused, and nobody knows what it meant
            sound = False
        elif need == step.name:
            report.say(line, at, "a step can't need itself")
            sound = False
        elif need not in steps:
            hint = report.similar(need, steps) or (
                f"there are {listed(steps)}" if len(steps) < MOST_LISTED else ""
            )
            report.say(line, at, f"no step is named {shown(need)}", hint)
            sound = False
        elif need in seen:
            report.say(line, at, f"{shown(need)} is here twice", "keep one")
        seen.add(need)
    return sound


def _order(needs: dict[str, set[str]]) -> list[str]:
    """The steps, each after all it needs; those on a cycle, or behind one, are left out."""
    waiting = {name: len(of) for name, of in needs.items()}
    followers: dict[str, list[str]] = {name: [] for name in needs}
    for name, of in needs.items():
        for need in of:
            followers[need].append(name)
    ready = deque(name for name, count in waiting.items() if count == 0)
    order = []
    while ready:
        order.append(name := ready.popleft())
        for follower in followers[name]:
            waiting[follower] -= 1
            if waiting[follower] == 0:
                ready.append(follower)
    return order


def _cycles(stuck: set[str], needs: dict[str, set[str]], places: list[str]) -> list[list[str]]:
    """A cycle for each knot of steps: following any stuck need must come back to where it was."""
    place = {name: number for number, name in enumerate(places)}
    cycles: list[list[str]] = []
    visited: set[str] = set()
    for start in sorted(stuck, key=place.__getitem__):
        path: dict[str, None] = {}
        name = start
        while name not in visited and name not in path:
            path[name] = None
            name = min(needs[name] & stuck, key=place.__getitem__)
        if name in path:
            cycle = list(path)[list(path).index(name) :]
            first = cycle.index(min(cycle, key=place.__getitem__))
            cycles.append(cycle[first:] + cycle[:first])
        visited.update(path)
    return cycles
