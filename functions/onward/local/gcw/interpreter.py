"""Runs a definition: one step after the other, over the world that `Io` is.

Parallel branches run one after the other, in the order of the text: any order is right, and this one
makes a run repeatable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from onward.local.gcw import definition as d
from onward.local.gcw.calls import parameters
from onward.local.gcw.errors import WorkflowError, failure, unhandled_branches
from onward.local.gcw.evaluator import evaluate
from onward.local.gcw.functions import invoke, library, named
from onward.local.gcw.loops import values
from onward.local.gcw.policies import PREDICATES, delays
from onward.local.gcw.ports import Io
from onward.local.gcw.scope import Scope
from onward.local.gcw.templates import render
from onward.local.gcw.values import Value, replaced, to_json, type_name

MAX_STEPS, MAX_CALLS, MAX_PARALLEL, MAX_ARGUMENT_BYTES = 100_000, 20, 2, 32 * 1024
"""Workflows' limits: steps of an execution, nested calls, nested parallel steps, and the argument."""


@dataclass(frozen=True, slots=True)
class Jump:
    target: str
    """A step's name, `break` or `continue`."""


@dataclass(frozen=True, slots=True)
class Returned:
    value: Value


Outcome = Jump | Returned | None
"""How steps ended; None when they ran to their end."""


def run(definition: d.Definition, args: Value, io: Io) -> Value:
    """The result of `main`, a JSON value. `args` None means that no argument is given.

    WorkflowError, with step and line, for whatever the workflow itself did not catch.
    """
    if len(to_json(args).encode(errors="surrogatepass")) > MAX_ARGUMENT_BYTES:
        raise failure("ResourceLimitError", f"the argument is larger than {MAX_ARGUMENT_BYTES // 1024} KB")
    main = definition.workflows["main"]
    arguments = {param.name: args for param in main.params if args is not None or param.default is None}
    try:
        result = Execution(definition, io).call(main, arguments, calls=1, parallels=0)
    except RecursionError:
        raise failure("ResourceLimitError", "the workflow is nested too deeply") from None
    to_json(result)
    return result


class Execution:
    """One run: what all its frames share."""

    def __init__(self, definition: d.Definition, io: Io) -> None:
        self.workflows = definition.workflows
        self.io = io
        self.steps_run = 0

    def call(self, workflow: d.Workflow, arguments: dict[str, Value], *, calls: int, parallels: int) -> Value:
        if calls > MAX_CALLS:
            raise failure("RecursionError", f"more than {MAX_CALLS} calls inside each other")
        frame = Frame(self, Scope(), calls, parallels)
        for param in workflow.params:
            given = param.name in arguments or param.default is None
            value = arguments[param.name] if given else render(param.default or d.Constant(None), frame)
            frame.scope.define(param.name, value)
        outcome = frame.steps(workflow.steps)
        return outcome.value if isinstance(outcome, Returned) else None


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a step runs: its variables, and how deep it is. It is the environment of its expressions."""

    execution: Execution
    scope: Scope
    calls: int
    parallels: int

    def lookup(self, name: str) -> Value:
        return self.scope.get(name)

    def call(self, function: str, arguments: Value) -> Value:
        workflow = self.execution.workflows.get(function)
        if workflow is None:
            return invoke(library()[function], arguments, self.execution.io)
        bound = named(function, parameters(workflow), arguments)
        return self.execution.call(workflow, bound, calls=self.calls + 1, parallels=self.parallels)

    def inner(self) -> Frame:
        return replace(self, scope=Scope(self.scope))

    def steps(self, steps: Sequence[d.Step]) -> Outcome:
        positions = {step.name: at for at, step in enumerate(steps)}
        at = 0
        while at < len(steps):
            outcome = self.step(steps[at])
            match outcome:
                case None:
                    at += 1
                case Jump(target) if target in positions:
                    at = positions[target]
                case _:
                    return outcome
        return None

    def step(self, step: d.Step) -> Outcome:
        self.execution.steps_run += 1
        try:
            if self.execution.steps_run > MAX_STEPS:
                raise failure("ResourceLimitError", f"more than {MAX_STEPS} steps were run")
            outcome = self.action(step.action)
        except WorkflowError as error:
            if error.step is None:
                error.step, error.line = step.name, step.line
            raise
        if outcome is not None or step.next is None:
            return outcome
        return Returned(None) if step.next == "end" else Jump(step.next)

    def action(self, action: d.Action) -> Outcome:
        match action:
            case d.Assign(assignments):
                for assignment in assignments:
                    self.assign(assignment)
            case d.CallStep():
                result = self.call(action.function, render(action.arguments, self))
                if action.result is not None:
                    self.scope.set(action.result, result)
            case d.Switch(cases):
                return self.switch(cases)
            case d.For():
                return self.loop(action)
            case d.Parallel():
                self.parallel(action)
            case d.Try():
                return self.attempt(action)
            case d.Raise(error):
                raise WorkflowError(render(error, self))
            case d.Return(value):
                return Returned(render(value, self))
            case d.Nested(steps):
                return self.steps(steps)
        return None

    def assign(self, assignment: d.Assignment) -> None:
        value = render(assignment.value, self)
        path = [evaluate(index, self) for index in assignment.path]
        if path:
            value = replaced(self.scope.get(assignment.variable), path, value)
        self.scope.set(assignment.variable, value)

    def switch(self, cases: Sequence[d.Case]) -> Outcome:
        for case in cases:
            condition = render(case.condition, self)
            if not isinstance(condition, bool):
                raise failure("TypeError", f"a condition must be a bool, not a {type_name(condition)}")
            if condition:
                return self.step(case.body)
        return None

    def loop(self, loop: d.For) -> Outcome:
        inner = self.inner()
        for index, value in enumerate(values(loop.over, self)):
            inner.enter(loop, index, value)
            match inner.steps(loop.steps):
                case Jump("break"):
                    break
                case None | Jump("continue"):
                    continue
                case outcome:
                    return outcome
        return None

    def enter(self, loop: d.For, index: int, value: Value) -> None:
        self.scope.define(loop.value, value)
        if loop.index is not None:
            self.scope.define(loop.index, index)

    def parallel(self, step: d.Parallel) -> None:
        if self.parallels >= MAX_PARALLEL:
            raise failure("ParallelNestingError", f"parallel steps nest at most {MAX_PARALLEL} deep")
        limit = render(step.limit, self)
        if limit is not None and (type(limit) is not int or limit < 1):
            raise failure("ValueError", "`concurrency_limit` must be a positive integer")
        failed: list[tuple[str, WorkflowError]] = []
        for name, frame, steps in self.branches(step.work):
            try:
                frame.steps(steps)
            except WorkflowError as error:
                failed.append((name, error))
        if failed:
            raise unhandled_branches(failed)

    def branches(self, work: d.Branches | d.For) -> Iterator[tuple[str, Frame, Sequence[d.Step]]]:
        """The id, the frame and the steps of each branch or iteration."""
        deeper = replace(self, parallels=self.parallels + 1)
        match work:
            case d.Branches(branches):
                for branch in branches:
                    yield branch.name, deeper.inner(), (branch,)
            case d.For():
                for index, value in enumerate(values(work.over, self)):
                    frame = deeper.inner()
                    frame.enter(work, index, value)
                    yield str(index), frame, work.steps

    def attempt(self, step: d.Try) -> Outcome:
        try:
            return self.step(step.body) if step.retry is None else self.retried(step.body, step.retry)
        except WorkflowError as error:
            if step.handler is None:
                raise
            inner = self.inner()
            inner.scope.define(step.handler.variable, error.payload)
            return inner.steps(step.handler.steps)

    def retried(self, body: d.Step, retry: d.Retry) -> Outcome:
        for delay in delays(retry, self):
            try:
                return self.step(body)
            except WorkflowError as error:
                if not self.retryable(retry.predicate, error):
                    raise
            self.execution.io.sleep(delay)
        return self.step(body)

    def retryable(self, predicate: str, error: WorkflowError) -> bool:
        if predicate in PREDICATES:
            return PREDICATES[predicate](error)
        answer = self.call(predicate, [error.payload])
        if not isinstance(answer, bool):
            raise failure("TypeError", f"{predicate} must return a bool, not a {type_name(answer)}")
        return answer
