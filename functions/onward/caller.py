"""What `run_python` does with a task: make the call, keep its result, ring.

    result is there       ring again, and nothing else: the ring may have been what was lost
    begun too often       a result that says so: the call dies with each process that makes it
    returned, raised      a result
    over its time         killed, and a result that says so
    died                  500: Cloud Tasks calls again, and so it does when this process dies

handled, ignored, poison, again, crashed mean what they mean in `receiver`, and so do the answers.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from onward.calls.call import Call, Died, Outcome, Raised, Returned
from onward.calls.prints import Prints
from onward.calls.warm import Overdue, Say
from onward.calls.wire import LONGEST, STARTS, Result, Results, Task
from onward.core.errors import BadEvent, NotFound, Temporary, Unavailable
from onward.ingress.envelope import Request, letter
from onward.ingress.python import parse_task
from onward.receiver import AGAIN, DONE, LONGEST_REASON, SEVERITY, DeadLetters, Log

DOOR = "run_python"


class Process(Protocol):
    """See `calls.warm`."""

    def make(self, call: Call, seconds: float, say: Say) -> Outcome:
        """Raises `Overdue`."""


class Caller:
    """May be shared by threads. `folder` tells where a pipeline's files are, `ring` that a job has ended."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a call needs and where its end is told
        self,
        folder: Callable[[str], Path],
        process: Process,
        results: Results,
        ring: Callable[[str], None],
        dead_letters: DeadLetters,
        log: Log,
    ) -> None:
        self._folder = folder
        self._process = process
        self._results = results
        self._ring = ring
        self._dead_letters = dead_letters
        self._log = log

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        """The status to answer with."""
        request = Request({name.lower(): value for name, value in headers.items()}, body, 0)
        about: dict[str, Any] = {}
        try:
            task = parse_task(request)
            about = _about(task)
            what, reason = self._call(task, about)
        except BadEvent as error:
            what, reason = self._bury(request, str(error))
        except Temporary as error:
            what, reason = "again", str(error)
        except Exception as error:
            what, reason = "crashed", f"{type(error).__name__}: {error}"
            about["stack_trace"] = traceback.format_exc()
        message = f"{DOOR}: {what}" + (f": {reason[:LONGEST_REASON]}" if reason else "")
        self._log({"severity": SEVERITY[what], "message": message, "door": DOOR, "outcome": what, **about})
        return AGAIN if what in ("again", "crashed") else DONE

    def _bury(self, request: Request, reason: str) -> tuple[str, str]:
        try:
            self._dead_letters.bury(DOOR, reason, *letter(request))
        except Temporary as error:
            return "again", str(error)
        return "poison", reason

    def _call(self, task: Task, about: Mapping[str, Any]) -> tuple[str, str]:
        if self._results.of(task.job) is not None:
            self._ring(task.job)
            return "ignored", "the call has a result already"
        start = self._results.start(task.job)
        if start > STARTS:
            result = Result("failed", error=f"the call was lost with its process {STARTS} times")
        else:
            result = self._made(task, start, about)
        counts = self._results.add(task.job, result)
        self._ring(task.job)
        if not counts:
            return "ignored", "the call got another result meanwhile, which counts"
        return "handled", "; ".join(filter(None, [f"the call {result.state}", result.error]))

    def _made(self, task: Task, start: int, about: Mapping[str, Any]) -> Result:
        prints = Prints(lambda line: self._log({"message": line, **about}))
        try:
            call = _call(task, self._folder(task.pipeline))
            outcome = self._process.make(call, min(task.seconds, LONGEST), prints.take)
        except NotFound as error:
            return Result("failed", error=str(error))
        except Overdue:
            most = "" if task.seconds < LONGEST else "; a python step has no more in the cloud"
            return Result("failed", error=f"stopped after its time limit of {task.seconds:g} s{most}")
        finally:
            prints.close()
        match outcome:
            case Returned(output=output):
                return Result("succeeded", msgspec.Raw(output))
            case Raised(error=why):
                return Result("failed", error=why)
            case Died(how=how) if start < STARTS:
                raise Unavailable(f"the call was lost with its process, and is made again: {how}")
            case Died(how=how):
                return Result("failed", error=f"the call was lost with its process {STARTS} times: {how}")


def _call(task: Task, folder: Path) -> Call:
    target = f"{task.file}:{task.function}"
    return Call(task.job, str(folder), target, msgspec.json.encode(task.args), task.job)


def _about(task: Task) -> dict[str, Any]:
    names = ("run", "pipeline", "step", "attempt", "job")
    return {name: getattr(task, name) for name in names}
