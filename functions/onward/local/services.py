"""The services on a laptop: supervised processes for Beam, Spark and Workflows, warm workers for python."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from onward.calls.call import Call, Died, Outcome, Raised, Returned
from onward.core.errors import Refused, UserError
from onward.core.events import JobState
from onward.core.pipeline import Python
from onward.local.commands import OUTPUT, Commands
from onward.local.jobs.jobs import Jobs
from onward.local.jobs.model import Alive, Ended, Lost, Missing, Result
from onward.local.pool.pool import Pool
from onward.ports import Accepted, Declined, JobRef, JobRequest, Status, Submission


class ProcessService:
    """Runs each job as a process of its own, under a supervisor that outlives the runtime."""

    def __init__(
        self,
        root: Path,
        commands: Commands,
        files: Callable[[str], Path],
        on_bell: Callable[[JobRef], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._root = root
        self._commands = commands
        self._files = files
        self._on_bell = on_bell
        self._jobs = Jobs(root, self._on_end, loop)
        self._watched: dict[str, JobRef] = {}

    def submit(self, request: JobRequest) -> Submission:
        """See `ports.Service`."""
        name = request.name
        try:
            if request.again and isinstance(self._jobs.look(name), Lost):
                self._jobs.forget(name)
            spec = self._commands.build(request, self._files(request.plan), self._root / name)
            self._jobs.start(name, spec)
        except (Refused, UserError) as error:
            return Declined(str(error))
        self._watch(JobRef(name, request.run, request.node, request.attempt, request.step, name))
        return Accepted(name, rings=not request.again)

    def status(self, ref: JobRef) -> Status:
        """See `ports.Service`."""
        match self._jobs.look(ref.name):
            case Ended(result=result):
                return self._ended(ref.name, result)
            case Alive():
                self._watch(ref)
                return Status(JobState.RUNNING, ref.name)
            case Lost():
                return Status(
                    JobState.LOST, ref.name, None, "the job was killed together with its supervisor"
                )
            case Missing():
                return Status(JobState.NOT_FOUND)

    def cancel(self, ref: JobRef) -> None:
        """See `ports.Service`."""
        self._jobs.cancel(ref.name)

    def close(self) -> None:
        """Stop watching; the jobs go on."""
        self._jobs.close()

    def _watch(self, ref: JobRef) -> None:
        if ref.name not in self._watched:
            self._watched[ref.name] = ref
            self._jobs.watch(ref.name)

    def _on_end(self, name: str) -> None:
        self._on_bell(self._watched.pop(name))

    def _ended(self, name: str, result: Result) -> Status:
        if result.exit_code == 0:
            return Status(JobState.SUCCEEDED, name, self._output(name))
        if result.cancelled:
            return Status(JobState.CANCELLED, name, None, "the job was stopped")
        return Status(JobState.FAILED, name, None, _why(result))

    def _output(self, name: str) -> Any:
        """What a workflow returned; other jobs return nothing."""
        try:
            return msgspec.json.decode((self._root / name / OUTPUT).read_bytes())
        except FileNotFoundError:
            return None


def _why(result: Result) -> str:
    if result.signal is not None:
        how = f"the job was killed by {_signal(result.signal)}"
    else:
        how = f"the job exited with code {result.exit_code}"
    return f"{how}: {result.last_lines.strip()}" if result.last_lines.strip() else how


def _signal(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


class PythonService:
    """Calls the users' functions in warm worker processes; what they return is told, not asked for."""

    def __init__(
        self,
        pool: Callable[[Callable[[list[Outcome]], None]], Pool],
        commands: Commands,
        files: Callable[[str], Path],
        logs: Path,
        on_results: Callable[[list[tuple[JobRef, Status]]], None],
    ) -> None:
        self._pool = pool(self._on_outcomes)
        self._commands = commands
        self._files = files
        self._logs = str(logs)
        self._on_results = on_results
        self._calls: dict[str, JobRef] = {}
        self._waiting: list[Call] = []

    @property
    def busy(self) -> bool:
        """Whether a call is under way."""
        return bool(self._calls)

    def submit(self, request: JobRequest) -> Submission:
        """See `ports.Service`."""
        does = request.step.does
        assert isinstance(does, Python)
        try:
            args = self._commands.localised(does.args) if does.args else does.args
        except UserError as error:
            return Declined(str(error))
        name = request.name
        if name not in self._calls:
            self._calls[name] = JobRef(name, request.run, request.node, request.attempt, request.step, name)
            target = f"{does.file}:{does.function}"
            folder = str(self._files(request.plan))
            self._waiting.append(
                Call(name, folder, target, msgspec.json.encode(args), f"{self._logs}/{name}.log")
            )
        return Accepted(name, rings=not request.again)

    def flush(self) -> None:
        """Send what was submitted in this turn: together."""
        if self._waiting:
            calls, self._waiting = self._waiting, []
            self._pool.call(calls)

    def status(self, ref: JobRef) -> Status:
        """See `ports.Service`."""
        known = ref.name in self._calls
        return Status(JobState.RUNNING, ref.name) if known else Status(JobState.NOT_FOUND)

    def cancel(self, ref: JobRef) -> None:
        """See `ports.Service`."""
        self.flush()
        self._pool.cancel(ref.name)

    def close(self) -> None:
        """End the workers; calls under way are made again by the next runtime."""
        self._pool.close()

    def _on_outcomes(self, outcomes: list[Outcome]) -> None:
        results = []
        for outcome in outcomes:
            ref = self._calls.pop(outcome.id, None)
            if ref is not None:
                results.append((ref, self._status(outcome)))
        self._on_results(results)

    def _status(self, outcome: Outcome) -> Status:
        match outcome:
            case Returned(id=name, output=output):
                value = self._commands.globalised(msgspec.json.decode(output))
                return Status(JobState.SUCCEEDED, name, value)
            case Raised(id=name, error=error):
                return Status(JobState.FAILED, name, None, error)
            case Died(id=name, how=how):
                return Status(JobState.LOST, name, None, f"the call was lost with its process: {how}")


class NothingToDo:
    """Clusters and streams exist in the cloud alone: here, there is nothing to clean up after a run."""

    def submit(self, request: JobRequest) -> Submission:
        """See `ports.Service`."""
        return Accepted(request.name, rings=False)

    def status(self, ref: JobRef) -> Status:
        """See `ports.Service`."""
        return Status(JobState.SUCCEEDED, ref.name)

    def cancel(self, ref: JobRef) -> None:
        """See `ports.Service`."""
