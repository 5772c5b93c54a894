"""Checks a definition's variables before it runs: that they are assigned, and shared where they must be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onward.core.problems import Report
from onward.local.gcw import expressions as ex
from onward.local.gcw.definition import Assign, Branches, CallStep, Definition, For, Parallel, Step, Try
from onward.local.gcw.walk import all_steps, children, step_expressions, subexpressions


def check_variables(definition: Definition, report: Report) -> None:
    """Reports variables that nothing assigns, and assignments in parallel steps to what is not shared."""
    for workflow in definition.workflows.values():
        params = {param.name for param in workflow.params}
        known = params.union(*(_writes(step) | _own(step) for step in all_steps(workflow.steps)))
        for step in all_steps(workflow.steps):
            for name, line in _reads(step):
                if name not in known:
                    hint = report.similar(name, known)
                    message = f"nothing assigns the variable `{name}`"
                    report.say(line, (workflow.name, step.name), message, hint)
        for step, message in _unshared(workflow.steps, params, frozenset()):
            report.say(step.line, (workflow.name, step.name), message)


def _reads(step: Step) -> Iterator[tuple[str, int]]:
    for expression, line in step_expressions(step):
        for part in subexpressions(expression):
            if isinstance(part, ex.Name):
                yield part.name, line


def _writes(step: Step) -> set[str]:
    """The variables that the step itself assigns."""
    match step.action:
        case Assign(assignments):
            return {assignment.variable for assignment in assignments}
        case CallStep(result=str(result)):
            return {result}
        case _:
            return set()


def _own(step: Step) -> set[str]:
    """The variables that the step makes for the steps inside it."""
    match step.action:
        case For(value, index) | Parallel(work=For(value, index)):
            return {value, index} if index else {value}
        case Try(handler=handler) if handler is not None:
            return {handler.variable}
        case _:
            return set()


def _unshared(steps: Sequence[Step], seen: set[str], locked: frozenset[str]) -> Iterator[tuple[Step, str]]:
    """`seen` grows by what the steps assign; `locked` is what a parallel step around them does not share."""
    for step in steps:
        for name in sorted(_writes(step) & locked):
            yield step, f"`{name}` is assigned in a parallel step, so it must be in `shared`"
        seen |= _writes(step)
        own = _own(step)
        match step.action:
            case Parallel(shared, _, work):
                for name in sorted(set(shared) - seen):
                    yield step, f"the shared variable `{name}` must be assigned before the parallel step"
                inside = (seen - set(shared) | locked) - own
                for branch in work.branches if isinstance(work, Branches) else [work]:
                    steps_inside = (branch,) if isinstance(branch, Step) else branch.steps
                    yield from _unshared(steps_inside, seen | own, frozenset(inside))
            case Try(body, _, handler) if handler is not None:
                yield from _unshared((body,), seen, locked)
                yield from _unshared(handler.steps, seen | own, locked - own)
            case For(steps=inner):
                yield from _unshared(inner, seen | own, locked - own)
            case action:
                yield from _unshared(children(action), seen, locked)
