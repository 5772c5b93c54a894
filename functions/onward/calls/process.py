"""The parent's end of one worker process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress

from onward.calls import worker
from onward.calls.call import Call, Died, Outcome, Raised, Returned
from onward.calls.worker import HEADER, MAX_BODY, MAX_INLINE, MAX_OUTPUT, PACKET, PIPE_SIZE, RETURNED

Log = Callable[[str, bytes], None]
"""(the call's log, what it printed); it does not raise."""

MAX_AHEAD = 64
"""Calls that a process has been sent at most."""

AHEAD_MICROSECONDS = 5_000
"""Work, as foreseen, that a process has been sent at most; a single call may be longer."""


class Process:
    """A process that makes calls for one folder, in the order in which they are sent.

    Descriptors to watch: `answers` (then `read`), `ended` (then `end`) and, while a long call runs,
    `output` (then `read_output`; otherwise the answer brings what was printed).
    """

    def __init__(self, folder: str, environ: Mapping[str, str], log: Log) -> None:
        """Start the process; OSError or ValueError if that is not possible."""
        self.folder = folder
        self._log = log
        self.sent: deque[tuple[Call, int]] = deque()  # the unanswered, each with its foreseen microseconds
        self.fresh = True  # set whenever another call becomes the oldest unanswered one
        self.slow = False  # that call takes long: nothing is sent behind it
        self.killed = False
        self.closed = False  # no answers will come
        self._ahead = 0  # foreseen microseconds of all in `sent`
        self._costs: dict[str, int] = {}  # target → moving average of the microseconds it takes
        self._buffer = bytearray()
        with ExitStack() as ours, ExitStack() as theirs:
            self._calls, self._inbox = (
                ours.enter_context(end) for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            )
            self._calls.setblocking(False)
            self.answers, answers = _pipe(ours, theirs)
            self.output, output = _pipe(ours, theirs)
            self._child = _spawn(folder, environ, self._inbox.fileno(), answers, self.output, output)
            self.ended = os.pidfd_open(self._child.pid)
            ours.callback(os.close, self.ended)
            self._opened = ours.pop_all()

    def has_room(self, target: str) -> bool:
        """Whether a call of `target` would start within AHEAD_MICROSECONDS, as far as one can know.

        A function that this process has not yet run may take any time: it is sent alone.
        """
        if not self.sent:
            return not self.killed
        if self.slow or self.killed or len(self.sent) >= MAX_AHEAD:
            return False
        return self._ahead + self._costs.get(target, AHEAD_MICROSECONDS) <= AHEAD_MICROSECONDS

    def send(self, call: Call) -> bool:
        """Hand over a call; False if the socket is full, which it is not for a process without calls.

        OSError if the system lacks memory or descriptors for it.
        """
        try:
            self._transmit(call)
        except BlockingIOError:
            return False
        cost = self._costs.get(call.target, AHEAD_MICROSECONDS)
        if not self.sent:
            self.fresh = True
        self.sent.append((call, cost))
        self._ahead += cost
        return True

    def _transmit(self, call: Call) -> None:
        target = call.target.encode("utf-8", "surrogateescape")
        packet = PACKET.pack(len(target)) + target
        if len(call.args) <= MAX_INLINE:
            self._calls.send(packet + call.args)
            return
        with open(os.memfd_create("arguments"), "r+b") as file:
            file.write(call.args)
            file.seek(0)
            socket.send_fds(self._calls, [packet], [file.fileno()])

    def take_back(self) -> list[Call]:
        """The calls that the process has not begun, oldest first; it will never see them.

        A packet is either taken here or by the process, and the process takes one when it is about to run it.
        So at most one call remains that is neither answered nor taken back: the one that runs.
        """
        taken: list[Call] = []
        with suppress(BlockingIOError):
            while self._inbox.recv(1, socket.MSG_DONTWAIT):
                call, cost = self.sent.pop()
                self._ahead -= cost
                taken.append(call)
        taken.reverse()
        return taken

    def read(self) -> list[Outcome]:
        """Answers that have come; there may be more."""
        return self._parse() if self._fill() else []

    def read_all(self) -> list[Outcome]:
        """All answers that have come."""
        outcomes: list[Outcome] = []
        while self._fill():
            outcomes += self._parse()
        return outcomes

    def _fill(self) -> bool:
        if self.closed:
            return False
        try:
            chunk = os.read(self.answers, PIPE_SIZE)
        except BlockingIOError:
            return False
        self._buffer += chunk
        self.closed = not chunk
        return bool(chunk)

    def _parse(self) -> list[Outcome]:
        outcomes: list[Outcome] = []
        buffer, start = self._buffer, 0
        while len(buffer) - start >= HEADER.size:
            kind, microseconds, body_size, output_size = HEADER.unpack_from(buffer, start)
            if not self.sent or body_size > MAX_BODY or output_size > MAX_OUTPUT:
                self.closed = True  # the user's code wrote into the pipe: nothing that follows can be trusted
                self.kill()
                break
            body = start + HEADER.size
            output, end = body + body_size, body + body_size + output_size
            if end > len(buffer):
                break
            call = self._answered(microseconds)
            if output_size:
                self._log(call.log, bytes(buffer[output:end]))
            if kind == RETURNED:
                outcomes.append(Returned(call.id, bytes(buffer[body:output])))
            else:
                outcomes.append(Raised(call.id, buffer[body:output].decode("utf-8", "replace")))
            start = end
        del buffer[:start]
        return outcomes

    def _answered(self, microseconds: int) -> Call:
        call, cost = self.sent.popleft()
        self._ahead -= cost
        before = self._costs.get(call.target, microseconds)
        self._costs[call.target] = max(1, before + (microseconds - before) // 8)
        self.fresh = True
        return call

    def read_output(self) -> None:
        """Move what the running call has printed to its log; only while `slow`, else it may be another's."""
        with suppress(BlockingIOError):
            self._log(self.sent[0][0].log, os.read(self.output, PIPE_SIZE))

    def kill(self) -> None:
        """Kill the process and whatever it has started; `ended` tells when it is gone."""
        self.killed = True
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)

    def end(self) -> tuple[list[Outcome], list[Call]]:
        """Once the process has ended: its last outcomes, and the calls that it never began, oldest first."""
        self.kill()  # its children
        outcomes = self.read_all()
        unstarted = self.take_back()
        lost = [call for call, _ in self.sent]
        if not lost and not self._costs:
            # It could not even start: were its first call not lost, it would be repeated without end.
            lost, unstarted = unstarted[:1], unstarted[1:]
        how = _how(self._child.wait())
        for call in lost:
            with suppress(BlockingIOError):
                self._log(call.log, os.read(self.output, PIPE_SIZE))
            outcomes.append(Died(call.id, how))
        self._opened.close()
        return outcomes, unstarted


def _pipe(ours: ExitStack, theirs: ExitStack) -> tuple[int, int]:
    """The reading end, which is ours and does not block, and the writing end, which is the process's."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    ours.callback(os.close, reader)
    theirs.callback(os.close, writer)
    os.set_blocking(reader, False)
    return reader, writer


def _spawn(  # noqa: PLR0913, PLR0917 - a process and its channels
    folder: str, environ: Mapping[str, str], inbox: int, answers: int, printed: int, output: int
) -> subprocess.Popen[bytes]:
    arguments = [folder, *map(str, (os.getpid(), inbox, answers, printed))]
    return subprocess.Popen(
        [sys.executable, "-P", "-X", "faulthandler", worker.__file__, *arguments],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=(inbox, answers, printed),
        start_new_session=True,  # out of reach of the terminal's signals; killed with all it has started
    )


def _how(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exited with code {code}"
