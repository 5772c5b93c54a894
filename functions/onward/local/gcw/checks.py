"""What can be known of a definition before it runs: that all it calls is there, and its variables too."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from onward.local.gcw import expressions as ex
from onward.local.gcw.definition import (
    Assign,
    Branches,
    CallStep,
    Definition,
    Entries,
    For,
    Items,
    Parallel,
    Step,
    Try,
    Workflow,
)
from onward.local.gcw.errors import Problem
from onward.local.gcw.functions import Parameter, library, misfit
from onward.local.gcw.policies import PREDICATES
from onward.local.gcw.reader import suggestion
from onward.local.gcw.walk import all_steps, children, step_expressions, subexpressions

LACKING = ("googleapis.", "events.", "experimental.", "executions.")
"""Families of which the service has more than there is locally."""


def parameters(workflow: Workflow) -> tuple[Parameter, ...]:
    return tuple(Parameter(param.name, param.default is None) for param in workflow.params)


def call_problems(definition: Definition) -> Iterator[Problem]:
    """Functions that are not there, arguments that do not fit, blocking calls inside expressions."""
    for workflow in definition.workflows.values():
        for step in all_steps(workflow.steps):
            where = f"{workflow.name}.{step.name}"
            for line, message in _step_calls(definition, step):
                yield Problem(definition.filename, line, where, message)


def _step_calls(definition: Definition, step: Step) -> Iterator[tuple[int, str]]:
    match step.action:
        case CallStep(function, line, arguments) if function:
            yield from _call(definition, function, line, _given(arguments), blocking=True)
        case Try(retry=retry) if retry is not None and retry.predicate not in PREDICATES:
            workflow = definition.workflows.get(retry.predicate)
            if workflow is None:
                yield retry.line, _unknown(definition, retry.predicate)
            elif message := misfit(workflow.name, parameters(workflow), 1):
                yield retry.line, f"a retry predicate is given the error: {message}"
    for expression, line in step_expressions(step):
        for part in subexpressions(expression):
            if isinstance(part, ex.Call):
                yield from _call(definition, part.function, line, len(part.arguments), blocking=False)


def _given(arguments: object) -> int | Collection[str] | None:
    match arguments:
        case Items(items):
            return len(items)
        case Entries(entries):
            return [name for name, _ in entries]
        case _:
            return None


def _call(
    definition: Definition, name: str, line: int, given: int | Collection[str] | None, *, blocking: bool
) -> Iterator[tuple[int, str]]:
    workflow = definition.workflows.get(name)
    function = library().get(name)
    if workflow is not None:
        takes: Sequence[Parameter] = parameters(workflow)
    elif function is not None:
        takes = function.parameters
        if function.blocking and not blocking:
            yield line, f"{name} cannot be used inside an expression: use a `call` step"
    else:
        yield line, _unknown(definition, name)
        return
    if given is not None and (message := misfit(name, takes, given)):
        yield line, message


def _unknown(definition: Definition, name: str) -> str:
    if name.startswith(LACKING):
        return f"{name} is not available locally"
    hint = suggestion(name, [*library(), *PREDICATES, *definition.workflows])
    return f"there is no function or sub-workflow `{name}`" + (f": {hint}" if hint else "")


def variable_problems(definition: Definition) -> Iterator[Problem]:
    """Variables that nothing assigns, and assignments in parallel steps to variables that are not shared."""
    for workflow in definition.workflows.values():
        params = {param.name for param in workflow.params}
        known = params.union(*(_writes(step) | _loop_names(step) for step in all_steps(workflow.steps)))
        for step in all_steps(workflow.steps):
            where = f"{workflow.name}.{step.name}"
            for expression, line in step_expressions(step):
                for part in subexpressions(expression):
                    if isinstance(part, ex.Name) and part.name not in known:
                        hint = suggestion(part.name, known)
                        message = f"nothing assigns the variable `{part.name}`"
                        yield Problem(definition.filename, line, where, message, hint)
        for step, message in _unshared(workflow.steps, params, frozenset()):
            yield Problem(definition.filename, step.line, f"{workflow.name}.{step.name}", message)


def _writes(step: Step) -> set[str]:
    """The variables that the step itself assigns."""
    match step.action:
        case Assign(assignments):
            return {assignment.variable for assignment in assignments}
        case CallStep(result=str(result)):
            return {result}
        case _:
            return set()


def _loop_names(step: Step) -> set[str]:
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
        own = _loop_names(step)
        match step.action:
            case Parallel(shared, _, work):
                for name in sorted(set(shared) - seen):
                    yield step, f"the shared variable `{name}` must be assigned before the parallel step"
                inside = (seen - set(shared) | locked) - own
                branches = (
                    [(branch,) for branch in work.branches] if isinstance(work, Branches) else [work.steps]
                )
                for branch in branches:
                    yield from _unshared(branch, seen | own, frozenset(inside))
            case Try(body, _, handler) if handler is not None:
                yield from _unshared((body,), seen, locked)
                yield from _unshared(handler.steps, seen | own, locked - own)
            case For(steps=inner):
                yield from _unshared(inner, seen | own, locked - own)
            case action:
                yield from _unshared(children(action), seen, locked)
