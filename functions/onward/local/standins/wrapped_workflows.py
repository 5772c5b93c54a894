"""Cloud Workflows whose executions really run: in the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from onward.core.events import JobState
from onward.core.pipeline import Workflow
from onward.local.standins.notices import Notice, execution_ended
from onward.local.standins.runner import Runner
from onward.local.standins.workflows import State, WorkflowsStandIn
from onward.ports import JobRef, Status
from onward.services.labels import JOB

_STATES = {JobState.SUCCEEDED: State.SUCCEEDED, JobState.CANCELLED: State.CANCELLED}


class WrappedWorkflows(WorkflowsStandIn):
    """`definitions` has a file `<id>.yaml` for each workflow, all of them deployed below `parent`."""

    def __init__(
        self, runner: Runner, definitions: Path, parent: str, tell: Callable[[Notice], None]
    ) -> None:
        super().__init__(*(f"{parent}/{file.stem}" for file in definitions.glob("*.yaml")))
        self._runner = runner
        self._definitions = definitions
        self._tell = tell
        self._refs: dict[str, JobRef] = {}

    def began(self, execution: Any) -> None:
        """See `WorkflowsStandIn`."""
        workflow = execution.name.split("/")[5]
        arguments = msgspec.json.decode(execution.argument or "null")
        does = Workflow(f"{workflow}.yaml", arguments)
        title = execution.labels.get(JOB, workflow)
        self._refs[execution.name] = self._runner.start(
            title, does, self._definitions, execution.labels, lambda status: self._ended(execution, status)
        )

    def stopping(self, execution: Any) -> None:
        """See `WorkflowsStandIn`."""
        self._runner.cancel(self._refs[execution.name])
        self._tell(execution_ended(execution))

    def _ended(self, execution: Any, status: Status) -> None:
        with self._lock:
            if execution.state == State.CANCELLED:
                return  # and said so
            result = msgspec.json.encode(status.output).decode() if status.state is JobState.SUCCEEDED else ""
            error = msgspec.json.encode(status.error).decode()
            self.end(execution.name, _STATES.get(status.state, State.FAILED), result, error)
        self._tell(execution_ended(execution))
