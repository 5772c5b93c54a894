"""Calls made one at a time, each thread with a warm process of its own."""

from __future__ import annotations

import math
import select
import threading
from collections.abc import Callable, Mapping
from time import monotonic

from onward.calls.call import Call, Died, Outcome
from onward.calls.process import Process

Say = Callable[[bytes], None]
"""Takes what a call prints, as it comes. It does not raise."""


class Overdue(Exception):
    """The call took longer than it may, and was killed."""


class WarmProcess(threading.local):
    """A process is kept for the next call of the same folder, as long as its thread lives."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._process: Process | None = None
        self._say: Say = lambda _: None

    def make(self, call: Call, seconds: float, say: Say) -> Outcome:
        """Returns when the call has ended. Raises `Overdue`."""
        self._say = say
        deadline = monotonic() + seconds
        while True:
            try:
                process = self._for(call.folder)
                process.send(call)
            except (OSError, ValueError) as error:
                return Died(call.id, f"no process could take it: {error}")
            outcome = self._outcome(process, deadline)
            if outcome is not None:
                return outcome

    def close(self) -> None:
        """End this thread's process."""
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def _for(self, folder: str) -> Process:
        if self._process is None or self._process.folder != folder:
            self.close()  # two pipelines' modules never meet
            self._process = Process(folder, self._environ, lambda _, data: self._say(data))
        return self._process

    def _outcome(self, process: Process, deadline: float) -> Outcome | None:
        """What became of the call; None when the process had died before it began it."""
        waiting = select.poll()
        for descriptor in (process.answers, process.output, process.ended):
            waiting.register(descriptor, select.POLLIN)
        while True:
            left = None if process.killed else max(0, math.ceil((deadline - monotonic()) * 1_000))
            ready = dict(waiting.poll(left))
            if not ready:
                process.kill()
            elif process.ended in ready:
                return self._last(process, overdue=monotonic() >= deadline)
            if process.output in ready:
                if ready[process.output] & select.POLLIN:
                    process.read_output()
                else:  # closed by the user's code
                    waiting.unregister(process.output)
            if process.answers in ready:
                outcomes = process.read()
                if outcomes:
                    return outcomes[0]
                if process.closed:
                    waiting.unregister(process.answers)

    def _last(self, process: Process, *, overdue: bool) -> Outcome | None:
        self._process = None
        killed = process.killed
        outcomes, _ = process.end()
        if outcomes and isinstance(outcomes[0], Died) and killed and overdue:
            raise Overdue
        return outcomes[0] if outcomes else None
