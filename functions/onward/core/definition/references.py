"""Every name in every template is there, and every step it reads has ended by then."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
from msgspec.structs import replace

from onward.core import templates
from onward.core.definition import facts
from onward.core.definition.grammar import KINDS
from onward.core.definition.graph import Ancestors
from onward.core.definition.nodes import Node
from onward.core.errors import BadTemplate
from onward.core.pipeline import ForEach, Pipeline
from onward.core.problems import Path, Report, listed, shown

RUN = ("id", "pipeline", "started", "try")
RESULT_OF_RUN = ("failed", "error")
"""What handlers may say of the run as well."""
STEP = ("name", "attempt")
RESULT = ("output", "outputs", "state")
HEADS = frozenset(["params", "env", "trigger", "run", "step", "steps"])
OF_ITEMS = ("item", "index")
NOT_HERE = {
    "trigger": "the pipeline has no trigger",
    **dict.fromkeys(OF_ITEMS, "only a step with `for_each` has it"),
}
RENDERED = (*KINDS, "outputs", "resources", "if", "inputs")
"""The keys of a step whose values are rendered: when an attempt is submitted, or before there is one."""


class Scope(msgspec.Struct, frozen=True):
    """What a template may name at its place; None: nothing of that kind exists there."""

    env: Collection[str]
    params: Collection[str] | None = None
    trigger: Collection[str] | None = None
    steps: Collection[str] | None = None
    step: str | None = None
    before: Ancestors | None = None
    handles: bool = False
    """It is a handler's: the run's steps have ended."""
    own: Mapping[str, Collection[str] | None] = {}
    """What there is at this place alone, and what may follow it; None: anything."""
    items: Collection[str] = ()
    """What the step calls an item of its list."""
    lists: Collection[str] = ()
    """Steps that run once per item."""


def check_texts(
    pipeline: Pipeline, before: Ancestors | None, root: Node, env: Mapping[str, str], report: Report
) -> None:
    """All templates of the steps and clusters."""
    params = [param.name for param in pipeline.params]
    trigger = facts.named(pipeline)
    around = Scope(env, params, trigger)
    _check_all(("clusters",), around, root, report)
    steps = {step.name for step in pipeline.steps}
    lists = {step.name for step in pipeline.steps if step.for_each is not None}
    for step in pipeline.steps:
        scope = Scope(env, params, trigger, steps, step.name, before, lists=lists)
        items = scope if step.for_each is None else replace(scope, items=step.for_each.names())
        for key in RENDERED:
            _check_all(("steps", step.name, key), scope if key == "if" else items, root, report)
        if step.for_each is not None:
            _check_lists(step.for_each, ("steps", step.name, "for_each"), scope, root, report)

    for handler in pipeline.handlers:
        scope = Scope(env, params, trigger, steps, handler.name, handles=True)
        _check_all(handler.place, scope, root, report)


def _check_lists(each: ForEach, at: Path, scope: Scope, root: Node, report: Report) -> None:
    """A list within a list may name the item that it is of."""
    for key in ("items", "objects"):
        _check_all((*at, key), scope, root, report)
    found = root.at(at)
    if found is not None and not isinstance(found.value, dict):
        _check_all(at, scope, root, report)
    if each.inner is not None:
        _check_lists(each.inner, (*at, "for_each"), replace(scope, items=(each.name,)), root, report)


def _check_all(at: Path, scope: Scope, root: Node, report: Report) -> None:
    if found := root.at(at):
        for path, node, text in found.texts(at):
            check_text(text, node, path, scope, report)


def check_text(text: str, node: Node, at: Path, scope: Scope, report: Report) -> bool:
    """Whether the template parses and all it names is in scope; problems go to `report`."""
    if not templates.is_template(text):
        return True
    try:
        templates.compiled(text)
        names = templates.names(text)
    except BadTemplate as error:
        line, message = templates.place(error)
        report.say(node.first + line - 1, at, f"the template does not parse: {message}")
        return False
    others = (name for name in sorted(names) if name.partition(".")[0] not in scope.items)
    faults = [fault for name in others if (fault := _fault(name, scope, report))]
    for message, hint in faults:
        report.say(node.line, at, message, hint)
    return not faults


Fault = tuple[str, str]
"""What is wrong with a name, and a hint."""


def _fault(name: str, scope: Scope, report: Report) -> Fault | None:
    head, *rest = name.split(".")
    own = scope.own.get(head)
    known = _known(head, scope) if own is None else (own, f"fact of `{head}`")
    if head == "steps" and scope.steps is not None:
        return _result(rest, scope, report)
    if known is not None:
        return _among(rest, *known, report)
    return None if head in scope.own else _nothing(head, name, scope, report)


def _nothing(head: str, name: str, scope: Scope, report: Report) -> Fault | None:
    """Nothing of that name is there, or not here."""
    if scope.params is None:
        only = f"only {listed([*scope.own, 'env'])} are" if scope.own else "only `env` is"
        return f"{shown(name)} is not available here", only
    if head in HEADS or (head in OF_ITEMS and not scope.items and head not in scope.params):
        return f"{shown(name)} is not available here", NOT_HERE.get(head, "only steps have it")
    if head in scope.env:
        return f"no parameter is named {shown(head)}", f"did you mean `env.{head}`?"
    return _among([head], [*scope.params, *scope.items], "parameter", report)


def _known(head: str, scope: Scope) -> tuple[Collection[str], str] | None:
    """What may follow the first word of a name, and what that is called."""
    match head:
        case "env":
            return scope.env, "value of env"
        case "params" if scope.params is not None:
            return scope.params, "parameter"
        case "trigger" if scope.trigger is not None:
            return scope.trigger, "fact of the trigger"
        case "run" if scope.params is not None:
            return (*RUN, *RESULT_OF_RUN) if scope.handles else RUN, "fact of the run"
        case "step" if scope.step is not None:
            return STEP, "fact of the step"
    return None


def _among(rest: list[str], known: Collection[str], what: str, report: Report) -> Fault | None:
    if not rest or rest[0] in known:
        return None
    return f"no {what} is named {shown(rest[0])}", report.similar(rest[0], known) or _there_are(known)


def _result(rest: list[str], scope: Scope, report: Report) -> Fault | None:
    known = scope.steps or ()
    if not rest:
        return "`steps` must be followed by a step's name", "such as `steps.clean.output`"
    name = rest[0]
    if name not in known:
        dashed = next((step for step in sorted(known) if step.startswith(f"{name}-")), None)
        hint = f'did you mean `steps["{dashed}"]`?' if dashed else report.similar(name, known)
        return f"no step is named {shown(name)}", hint
    if scope.before and scope.step and not scope.before.has(scope.step, name):
        return (
            f"{shown(name)} has not ended when `{scope.step}` begins",
            f"add it to `steps.{scope.step}.needs`",
        )
    if name in scope.lists and rest[1:2] == ["outputs"]:
        hint = f"`steps.{name}.output` is the list of what its items returned"
        return f"each item of {shown(name)} has outputs of its own", hint
    return _among(rest[1:], RESULT, "result of a step", report)


def _there_are(known: Collection[str]) -> str:
    return f"there are {listed(sorted(known)[:12])}" if known else "there are none"
