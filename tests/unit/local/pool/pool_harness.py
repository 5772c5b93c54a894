"""A folder of users' Python files and a pool that calls them, in real processes."""

from __future__ import annotations

import asyncio
import json
import os
import select
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from onward.local.pool import Call, Outcome, Pool

HANG_SECONDS = 20
"""After this a test counts as hanging; no test waits for time to pass."""


class Pipe:
    """A named pipe by which a call and a test wait for one another."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    async def read(self) -> str:
        loop = asyncio.get_running_loop()
        readable = loop.create_future()
        loop.add_reader(self._descriptor, readable.set_result, None)
        try:
            await readable
        finally:
            loop.remove_reader(self._descriptor)
        return os.read(self._descriptor, 100).decode()

    def read_here(self) -> str:
        """As `read`, but stops this thread and its loop."""
        assert select.select([self._descriptor], [], [], HANG_SECONDS)[0]
        return os.read(self._descriptor, 100).decode()

    def write(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def close(self) -> None:
        os.close(self._descriptor)


class Files:
    """A pipeline's folder, the logs of its calls, and its named pipes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pipes: list[Pipe] = []
        self.folder.mkdir(parents=True)

    def write(self, name: str, source: str) -> None:
        (self.folder / name).write_text(textwrap.dedent(source))

    def call(self, id_: str, target: str, **args: object) -> Call:
        log = str(self.log_of(id_))
        return Call(id=id_, folder=str(self.folder), target=target, args=json.dumps(args).encode(), log=log)

    def log_of(self, id_: str) -> Path:
        return self.folder.parent / "logs" / f"{id_}.log"

    def pipe(self, name: str) -> Pipe:
        self.pipes.append(Pipe(self.folder / name))
        return self.pipes[-1]


class Pooled:
    """A pool and the outcomes it has told."""

    def __init__(self, pool: Callable[[Callable[[list[Outcome]], None]], Pool]) -> None:
        self.batches: list[list[Outcome]] = []
        self._told = asyncio.Event()
        self.pool = pool(self._on_outcomes)

    def _on_outcomes(self, outcomes: list[Outcome]) -> None:
        self.batches.append(outcomes)
        self._told.set()

    @property
    def told(self) -> list[Outcome]:
        return [outcome for batch in self.batches for outcome in batch]

    async def outcomes(self, *ids: str) -> list[Outcome]:
        """The outcomes of these calls, in this order, once all are told."""
        while not {outcome.id for outcome in self.told} >= set(ids):
            self._told.clear()
            await self._told.wait()
        by_id = {outcome.id: outcome for outcome in self.told}
        return [by_id[id_] for id_ in ids]

    async def make(self, *calls: Call) -> list[Outcome]:
        self.pool.call(calls)
        return await self.outcomes(*(call.id for call in calls))


class Clock:
    """A loop whose timers ring when the test says so."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.ringing: list[Callable[[], None]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def call_later(self, _delay: float, callback: Callable[[], None]) -> asyncio.Handle:
        self.ringing.append(callback)
        return asyncio.Handle(callback, (), self._loop)

    def tick(self) -> None:
        self.ringing.pop()()


@asynccontextmanager
async def pooling(workers: int = 1, max_workers: int = 2, loop: Any = None) -> AsyncIterator[Pooled]:
    loop = loop or asyncio.get_running_loop()
    pooled = Pooled(lambda on_outcomes: Pool(loop, on_outcomes, workers, max_workers))
    try:
        async with asyncio.timeout(HANG_SECONDS):
            yield pooled
    finally:
        pooled.pool.close()
