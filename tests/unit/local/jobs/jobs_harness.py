"""A runtime for the tests, and ways to wait for processes that need no clock."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onward.local.jobs import Ended, Jobs, Result, Spec

PATIENCE = 60  # seconds until a test that waits for something that never comes fails


class Runtime:
    """One life of a runtime: a loop, its Jobs, and the names that on_end was called with."""

    def __init__(self, root: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.ended: list[str] = []
        self._rings: asyncio.Queue[str] = asyncio.Queue()
        self.jobs = Jobs(root, self._ring, self.loop)

    def _ring(self, name: str) -> None:
        self.ended.append(name)
        self._rings.put_nowait(name)

    def ring(self) -> str:
        """Wait for the next on_end."""
        return self.loop.run_until_complete(asyncio.wait_for(self._rings.get(), PATIENCE))

    def turn(self) -> None:
        """Let the loop handle what is ready."""
        for _ in range(3):
            self.loop.run_until_complete(asyncio.sleep(0))

    def result(self, name: str) -> Result:
        """Watch the job to its end."""
        self.jobs.watch(name)
        assert self.ring() == name
        look = self.jobs.look(name)
        assert isinstance(look, Ended), look
        return look.result

    def run(self, name: str, *argv: str, **spec: object) -> Result:
        self.jobs.start(name, command(*argv, **spec))
        return self.result(name)

    def close(self) -> None:
        self.jobs.close()
        self.loop.close()


@contextmanager
def runtime(root: Path) -> Iterator[Runtime]:
    life = Runtime(root)
    try:
        yield life
    finally:
        life.close()


def command(*argv: str, **spec: object) -> Spec:
    return Spec(argv, **{"cwd": "/", **spec})  # type: ignore[arg-type]


class Line:
    """A named pipe between a job and its test. Both ends stay open: nobody waits for another to open it."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self.fd = os.open(path, os.O_RDWR)

    def hear(self) -> str:
        """Wait for the next line."""
        line = b""
        while not line.endswith(b"\n"):
            assert select.select([self.fd], [], [], PATIENCE)[0], f"nothing came through {self.path.name}"
            line += os.read(self.fd, 1)
        return line.decode().strip()

    def say(self) -> None:
        os.write(self.fd, b"\n")

    def __str__(self) -> str:
        return str(self.path)


def gone(pidfd: int, patience: float = PATIENCE) -> bool:
    """Has the process ended, or does it soon?"""
    return bool(select.select([pidfd], [], [], patience)[0])


def supervisor(root: Path, name: str) -> int:
    return int((root / name / "pid").read_bytes().split()[0])
