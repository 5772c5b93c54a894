"""What is seen of a step that may begin: its `if`, what it would make, what an earlier try left behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from onward.core.commands import Examine
from onward.core.errors import UserError
from onward.core.events import Examined, ItemList
from onward.core.pipeline import Dataflow, Dataproc, Python, StepKind, Workflow
from onward.core.plan import Plan, StepNode
from onward.core.problems import shown
from onward.core.templates import names, texts
from onward.jobs import Jobs
from onward.plans import Plans


def examine(command: Examine, plans: Plans, jobs: Jobs) -> Examined:
    """The answer to the command."""
    run, node = command.run, command.node
    plan = plans.of_run(run)
    assert plan is not None, "a command is only ever decided for a run that exists"
    before = plans.of_run(command.earlier) if command.earlier is not None else None
    adopt = before is not None and same(before, plan, node) and _outputs_are_there(command, plan, jobs)
    step = plan.step_node(node).step
    if adopt and step.for_each is None:
        return Examined(run, node, adopt=True)
    try:
        if step.condition is not None and not _truth(*jobs.values(plan, run, node, [step.condition])):
            return Examined(run, node, adopt, wanted=False)
        if step.for_each is not None:
            kept = _kept_list(command, before, plan, jobs)
            return Examined(run, node, adopt, items=kept or jobs.frozen(plan, run, node))
        done = _is_done(command, plan, jobs)
    except UserError as error:
        return Examined(run, node, adopt, error=str(error))
    return Examined(run, node, done=done)


def _kept_list(command: Examine, before: Plan | None, plan: Plan, jobs: Jobs) -> ItemList | None:
    """The list of an earlier try, if this one's is written in the same way: what it names has not changed."""
    if before is None or _list(before, command.node) != _list(plan, command.node):
        return None
    return jobs.list_of(command.earlier or "", command.node)


def _list(plan: Plan, node: str) -> Any:
    each = plan.step_node(node).step.for_each if isinstance(plan.node(node), StepNode) else None
    written = msgspec.to_builtins(each)
    return written, _values({name for text in texts(written) for name in names(text)}, plan.env)


def _truth(value: Any) -> bool:
    """The value of an `if`. Raises `UserError` for what is neither true nor false."""
    match value:
        case bool():
            return value
        case str() if value.strip().lower() in ("true", "false"):
            return value.strip().lower() == "true"
        case _:
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            raise UserError(f"`if` must give true or false, and gives {shown(text)}")


def _is_done(command: Examine, plan: Plan, jobs: Jobs) -> bool:
    """Whether what the step would make is there, and new enough."""
    run, node = command.run, command.node
    step, trigger = plan.step_node(node).step, jobs.trigger(run)
    if step.unless_exists is None or trigger.get("force") is True:
        return False
    if step.unless_exists == "exists":
        return not jobs.missing_outputs(plan, run, node, 1)
    arrived = [str(trigger["uri"])] if "uri" in trigger else []
    inputs = jobs.values(plan, run, node, step.inputs) if step.inputs else arrived
    return jobs.are_newer(jobs.values(plan, run, node, step.outputs), inputs)


def _outputs_are_there(command: Examine, plan: Plan, jobs: Jobs) -> bool:
    try:
        return not jobs.missing_outputs(plan, command.run, command.node, 1)
    except UserError:
        return False  # to begin it will say what is wrong


def same(before: Plan, plan: Plan, node: str) -> bool:
    """Whether both plans mean the same by this step: what it does, the file that it runs, the values of env
    that it names. Files which that one imports are not seen."""
    if before.name == plan.name:
        return True
    if not isinstance(before.node(node), StepNode):
        return False
    return _meaning(before, node) == _meaning(plan, node)


def _meaning(plan: Plan, node: str) -> tuple[Any, ...]:
    step = plan.step_node(node).step
    written = [msgspec.to_builtins(step.does), step.outputs, msgspec.to_builtins(step.for_each)]
    named = {name for text in texts(written) for name in names(text)}
    return written, _hash(step.does, plan.files), _values(named, plan.env)


def _hash(does: StepKind, files: Mapping[str, str]) -> str | None:
    match does:
        case Dataflow(main=str(file)) | Dataproc(pyspark=str(file)) | Dataproc(spark_sql=str(file)):
            return files.get(file)
        case Workflow(source=file) | Python(file=file):
            return files.get(file)
        case _:
            return None


def _values(named: set[str], env: Mapping[str, str]) -> dict[str, str | None]:
    """By name; all of them where a template names `env` as a whole."""
    if "env" in named:
        return dict(env)
    values = (name.removeprefix("env.") for name in named if name.startswith("env."))
    return {name: env.get(name) for name in values}
