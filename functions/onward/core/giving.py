"""The parameters that a trigger gives its run: what a message, a time or the end of a run says of them.

A trigger's `params` are templates over what there is: `data` and `attributes` of a message, `time`, `params`
and `run` of the run that ended, and `env`. Without them, the fields that have the names of parameters count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from onward.core.errors import BadEvent
from onward.core.events import RunEnded
from onward.core.facts import Message, Tick
from onward.core.params import objects
from onward.core.pipeline import MessageTrigger, Pipeline, PipelineTrigger, ScheduleTrigger
from onward.core.plan import Plan
from onward.core.problems import shown, spelled
from onward.core.schedules import moment
from onward.core.templates import render

ANY = "*"


def passes(trigger: MessageTrigger, message: Message) -> bool:
    """Whether it is a message of the trigger's topic with the attributes that the trigger asks for."""
    return trigger.topic == message.topic and all(
        name in message.attributes and wanted in (ANY, message.attributes[name])
        for name, wanted in trigger.filter.items()
    )


def from_message(trigger: MessageTrigger, message: Message, plan: Plan) -> Mapping[str, Any]:
    """Raises `UserError`: the message is not what the trigger makes of it."""
    data = _decoded(message.data) if message.data else {}
    if trigger.params:
        context = {"data": data, "attributes": message.attributes, "env": plan.env}
        given: Mapping[str, Any] = render(trigger.params, context)
        return given
    if not isinstance(data, dict):
        raise BadEvent(f"the message's data must be a JSON object, not {spelled(data)}")
    return _named(plan.pipeline, {**message.attributes, **data})


def from_time(trigger: ScheduleTrigger, tick: Tick, plan: Plan) -> Mapping[str, Any]:
    """Raises `UserError`: a template can't be rendered."""
    context = {"time": moment(tick.time, trigger.time_zone), "env": plan.env}
    given: Mapping[str, Any] = render(trigger.params, context)
    return given


def from_run(
    trigger: PipelineTrigger, ended: RunEnded, plan: Plan, source: Pipeline | None
) -> Mapping[str, Any]:
    """`source` is the pipeline whose run has ended. Raises `UserError`: a template can't be rendered."""
    if not trigger.params:
        return _named(plan.pipeline, ended.params)
    values = {**ended.params, **objects(source.params if source is not None else (), ended.params)}
    run = {"id": ended.run, "pipeline": ended.pipeline, "state": ended.state}
    given: Mapping[str, Any] = render(trigger.params, {"params": values, "run": run, "env": plan.env})
    return given


def _named(pipeline: Pipeline, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that have the name of a parameter. Null is what nobody gave."""
    names = (param.name for param in pipeline.params)
    return {name: values[name] for name in names if values.get(name) is not None}


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEvent(f"the message's data must be JSON: {shown(str(error), bare=True)}") from None
