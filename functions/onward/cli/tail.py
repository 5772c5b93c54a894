"""Logs of steps, as they are and as they grow: inotify tells of growth, the runtime at work of commits."""

from __future__ import annotations

import os
import re
import select
import sys
import threading
from contextlib import suppress
from pathlib import Path

from onward.cli.client import Client, Gone, find
from onward.cli.progress import say
from onward.cli.reading import Log, Reading
from onward.core.errors import NotFound, OnwardError
from onward.core.state import Run, RunKey
from onward.local.folder import StateFolder
from onward.local.inotify import IN_CREATE, IN_MOVED_TO, Inotify

IN_MODIFY = 0x2
_PIECE = 64 * 1024
_CONTROL = re.compile(rb"(\x1b\[[0-9;]*m)|[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")
"""What a terminal would obey. Colours may pass."""


class Tail:
    """Prints the logs of a run, or of one of its steps, to stdout."""

    def __init__(self, state: Reading, run: str, step: str | None, attempt: int | None) -> None:
        self._state = state
        self._run = run
        self._step = step
        self._attempt = attempt
        self._printed: dict[Path, int] = {}
        self._last: Log | None = None
        self._is_terminal = sys.stdout.isatty()

    def print(self) -> None:
        """What there is. Raises NotFound when no attempt was made that could have printed anything."""
        for log in self._logs():
            self._print_new(log)
        self._conclude()

    def follow(self) -> None:
        """What there is and what comes, until the step or the run has ended."""
        changes = _Changes(self._state.folder, self._run)
        while True:
            changes.attend()
            is_over = self._is_over()  # asked first: what was printed until then is there to be read
            for log in self._logs():
                changes.watch(log.path.parent)
                self._print_new(log)
            if is_over:
                break
            changes.wait()
        self._conclude()

    def _conclude(self) -> None:
        if any(self._printed.values()):
            return
        logs = self._logs()
        what = f"step {self._step}" if self._step else "any step"
        if not logs:
            of = f" in attempt {self._attempt}" if self._attempt else ""
            raise NotFound(f"there is no log of {what} of run {self._run}{of}: nothing was started")
        so_far = "" if all(log.ended for log in logs) else " so far"
        who = f"step {self._step} has printed nothing" if self._step else "no step has printed anything"
        say(f"{who}{so_far} (run {self._run})")

    def _logs(self) -> list[Log]:
        return self._state.logs(self._run, self._step, self._attempt)

    def _is_over(self) -> bool:
        key = RunKey(self._run)
        run = self._state.store.read([key])[key].doc
        if isinstance(run, Run) and run.state.ended:
            return True
        return self._step is not None and all(log.ended for log in self._logs()) and bool(self._logs())

    def _print_new(self, log: Log) -> None:
        try:
            with log.path.open("rb") as file:
                file.seek(self._printed.setdefault(log.path, 0))
                while piece := file.read(_PIECE):
                    self._write(log, piece)
                    self._printed[log.path] += len(piece)
        except FileNotFoundError:
            pass

    def _write(self, log: Log, piece: bytes) -> None:
        out = sys.stdout.buffer
        if self._last is None or log.path != self._last.path:
            if self._step is None or self._last is not None:
                gap = b"\n" if self._last is not None else b""
                out.write(gap + f"==> {log.step}, attempt {log.attempt} <==\n".encode())
            self._last = log
        out.write(_harmless(piece) if self._is_terminal else piece)
        out.flush()


class _Changes:
    """Commits to a run, and what is written in the folders of logs.

    A commit is heard of from the runtime that made it: the file of the store changes before readers see it.
    """

    def __init__(self, folder: StateFolder, run: str) -> None:
        self._folder = folder
        self._run = run
        self._inotify = Inotify()
        self._inotify.add(os.fsencode(folder.root), IN_MOVED_TO)  # a runtime says where it is
        self._watched: set[Path] = set()
        self._commits: int | None = None

    def attend(self) -> None:
        """Hear of the commits of the runtime at work, where there is one. The first word comes at once."""
        if self._commits is None and (client := find(self._folder)) is not None:
            self._commits, told = os.pipe()
            threading.Thread(target=_forward, args=(client, self._run, told), daemon=True).start()

    def watch(self, folder: Path) -> None:
        """From now on; a folder that is not there yet, at another time."""
        if folder not in self._watched and folder.is_dir():
            self._inotify.add(os.fsencode(folder), IN_MODIFY | IN_CREATE)
            self._watched.add(folder)

    def wait(self) -> None:
        """Until something has changed since the last time."""
        sources = [self._inotify.fileno(), *([] if self._commits is None else [self._commits])]
        ready, _, _ = select.select(sources, [], [])
        for _event in self._inotify.read():
            pass
        if self._commits in ready and not os.read(self._commits, _PIECE):
            os.close(self._commits)
            self._commits = None


def _forward(client: Client, run: str, told: int) -> None:
    """Writes to `told` after each commit to the run; closes it once the run, or the runtime, has ended."""
    try:
        with suppress(Gone, OnwardError):
            for _ in client.follow(run):
                os.write(told, b".")
    finally:
        os.close(told)


def _harmless(piece: bytes) -> bytes:
    piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return _CONTROL.sub(lambda found: found[1] or repr(found[0])[2:-1].encode(), piece)
