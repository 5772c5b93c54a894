"""Checks, before a definition runs, that everything it calls is there and gets what it takes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from onward.core.problems import Report, shown
from onward.local.gcw import expressions as ex
from onward.local.gcw.definition import CallStep, Definition, Entries, Items, Step, Template, Try, Workflow
from onward.local.gcw.functions import Parameter, library, misfit
from onward.local.gcw.policies import PREDICATES
from onward.local.gcw.walk import all_steps, step_expressions, subexpressions

LACKING = ("googleapis.", "events.", "experimental.", "executions.")
"""Families of which the service has more than there is locally."""

Given = int | Collection[str] | None
"""How many arguments, or which by name; None when an expression decides."""
Found = tuple[int, str, str]
"""Line, message and hint."""


def parameters(workflow: Workflow) -> tuple[Parameter, ...]:
    return tuple(Parameter(param.name, param.default is None) for param in workflow.params)


def check_calls(definition: Definition, report: Report) -> None:
    """Reports what is not there, arguments that do not fit, and blocking calls inside expressions."""
    for workflow in definition.workflows.values():
        for step in all_steps(workflow.steps):
            for line, message, hint in _step_calls(definition, step, report):
                report.say(line, (workflow.name, step.name), message, hint)


def _step_calls(definition: Definition, step: Step, report: Report) -> Iterator[Found]:
    match step.action:
        case CallStep(function, line, arguments) if function:
            for message, hint in _call(definition, function, _given(arguments), report):
                yield line, message, hint
        case Try(retry=retry) if retry is not None and retry.predicate not in PREDICATES:
            for message, hint in _call(definition, retry.predicate, 1, report):
                yield retry.line, f"the retry predicate gets the error: {message}", hint
    for expression, line in step_expressions(step):
        for part in subexpressions(expression):
            if isinstance(part, ex.Call):
                called = library().get(part.function)
                if called is not None and called.blocking and part.function not in definition.workflows:
                    yield line, f"{part.function} cannot be called inside an expression", "use a `call` step"
                for message, hint in _call(definition, part.function, len(part.arguments), report):
                    yield line, message, hint


def _given(arguments: Template) -> Given:
    match arguments:
        case Items(items):
            return len(items)
        case Entries(entries):
            return [name for name, _ in entries]
        case _:
            return None


def _call(definition: Definition, name: str, given: Given, report: Report) -> Iterator[tuple[str, str]]:
    if name in definition.workflows:
        takes: Sequence[Parameter] = parameters(definition.workflows[name])
    elif name in library():
        takes = library()[name].parameters
    elif name.startswith(LACKING):
        yield f"{shown(name, bare=True)} is not available locally", ""
        return
    else:
        known = [*library(), *PREDICATES, *definition.workflows]
        yield f"there is no function or sub-workflow {shown(name)}", report.similar(name, known)
        return
    if given is not None and (message := misfit(name, takes, given)):
        yield message, ""
