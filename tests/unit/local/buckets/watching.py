"""A watcher at work, and a ledger that remembers what it reported, as the runtime's does."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, Self

from onward.local.buckets import Buckets
from onward.local.watcher import Arrival, Watcher

SAFETY_NET_S = 60


def story(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test that is a coroutine; what it waits for has to come."""

    @functools.wraps(test)
    def run(*args: object, **kwargs: object) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), SAFETY_NET_S))

    return run


class Alarm:
    """A timer that the test sets off by hand."""

    def __init__(self, seconds: float, action: Callable[[], None]) -> None:
        self.seconds = seconds
        self.is_set = True
        self._action = action

    def go_off(self) -> None:
        self.is_set = False
        self._action()

    def cancel(self) -> None:
        self.is_set = False


class LoopWithoutTime:
    """The running loop, but its timers wait for the test."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.add_reader, self.remove_reader = loop.add_reader, loop.remove_reader
        self.alarms: list[Alarm] = []

    def call_later(self, seconds: float, callback: Callable[..., None], *args: object) -> Alarm:
        self.alarms.append(Alarm(seconds, lambda: callback(*args)))
        return self.alarms[-1]

    @property
    def pending(self) -> list[Alarm]:
        return [alarm for alarm in self.alarms if alarm.is_set]

    def ring(self) -> float:
        """Let the only pending timer's time come; returns for how long it was set."""
        (alarm,) = self.pending
        alarm.go_off()
        return alarm.seconds


class Watching:
    """`async with Watching(root) as w`: files go to the bucket `landing`, `w.news()` says what arrived."""

    def __init__(
        self,
        root: Path,
        watched: Iterable[str] = ("landing",),
        ledger: dict[tuple[str, str], str] | None = None,
        loop: Any = None,
    ) -> None:
        self.root = root
        self.bucket = root / "landing"
        self.ledger = {} if ledger is None else ledger
        self.reported: list[Arrival] = []
        self.batches: list[int] = []
        self.touched: list[Arrival] = []
        self.problems: list[str] = []
        self._sentinels = 0
        self._told = 0
        self._more = asyncio.Event()
        self.watcher = Watcher(
            loop or asyncio.get_running_loop(),
            Buckets(root),
            watched,
            lambda bucket, name: self.ledger.get((bucket, name)),
            self._on_arrivals,
            on_touched=self._on_touched,
            on_problem=self.problems.append,
        )

    async def __aenter__(self) -> Self:
        self.watcher.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.watcher.stop()

    def _on_arrivals(self, arrivals: list[Arrival]) -> None:
        self.batches.append(len(arrivals))
        self.reported += arrivals
        self.ledger |= {(arrival.bucket, arrival.name): arrival.generation for arrival in arrivals}
        self._more.set()

    def _on_touched(self, arrival: Arrival) -> None:
        self.touched.append(arrival)
        self.ledger[arrival.bucket, arrival.name] = arrival.generation

    def write(self, name: str, content: str = "x") -> Path:
        path = self.bucket / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def watched_folders(self) -> int:
        """How many folders below the buckets the kernel watches for us."""
        descriptor = self.watcher._inotify.fileno()
        info = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
        root_and_bucket = 2
        return info.count("inotify wd:") - root_and_bucket

    async def until(self, is_enough: Callable[[], bool]) -> None:
        while not is_enough():
            self._more.clear()
            await self._more.wait()

    async def quiet(self) -> None:
        """Wait until all that happened so far has been seen: events come in order, this is the last."""
        self._sentinels += 1
        sentinel = self.write(f"sentinel-{self._sentinels}").name
        await self.until(lambda: any(arrival.name == sentinel for arrival in self.reported))

    async def news(self) -> list[Arrival]:
        """What was reported since the last call, by name."""
        await self.quiet()
        fresh, self._told = self.reported[self._told :], len(self.reported)
        return sorted((a for a in fresh if not a.name.startswith("sentinel-")), key=lambda a: a.name)

    async def names(self) -> list[str]:
        return [arrival.name for arrival in await self.news()]
