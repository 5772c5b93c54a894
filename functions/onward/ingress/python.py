"""The tasks by which `run_python` is asked for calls."""

from __future__ import annotations

from typing import Any

import msgspec

from onward.calls.wire import Task
from onward.core.errors import BadEvent, Unavailable
from onward.core.naming import JobName, parse_job_name
from onward.core.problems import shown
from onward.ingress.decoding import decode
from onward.ingress.envelope import MAX_BODY, Request

_TASK = '{"job": "...", "pipeline": "...", "file": "...", "function": "...", "args": {}}'


def parse_task(request: Request) -> Task:
    """The call that is asked for. Raises `BadEvent`, and `Unavailable` for what a newer version wrote."""
    if len(request.body) > MAX_BODY:
        raise BadEvent(f"a task of {len(request.body):,} bytes is none of ours")
    raw = decode(request.body, dict[str, Any], "a task", _TASK)
    for name in raw:
        if name not in Task.__struct_fields__:
            raise Unavailable(
                f"{shown(name)} is of a newer version of Onward; it is kept until that runs here"
            )
    try:
        task = msgspec.convert(raw, Task)
    except msgspec.ValidationError as error:
        raise BadEvent(f"a task must be JSON such as {_TASK}: {shown(str(error), bare=True)}") from None
    owner = parse_job_name(task.job)
    if owner is None or owner != JobName(task.run, owner.number, task.attempt, owner.item):
        raise BadEvent(f"{shown(task.job)} is not the job of attempt {task.attempt} in run {shown(task.run)}")
    return task
