"""Processes that live as long as somebody needs them: this process, or several.

What runs belongs to a folder, and ends when nobody holds that folder's pipe open for writing any more: with
the last of its users, however they end (`kill -9` too), so that nobody has to count and nothing stays behind.
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from onward.core.errors import Unavailable

HOST = "127.0.0.1"
OnLine = Callable[[str], None]

# The command is this shell's child, not ours. When the pipe's last writer is gone, `cat` ends, and the whole
# group with it. The shell lets go of the output, so that the output ends if the command does.
_KEEPER = '"$@" 2>&1 </dev/null & exec >/dev/null 2>&1; cat <"$ALIVE"; kill -KILL 0'


@contextmanager
def kept(
    folder: Path,
    command: Callable[[str], list[str]],
    ready: str,
    on_line: OnLine = lambda _: None,
) -> Iterator[str]:
    """`host:port` of what the folder holds: `command(host:port)`, started if nobody has, and ready once it
    says `ready`. Where this process started it, `on_line` gets each line that it says after that, in a
    thread, and at its end an empty one; the folder's `log` has all of them. Raises `Unavailable` when it does
    not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = _join(folder)
        if held is None:
            held = _start(folder, command, ready, on_line)
        address = (folder / "address").read_text()
    try:
        yield address
    finally:
        os.close(held)


def _join(folder: Path) -> int | None:
    """Hold open the pipe of what runs already, if it does."""
    try:
        return os.open(folder / "alive", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # no such pipe, or nobody reads it any more
        return None


def _start(
    folder: Path,
    command: Callable[[str], list[str]],
    ready: str,
    on_line: OnLine,
) -> int:
    address, alive = f"{HOST}:{free_port()}", folder / "alive"
    argv = command(address)
    alive.unlink(missing_ok=True)
    os.mkfifo(alive)
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", _KEEPER, "keeper", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "ALIVE": str(alive)},
        start_new_session=True,
        text=True,
        errors="replace",
    )
    held = os.open(alive, os.O_WRONLY)
    assert keeper.stdout is not None
    log = (folder / "log").open("w", buffering=1)
    for line in keeper.stdout:
        log.write(line)
        if ready in line:
            break
    else:
        os.close(held)
        log.close()
        raise Unavailable(f"the {folder.name} did not start:\n{(folder / 'log').read_text()}")
    (folder / "address").write_text(address)
    threading.Thread(target=_drain, args=(keeper.stdout, log, on_line), daemon=True).start()
    return held


def _drain(output: IO[str], log: IO[str], on_line: OnLine) -> None:
    """Or what it says would fill the pipe."""
    with log, output:
        for line in output:
            log.write(line)
            on_line(line)
    on_line("")


def address(folder: Path) -> str | None:
    """`host:port` of what the folder holds, if it runs."""
    held = _join(folder)
    if held is None:
        return None
    os.close(held)
    return (folder / "address").read_text()


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
