"""Logs of steps, as they are and as they grow: inotify tells of growth, and of every commit."""

from __future__ import annotations

import os
import re
import select
import sys
from pathlib import Path

from onward.cli.reading import Log, Reading
from onward.core.errors import NotFound
from onward.core.state import Run, RunKey
from onward.local.inotify import IN_CREATE, Inotify

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
        """What there is. Raises NotFound when there is no log."""
        for log in self._logs():
            self._print_new(log)
        if not self._printed:
            raise NotFound(self._nothing())

    def follow(self) -> None:
        """What there is and what comes, until the step or the run has ended."""
        changes = _Changes(self._state.folder.root)
        while True:
            is_over = self._is_over()  # asked first: what was printed until then is there to be read
            for log in self._logs():
                changes.watch(log.path.parent)
                self._print_new(log)
            if is_over:
                break
            changes.wait()
        if not self._printed:
            raise NotFound(self._nothing())

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

    def _nothing(self) -> str:
        what = f"step {self._step}" if self._step else "any step"
        of = f" in attempt {self._attempt}" if self._attempt else ""
        return (
            f"there is no log of {what} of run {self._run}{of}: nothing was started, or nothing was printed"
        )


class _Changes:
    """Commits to the state, and what is written in the folders of logs."""

    def __init__(self, root: Path) -> None:
        self._inotify = Inotify()
        self._watched: set[Path] = set()
        self.watch(root)

    def watch(self, folder: Path) -> None:
        """From now on; a folder that is not there yet, at another time."""
        if folder not in self._watched and folder.is_dir():
            self._inotify.add(os.fsencode(folder), IN_MODIFY | IN_CREATE)
            self._watched.add(folder)

    def wait(self) -> None:
        """Until something has changed since the last time."""
        select.select([self._inotify.fileno()], [], [])
        for _ in self._inotify.read():
            pass


def _harmless(piece: bytes) -> bytes:
    piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return _CONTROL.sub(lambda found: found[1] or repr(found[0])[2:-1].encode(), piece)
