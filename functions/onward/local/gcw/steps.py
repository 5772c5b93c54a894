"""Source tree → steps. Every problem is noted and parsing goes on, so that one look shows them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from onward.core.problems import shown
from onward.local.gcw import expressions as ex
from onward.local.gcw.definition import (
    Action,
    Assign,
    Assignment,
    Branches,
    CallStep,
    Case,
    Constant,
    Each,
    Entries,
    Except,
    For,
    Items,
    Nested,
    Parallel,
    Raise,
    Range,
    Return,
    Step,
    Switch,
    Try,
)
from onward.local.gcw.policies import parse_retry
from onward.local.gcw.reader import Context, Reader
from onward.local.gcw.source import Node
from onward.local.gcw.tokens import ExpressionError

MAX_ENTRIES = 50
"""Assignments of one step and conditions of one switch: Workflows' limit."""
MAX_BRANCHES = 10

RESERVED = {
    "end": "a parallel branch ends after its last step",
    "break": "it ends a `for` loop that is not parallel",
    "continue": "it goes on with the next iteration of a `for` loop",
}

Keys = dict[str, Node]


@dataclass(slots=True)
class StepParser(Reader):
    names: set[str] = field(default_factory=set)
    """Step names of the workflow being parsed: they must differ."""

    def steps(self, node: Node | None, context: Context) -> tuple[Step, ...]:
        if node is None:
            return ()
        entries = list(self.single_keys(node, context, "steps"))
        inner = replace(context, targets=context.targets | {name for name, _, _ in entries})
        return tuple(self.named_step(*entry, inner) for entry in entries)

    def named_step(self, name: str, body: Node, line: int, context: Context) -> Step:
        if name in self.names:
            self.problem(line, context, f"two steps are named {shown(name)}")
        if name in RESERVED:
            self.problem(line, context, f"a step cannot be named {shown(name)}")
        self.names.add(name)
        return self.step(body, line, context.at(name))

    def step(self, node: Node, line: int, context: Context) -> Step:
        """One step, whether it stands in a list, in `try` or beside a `condition`."""
        keys = self.mapping(node, context, "a step")
        kinds = [key for key in keys if key in KINDS]
        if len(kinds) > 1:
            self.problem(line, context, f"a step does one thing, not {' and '.join(kinds)}")
        if not kinds and "next" not in keys:
            self.problem(line, context, f"a step needs one of {', '.join([*KINDS, 'next'])}")
        parse, companions = KINDS[kinds[0]] if kinds else (_nothing, ("next",))
        self.keys(node, context, "a step", {*kinds, *companions} if kinds else {*KINDS, "next"})
        return Step(context.step, line, parse(self, keys, context), self.jump(keys.get("next"), context))

    def jump(self, node: Node | None, context: Context) -> str | None:
        target = self.text(node, context, "next") if node else None
        if node is None or target is None:
            return None
        if target in RESERVED and target not in context.jumps:
            self.problem(node.line, context, f"`next: {target}` is not available here", RESERVED[target])
        elif target not in RESERVED and target not in context.targets:
            hint = self.report.similar(target, context.targets) or "jumps lead to steps beside or around"
            self.problem(node.line, context, f"`next`: there is no step {shown(target)} to jump to", hint)
        return target

    def assign(self, keys: Keys, context: Context) -> Action:
        entries = list(self.single_keys(keys["assign"], context, "assign"))
        if len(entries) > MAX_ENTRIES:
            self.problem(keys["assign"].line, context, f"`assign` has at most {MAX_ENTRIES} assignments")
        return Assign(tuple(self.assignments(entries, context)))

    def assignments(self, entries: list[tuple[str, Node, int]], context: Context) -> Iterable[Assignment]:
        for target, node, line in entries:
            try:
                variable, path = _target(ex.parse(target))
            except ExpressionError as error:
                self.problem(line, context, f"cannot assign to {shown(target)}: {error}")
            else:
                yield Assignment(variable, path, self.value(node, context))

    def call(self, keys: Keys, context: Context) -> Action:
        arguments = self.value(keys.get("args"), context, Entries(()))
        if isinstance(arguments, Constant):
            if arguments.value is not None:
                self.problem(keys["args"].line, context, "`args` must be a map or a list")
            arguments = Entries(())
        function = self.text(keys["call"], context, "call")
        result = self.variable(keys.get("result"), context, "result")
        return CallStep(function, keys["call"].line, arguments, result)

    def switch(self, keys: Keys, context: Context) -> Action:
        cases = self.sequence(keys["switch"], context, "`switch`")
        if len(cases) > MAX_ENTRIES:
            self.problem(keys["switch"].line, context, f"a switch has at most {MAX_ENTRIES} conditions")
        return Switch(tuple(self.case(node, context) for node in cases))

    def case(self, node: Node, context: Context) -> Case:
        keys = dict(self.mapping(node, context, "each item of `switch`"))
        condition = keys.pop("condition", None)
        if condition is None:
            self.problem(node.line, context, "each item of `switch` needs `condition`")
        body = self.step(Node(keys, node.line), node.line, context)
        return Case(self.value(condition, context), body)

    def loop(self, keys: Keys, context: Context, jumps: tuple[str, ...] = ("break", "continue")) -> For:
        node = keys["for"]
        fields = self.keys(
            node, context, "for", ("value", "index", "in", "range", "steps"), ("value", "steps")
        )
        if fields and ("in" in fields) == ("range" in fields):
            self.problem(node.line, context, "a `for` needs one of `in` and `range`")
        over: Each | Range = Each(self.value(fields.get("in"), context))
        if "range" in fields:
            over = Range(self.value(fields["range"], context))
            pair = 2
            if isinstance(over.bounds, Constant | Entries) or (
                isinstance(over.bounds, Items) and len(over.bounds.items) != pair
            ):
                self.problem(node.line, context, "`range` is a list of the first and the last number")
        value = self.variable(fields.get("value"), context, "value") or ""
        index = self.variable(fields.get("index"), context, "index")
        inner = replace(context, jumps=context.jumps.union(jumps))
        return For(value, index, over, self.steps(fields.get("steps"), inner))

    def parallel(self, keys: Keys, context: Context) -> Action:
        node = keys["parallel"]
        allowed = ("exception_policy", "shared", "concurrency_limit", "branches", "for")
        fields = self.keys(node, context, "parallel", allowed)
        if "exception_policy" in fields and fields["exception_policy"].content != "continueAll":
            self.problem(node.line, context, "`exception_policy` is continueAll, the only policy there is")
        if ("branches" in fields) == ("for" in fields):
            self.problem(node.line, context, "a `parallel` needs one of `branches` and `for`")
        limit = self.value(fields.get("concurrency_limit"), context)
        names = self.sequence(fields["shared"], context, "`shared`") if "shared" in fields else []
        shared = tuple(name for item in names if (name := self.variable(item, context, "shared")))
        # Nothing jumps out of a branch.
        inner = replace(context, targets=frozenset(), jumps=frozenset(), in_parallel=True)
        if "for" in fields:
            return Parallel(shared, limit, self.loop(fields, inner, ("continue",)))
        entries = self.single_keys(fields["branches"], context, "branches") if "branches" in fields else ()
        branches = tuple(self.named_step(*entry, inner) for entry in entries)
        if len(branches) > MAX_BRANCHES:
            self.problem(node.line, context, f"a parallel step has at most {MAX_BRANCHES} branches")
        return Parallel(shared, limit, Branches(branches))

    def attempt(self, keys: Keys, context: Context) -> Action:
        node = keys["try"]
        retry = parse_retry(self, keys["retry"], context) if "retry" in keys else None
        handler = self.handler(keys["except"], context) if "except" in keys else None
        if not {"retry", "except"} & keys.keys():
            self.problem(node.line, context, "a `try` needs `retry` or `except`")
        return Try(self.step(node, node.line, context), retry, handler)

    def handler(self, node: Node, context: Context) -> Except:
        fields = self.keys(node, context, "except", ("as", "steps"), ("as",))
        variable = self.variable(fields.get("as"), context, "as") or ""
        return Except(variable, self.steps(fields.get("steps"), context))

    def return_(self, keys: Keys, context: Context) -> Action:
        if context.in_parallel:
            line = keys["return"].line
            self.problem(line, context, "`return` in a parallel branch is not available locally")
        return Return(self.value(keys["return"], context))

    def raise_(self, keys: Keys, context: Context) -> Action:
        return Raise(self.value(keys["raise"], context))

    def nested(self, keys: Keys, context: Context) -> Action:
        return Nested(self.steps(keys["steps"], context))


def _nothing(_: StepParser, __: Keys, ___: Context) -> Action:
    return Nested(())


def _target(expression: ex.Expression) -> tuple[str, tuple[ex.Expression, ...]]:
    """The variable and the path that an assignment's left side names."""
    match expression:
        case ex.Name(name):
            return name, ()
        case ex.Member(base, key):
            name, path = _target(base)
            return name, (*path, ex.Literal(key))
        case ex.Index(base, index):
            name, path = _target(base)
            return name, (*path, index)
        case _:
            raise ExpressionError("it is not a variable, a field or an index")


KINDS: dict[str, tuple[Callable[[StepParser, Keys, Context], Action], tuple[str, ...]]] = {
    "assign": (StepParser.assign, ("next",)),
    "call": (StepParser.call, ("args", "result", "next")),
    "switch": (StepParser.switch, ("next",)),
    "for": (StepParser.loop, ("next",)),
    "parallel": (StepParser.parallel, ("next",)),
    "try": (StepParser.attempt, ("retry", "except", "next")),
    "raise": (StepParser.raise_, ()),
    "return": (StepParser.return_, ()),
    "steps": (StepParser.nested, ("next",)),
}
"""What a step can do: how it is parsed, and the keys that may stand beside it."""
