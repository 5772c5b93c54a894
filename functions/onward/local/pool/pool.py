"""Warm processes that call the users' Python functions.

A process serves one folder, so two pipelines' modules never meet. Quick calls are sent ahead, many at a time;
behind a call that takes long nothing waits: what has been sent is taken back and given to another process.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress

from onward.calls.call import Call, Died, Outcome, Raised
from onward.calls.process import Process
from onward.calls.worker import MAX_BODY
from onward.local.pool import log

MARK = "ONWARD_CALLS"
"""Names, in the environment of a worker and of all it starts, the folder that its pipeline's folder is in."""

TICK = 0.025
"""Seconds after which a call counts as long, to within a factor of two."""

STALL_TICKS = 10
"""Ticks without any answer after which one process more is started, if calls wait."""


class Pool:
    """Makes calls in warm processes, and tells their outcomes in batches.

    To be used from inside the running loop; nothing blocks. Each call has exactly one outcome, a cancelled
    one too, unless the pool is closed.

    Processes are started when calls come: up to `workers` (default: one per CPU) while they are all busy, and
    up to `max_workers` (default: four per CPU, at least 8) for further folders and when calls that take long
    keep all busy.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_outcomes: Callable[[list[Outcome]], None],
        workers: int | None = None,
        max_workers: int | None = None,
    ) -> None:
        cpus = os.cpu_count() or 1
        self._loop = loop
        self._on_outcomes = on_outcomes
        self._workers = workers or cpus
        self._max_workers = max(max_workers or max(8, 4 * cpus), self._workers)
        self._processes: list[Process] = []
        self._waiting: OrderedDict[str, Call] = OrderedDict()  # in the order in which they will be sent
        self._sent: dict[str, Process] = {}
        self._outcomes: list[Outcome] = []  # to be delivered
        self._delivery: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._still_ticks = 0  # since the last answer or start of a process

    def call(self, calls: Sequence[Call]) -> None:
        """Make these calls; one whose id is under way already is left out."""
        for call in calls:
            if call.id in self._waiting or call.id in self._sent:
                continue
            if len(call.args) > MAX_BODY:
                size = f"{len(call.args):,} bytes of arguments; at most {MAX_BODY:,} are taken"
                self._settle([Raised(call.id, f"{call.target}: {size}")])
                continue
            self._waiting[call.id] = call
        self._dispatch()

    def cancel(self, id: str) -> None:  # noqa: A002 - the field's name
        """End this call: it is not started, or its process is killed. Unknown ids are ignored."""
        process = self._sent.get(id)
        if process:
            # If the answer has come already, it must be known: a kill would hit the next call.
            self._send_again(process.take_back())
            self._take_answers(process, process.read_all())
        if self._waiting.pop(id, None):
            self._settle([Died(id, "cancelled before it started")])
        elif process and id in self._sent:
            process.kill()
        self._dispatch()

    def close(self) -> None:
        """Kill all processes; no outcome is told any more."""
        self._waiting.clear()
        for process in self._processes:
            process.kill()
        for process in self._processes:
            self._unwatch(process)
            process.end()
        self._processes.clear()
        self._sent.clear()
        self._outcomes.clear()
        if self._timer:
            self._timer.cancel()

    def _dispatch(self) -> None:
        """Send what waits, in order, as far as there is room."""
        while self._waiting:
            call = next(iter(self._waiting.values()))
            try:
                process = self._process_for(call)
                if not process or not process.send(call):
                    break
            except (OSError, ValueError) as error:
                del self._waiting[call.id]
                self._settle([Died(call.id, f"no process could take it: {error}")])
                continue
            del self._waiting[call.id]
            self._sent[call.id] = process
        if self._timer is None and self._is_clock_needed():
            self._timer = self._loop.call_later(TICK, self._tick)

    def _process_for(self, call: Call) -> Process | None:
        """The process with the fewest calls that has room for this one, perhaps a new one."""
        best: Process | None = None
        busy = 0
        mine = False
        for process in self._processes:
            busy += bool(process.sent)
            if process.folder != call.folder:
                continue
            mine = True
            if process.has_room(call.target) and (best is None or len(process.sent) < len(best.sent)):
                best = process
        if best is None and (busy < self._workers or not mine):
            return self._start(call.folder)
        return best

    def _start(self, folder: str) -> Process | None:
        """A new process. None if there are as many as may be: an idle one then makes room by ending."""
        if len(self._processes) >= self._max_workers:
            idle = [process for process in self._processes if not process.sent]
            if idle and not any(process.killed for process in self._processes):
                idle[0].kill()
            return None
        environ = {**os.environ, MARK: os.path.dirname(folder)}
        process = Process(folder, environ, log.append)
        self._processes.append(process)
        self._still_ticks = 0
        self._loop.add_reader(process.answers, self._on_answers, process)
        self._loop.add_reader(process.ended, self._on_end, process)
        return process

    def _on_answers(self, process: Process) -> None:
        self._take_answers(process, process.read())
        if not self._sent:
            self._deliver()  # no other can come in this pass: there is nothing to wait for
        self._dispatch()

    def _take_answers(self, process: Process, outcomes: list[Outcome]) -> None:
        if process.closed:
            self._loop.remove_reader(process.answers)
        if outcomes and process.slow:
            process.slow = False
            self._loop.remove_reader(process.output)
        self._settle(outcomes)

    def _on_end(self, process: Process) -> None:
        self._unwatch(process)
        self._processes.remove(process)
        outcomes, unstarted = process.end()
        self._settle(outcomes)
        self._send_again(unstarted)
        self._dispatch()

    def _unwatch(self, process: Process) -> None:
        for descriptor in (process.answers, process.output, process.ended):
            self._loop.remove_reader(descriptor)

    def _send_again(self, calls: Sequence[Call]) -> None:
        """Put calls that were taken back before all that wait."""
        for call in reversed(calls):
            del self._sent[call.id]
            self._waiting[call.id] = call
            self._waiting.move_to_end(call.id, last=False)

    def _is_clock_needed(self) -> bool:
        if self._waiting and len(self._processes) < self._max_workers:
            return True
        return any(not process.slow if process.sent else self._waiting for process in self._processes)

    def _tick(self) -> None:
        """Find the calls that take long; the clock stands still when there is nothing more to find."""
        self._timer = None
        self._still_ticks += 1
        for process in self._processes:
            if process.fresh:
                process.fresh = False
            elif process.sent and not process.slow:
                self._set_apart(process)
        self._dispatch()
        if self._waiting and self._still_ticks >= STALL_TICKS:
            with suppress(OSError):
                self._start(next(iter(self._waiting.values())).folder)
            self._dispatch()

    def _set_apart(self, process: Process) -> None:
        """Leave a process alone with the call that takes long."""
        self._send_again(process.take_back())
        if process.sent:
            process.slow = True
            self._loop.add_reader(process.output, process.read_output)

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        """Have outcomes delivered, together with all others of this pass of the loop."""
        for outcome in outcomes:
            self._outcomes.append(outcome)
            self._sent.pop(outcome.id, None)
            self._still_ticks = 0
        if self._outcomes and self._delivery is None:
            self._delivery = self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        if self._delivery is not None:
            self._delivery.cancel()
            self._delivery = None
        outcomes, self._outcomes = self._outcomes, []
        if outcomes:
            self._on_outcomes(outcomes)
