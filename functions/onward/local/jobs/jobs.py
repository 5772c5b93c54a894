"""Start, find again, watch and cancel supervised jobs, from inside an asyncio loop.

A job is a folder `<root>/<name>/`:

    lock         held by the supervisor as long as it lives
    pid          the supervisor's, locked until written; the file's presence says that the job was started
    log          the command's output, standard output and error
    result.json  renamed into place by the supervisor as its last act
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from onward.core.errors import BadParameter, Conflict, Refused, Unavailable
from onward.local.jobs import lock
from onward.local.jobs.model import Alive, Ended, Look, Lost, Missing, Result, Spec
from onward.local.jobs.processes import kill_marked, open_process

_NAME = re.compile(r"[a-z0-9-]{1,100}")
_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_RESULT_BYTES = 32 * 1024  # 4 KiB of last lines, each byte at worst six in JSON, and the rest


@dataclass
class _Supervisor:
    pidfd: int
    child: subprocess.Popen[bytes] | None  # None when an earlier runtime started it
    watched: bool = False


class Jobs:
    """The jobs under `root`. `on_end(name)` is called in the loop when a watched job's supervisor exits."""

    def __init__(self, root: Path, on_end: Callable[[str], None], loop: asyncio.AbstractEventLoop) -> None:
        self._root = root.resolve()
        self._on_end = on_end
        self._loop = loop
        self._supervisors: dict[str, _Supervisor] = {}

    def start(self, name: str, spec: Spec) -> None:
        """Start the job unless it was started before, by whomever and however it ended.

        Raises Unavailable when the machine has no room for it, Refused when the command can't be passed on,
        BadParameter for a wrong name or command.
        """
        folder = self._folder(name)
        if not spec.argv:
            raise BadParameter(f"job {name}: there is no command to run")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _opened(folder / "lock") as held:
                if lock.take(held) and not (folder / "pid").exists():
                    self._spawn(name, folder, spec, held)
        except OSError as error:
            if error.errno == errno.E2BIG:
                raise Refused(f"job {name}: arguments and environment exceed what the system takes") from None
            raise Unavailable(f"job {name} can't be started: {error}") from error
        except ValueError as error:
            raise BadParameter(f"job {name}: what it should run can't be passed on: {error}") from None

    def _spawn(self, name: str, folder: Path, spec: Spec, held: int) -> None:
        """Hand the held lock to a new supervisor, so that there is no moment at which nobody holds it."""
        try:
            with _opened(folder / "pid") as pid, _opened(folder / "result.new") as result:
                # A disk that is full must be known now, not when there is a verdict to write.
                os.posix_fallocate(pid, 0, 64)
                os.posix_fallocate(result, 0, _RESULT_BYTES)
                lock.take(pid)
                child = _popen(folder, spec, held, pid)
        except BaseException:
            (folder / "pid").unlink(missing_ok=True)
            raise
        self._follow(name, _Supervisor(os.pidfd_open(child.pid), child))

    def look(self, name: str) -> Look:
        """What is known of the job now. What a lost one left is killed before this returns."""
        folder = self._folder(name)
        alive = lock.held(folder / "lock")  # first: who no longer holds it has left its result, if ever
        result = _result(folder)
        if result is not None:
            return Ended(result)
        if alive:
            return Alive()
        if not (folder / "pid").exists():
            return Missing()
        kill_marked("ONWARD_JOB", str(folder))
        return Lost()

    def watch(self, name: str) -> None:
        """Call `on_end(name)` once the job's supervisor has exited; soon, if it has already."""
        supervisor = self._find(name)
        if supervisor is None:
            self._loop.call_soon(self._on_end, name)
        else:
            supervisor.watched = True

    def cancel(self, name: str) -> None:
        """Ask the job to end; its result follows. A lost job is killed, an ended one stays as it is."""
        supervisor = self._find(name)
        if supervisor is None:
            self.look(name)
        else:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(supervisor.pidfd, signal.SIGTERM)

    def forget(self, name: str) -> None:
        """Let a job that ended or was lost be started again; its log stays. Conflict if it is alive."""
        folder = self._folder(name)
        if not folder.exists():
            return
        with _opened(folder / "lock") as held:
            if not lock.take(held):
                raise Conflict(f"job {name} is running: it can be cancelled, not forgotten")
            kill_marked("ONWARD_JOB", str(folder))
            for file in ("result.json", "pid"):  # in this order: a crash in between leaves it lost
                (folder / file).unlink(missing_ok=True)

    def log_path(self, name: str) -> Path:
        return self._folder(name) / "log"

    def close(self) -> None:
        """Stop watching. The jobs go on."""
        for supervisor in self._supervisors.values():
            self._loop.remove_reader(supervisor.pidfd)
            os.close(supervisor.pidfd)
        self._supervisors.clear()

    def _folder(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise BadParameter(f"{name!r} is no job name: 1 to 100 of a-z, 0-9 and -")
        return self._root / name

    def _find(self, name: str) -> _Supervisor | None:
        """The job's supervisor, whoever started it; None when it has exited."""
        if name in self._supervisors:
            return self._supervisors[name]
        folder = self._folder(name)
        if not lock.held(folder / "lock"):
            return None
        with open(folder / "pid", "r+b") as file:
            lock.wait(file.fileno())  # no longer than a supervisor takes to start
            written = file.read().rstrip(b"\0").split()
        pidfd = open_process(int(written[0]), int(written[1])) if written else None
        if pidfd is not None:
            return self._follow(name, _Supervisor(pidfd, child=None))
        if lock.held(folder / "lock"):
            raise Unavailable(
                f"job {name} is supervised where this process can't see it (another container?)"
            )
        return None

    def _follow(self, name: str, supervisor: _Supervisor) -> _Supervisor:
        self._supervisors[name] = supervisor
        self._loop.add_reader(supervisor.pidfd, self._exited, name)
        return supervisor

    def _exited(self, name: str) -> None:
        supervisor = self._supervisors.pop(name)
        self._loop.remove_reader(supervisor.pidfd)
        os.close(supervisor.pidfd)
        if supervisor.child is not None:
            supervisor.child.wait()  # it is a zombie by now
        if supervisor.watched:
            self._on_end(name)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _popen(folder: Path, spec: Spec, held: int, pid: int) -> subprocess.Popen[bytes]:
    interpreter = [sys.executable, "-I", "-S", "-X", "utf8", str(_SUPERVISOR)]
    settings = [str(folder), str(held), str(pid), str(spec.max_log_bytes), str(spec.grace_seconds), spec.cwd]
    # The supervisor inherits the mask and lifts it when it can answer.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        with open(folder / "log", "ab") as log:
            return subprocess.Popen(
                [*interpreter, *settings, *spec.argv],
                env={**os.environ, **spec.env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,  # what a supervisor has to say when it fails itself
                pass_fds=(held, pid),
                start_new_session=True,
            )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _result(folder: Path) -> Result | None:
    try:
        return msgspec.json.decode((folder / "result.json").read_bytes(), type=Result)
    except (FileNotFoundError, msgspec.MsgspecError):  # one that can't be read is as good as none
        return None
