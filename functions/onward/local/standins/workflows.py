"""Cloud Workflows: executions, which the service names."""

from __future__ import annotations

import re
from typing import Any

from google.cloud.workflows import executions_v1 as wf

from onward.local.standins.rules import check_labels
from onward.local.standins.server import Method, Refusal, StandIn

State = wf.Execution.State
_FILTER = re.compile(r'label\.([a-z0-9_-]+)="([^"]*)"')


class WorkflowsStandIn(StandIn):
    """Executions by full name."""

    def __init__(self, *workflows: str) -> None:
        super().__init__()
        self.workflows = set(workflows)
        self.executions: dict[str, Any] = {}

    def services(self) -> dict[str, dict[str, Method]]:
        """See `StandIn`."""
        listing = (self._list, wf.ListExecutionsRequest, wf.ListExecutionsResponse)
        return {
            "google.cloud.workflows.executions.v1.Executions": {
                "CreateExecution": (self._create, wf.CreateExecutionRequest, wf.Execution),
                "GetExecution": (self._get, wf.GetExecutionRequest, wf.Execution),
                "ListExecutions": listing,
                "CancelExecution": (self._cancel, wf.CancelExecutionRequest, wf.Execution),
            }
        }

    def end(self, name: str, state: int, result: str = "", payload: str = "", context: str = "") -> None:
        """What becomes of an execution; `result` and `payload` are JSON."""
        execution = self.executions[name]
        execution.state, execution.result = state, result
        if state != State.SUCCEEDED:
            execution.error = wf.Execution.Error(payload=payload, context=context)

    def began(self, execution: Any) -> None:
        """An execution was accepted: for whoever wants to run it."""

    def stopping(self, execution: Any) -> None:
        """An execution was cancelled, which is at once."""

    def _create(self, request: wf.CreateExecutionRequest) -> Any:
        if request.parent not in self.workflows:
            raise Refusal("NOT_FOUND", f"workflow {request.parent} does not exist")
        if len(request.execution.argument.encode()) > 32 * 1024:
            raise Refusal("INVALID_ARGUMENT", "argument is larger than 32 KB")
        check_labels(request.execution.labels, 64, strict=False)
        execution: Any = wf.Execution(request.execution)
        execution.name = f"{request.parent}/executions/{self.tick():x}"
        execution.state = State.ACTIVE
        execution.start_time = {"seconds": self.tick()}
        self.executions[execution.name] = execution
        self.began(execution)
        return execution

    def _get(self, request: wf.GetExecutionRequest) -> Any:
        if request.name not in self.executions:
            raise Refusal("NOT_FOUND", f"execution {request.name} does not exist")
        return self.executions[request.name]

    def _list(self, request: wf.ListExecutionsRequest) -> wf.ListExecutionsResponse:
        if request.parent not in self.workflows:
            raise Refusal("NOT_FOUND", f"workflow {request.parent} does not exist")
        wanted = _FILTER.fullmatch(request.filter)
        if request.filter and wanted is None:
            raise Refusal("INVALID_ARGUMENT", f"invalid filter: {request.filter}")
        found = [
            execution if request.view == wf.ExecutionView.FULL else _basic(execution)
            for execution in reversed(self.executions.values())
            if execution.name.startswith(f"{request.parent}/")
            and (wanted is None or execution.labels.get(wanted[1]) == wanted[2])
        ]
        return wf.ListExecutionsResponse(executions=found)

    def _cancel(self, request: wf.CancelExecutionRequest) -> Any:
        execution = self._get(wf.GetExecutionRequest(name=request.name))
        if execution.state not in {State.ACTIVE, State.QUEUED}:
            raise Refusal("FAILED_PRECONDITION", f"execution is {execution.state.name}, not active")
        execution.state = State.CANCELLED
        self.stopping(execution)
        return execution


def _basic(execution: wf.Execution) -> wf.Execution:
    basic = wf.Execution(name=execution.name, state=execution.state)
    basic.start_time = execution.start_time
    return basic
