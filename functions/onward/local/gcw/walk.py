"""Looks over a definition: the steps inside steps, and the expressions of each."""

from __future__ import annotations

from collections.abc import Iterator

from onward.local.gcw import expressions as ex
from onward.local.gcw.definition import (
    Action,
    Assign,
    Branches,
    CallStep,
    Each,
    For,
    Nested,
    Parallel,
    Raise,
    Return,
    Step,
    Switch,
    Template,
    Try,
)
from onward.local.gcw.templates import expressions


def all_steps(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Every step, in the order of the text."""
    for step in steps:
        yield step
        yield from all_steps(children(step.action))


def children(action: Action) -> tuple[Step, ...]:  # noqa: PLR0911  (one per kind of step)
    """The steps right inside a step."""
    match action:
        case Nested(steps):
            return steps
        case Switch(cases):
            return tuple(case.body for case in cases)
        case For(steps=steps):
            return steps
        case Parallel(work=For(steps=steps)):
            return steps
        case Parallel(work=Branches(branches)):
            return branches
        case Try(body, _, handler):
            return (body, *handler.steps) if handler else (body,)
        case _:
            return ()


def step_expressions(step: Step) -> Iterator[tuple[ex.Expression, int]]:
    """Every expression of the step itself, with its line."""
    if isinstance(step.action, Assign):
        for assignment in step.action.assignments:
            for index in assignment.path:
                yield index, step.line
    for template in _templates(step.action):
        yield from expressions(template)


def _templates(action: Action) -> Iterator[Template]:
    match action:
        case Assign(assignments):
            yield from (assignment.value for assignment in assignments)
        case CallStep(arguments=arguments):
            yield arguments
        case Switch(cases):
            yield from (case.condition for case in cases)
        case For(over=over):
            yield over.items if isinstance(over, Each) else over.bounds
        case Parallel(limit=limit, work=work):
            yield limit
            if isinstance(work, For):
                yield from _templates(work)
        case Try(retry=retry):
            if retry is not None:
                yield from (retry.max_retries, retry.initial_delay, retry.max_delay, retry.multiplier)
        case Raise(value) | Return(value):
            yield value
        case Nested():
            return


def subexpressions(expression: ex.Expression) -> Iterator[ex.Expression]:
    """The expression and everything inside it."""
    yield expression
    match expression:
        case ex.Member(base, _):
            parts: tuple[ex.Expression, ...] = (base,)
        case ex.Index(base, index):
            parts = (base, index)
        case ex.Call(_, arguments):
            parts = arguments
        case ex.ListOf(items):
            parts = items
        case ex.Unary(_, operand):
            parts = (operand,)
        case ex.Binary(_, left, right):
            parts = (left, right)
        case ex.Literal() | ex.Name():
            parts = ()
    for part in parts:
        yield from subexpressions(part)
