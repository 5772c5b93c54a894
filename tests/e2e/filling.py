"""Fills a set in a real runtime that kills itself with SIGKILL at one point after the other.

    python -m e2e.filling FOLDER KIND

Before each commit, each object that is written and each timer that is set there is such a point: between
them nothing lasts. For each of them a new state folder is filled by a process that dies there, then by one
that lives; what comes of it must be the same each time. Each process is a fork: nothing is imported twice.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from onward.core import manifests
from onward.core.facts import Tick
from onward.core.pipeline import DAY
from onward.core.schedules import name
from onward.core.starting import Refused, starts
from onward.core.state import MemberKey, Run, Set
from onward.local.buckets import Buckets
from onward.local.clock import LoopTimers
from onward.local.objects import LocalObjects
from onward.local.runtime import Runtime
from onward.ports import Write
from onward.stores.sqlite import SqliteStore

STEP = 'steps: {a: {python: {call: "steps.py:a"}}}\n'
PIPELINES = {
    "objects": "trigger: {objects: {bucket: landing, match: {a: 'a/{day}', b: 'b/{day}'}}}\n"
    "params: {day: string}\n",
    "marker": "trigger: {objects: {bucket: landing, match: 'a/{day}/*', marker: 'a-{day}'}}\n"
    "params: {day: string}\n",
    "batch": "trigger: {batch: {bucket: landing, match: 'in/*', count: 2, window: 1h}}\n",
    "window": "trigger: {batch: {bucket: landing, match: 'in/*', count: 9, window: 1s}}\n",
    "absent": "trigger: {absent_by: {bucket: landing, match: 'in/{date}', at: '06:00', on_absent: late}}\n"
    "params: {date: {type: string, default: x}}\n",
}
FILES: dict[str, tuple[str, ...]] = {
    "objects": ("a/1", "b/1", "a/2", "b/2"),
    "marker": ("a/1/x", "a/1/y", "a-1"),
    "batch": tuple(f"in/{number}" for number in range(4)),
    "window": ("in/0", "in/1"),
    "absent": ("in/2023-11-13",),
}
RUNS = {
    "objects": ["a/1 b/1", "a/2 b/2"],
    "marker": ["a/1/x a/1/y"],
    "absent": [""],
}
"""The names that each run is for, where they do not depend on time."""
TIME = 1_700_000_000_000_000
"""A day on which nothing came, and the day after one on which something did."""


class Filler:
    """One process: puts a file into the bucket when the one before is a member, until all runs have ended."""

    def __init__(self, home: Path, kind: str, kill_at: int | None) -> None:
        self.kind = kind
        self.kill_at = kill_at
        self.points = 0
        self.loop = asyncio.new_event_loop()
        self.runtime = Runtime(home / "workflows", home / "state", self.loop, lambda _: None)
        self.bucket = home / "state" / "buckets" / "landing"
        self.waiting = [each for each in FILES[kind] if not (self.bucket / each).exists()]
        _wrap(SqliteStore, "commit", self)
        _wrap(LocalObjects, "put", self)
        _wrap(LoopTimers, "set", self)
        committed = self.runtime.store.on_commit

        def on_commit(writes: Sequence[Write]) -> None:
            if committed is not None:
                committed(writes)
            if any(isinstance(change.key, MemberKey) for change, _ in writes):
                self.loop.call_soon(self.drop)
            self.loop.call_soon(self.look)

        self.runtime.store.on_commit = on_commit

    def run(self) -> None:
        self.runtime.start(watch=True)
        if self.kind == "absent":
            self.tick(TIME - DAY)
            self.tick(TIME)
        self.drop()
        self.loop.call_soon(self.look)
        self.loop.run_forever()
        self.loop.run_until_complete(self.runtime.close())

    def tick(self, time: int) -> None:
        deployed = self.runtime._deployed
        tick = Tick("p", name(deployed.pipelines["p"], 0), time)
        self.runtime._events.post(each for each in starts(tick, deployed) if not isinstance(each, Refused))

    def drop(self) -> None:
        if self.waiting:
            path = self.bucket / self.waiting.pop(0)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("data")

    def look(self) -> None:
        store = self.runtime.store
        runs = [run for _, run in store.runs()]
        at_rest = all(self.is_at_rest(name, doc) for name, doc in store.open_sets(99))
        if not self.waiting and at_rest and runs and all(run.state.ended for run in runs):
            self.loop.stop()

    def is_at_rest(self, name: str, doc: Set) -> bool:
        if self.kind == "absent":
            return doc.ended is not None
        return doc.closing is None and not self.runtime.store.count("members", name, 1)

    def point(self) -> None:
        self.points += 1
        if self.points == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def _wrap(kind: type, method: str, filler: Filler) -> None:
    """Each call is a point."""
    original: Callable[..., Any] = getattr(kind, method)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        filler.point()
        return original(*args, **kwargs)

    setattr(kind, method, wrapped)


def fork(home: Path, kind: str, kill_at: int | None) -> bool:
    """Whether the process came to its end."""
    child = os.fork()
    if child == 0:
        try:
            Filler(home, kind, kill_at).run()
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            os._exit(2)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), f"the process ended with {code}"
    return code == 0


def runs_of(home: Path) -> list[str]:
    """The names that each run is for."""
    store = SqliteStore(home / "state" / "state.db", readonly=True)
    objects = LocalObjects(home / "state" / "objects", Buckets(home / "state" / "buckets"))

    def held(run: Run) -> str:
        manifest = manifests.decode(objects.get(run.trigger["manifest"]))
        return " ".join(each["name"] for each in manifest.objects)

    found = sorted(held(run) for _, run in store.runs())
    store.close()
    return found


def check(kind: str, found: list[str], when: str) -> None:
    """No member is lost or twice, and a batch is as large as it should be."""
    assert found == RUNS.get(kind, found), f"{when}: {found}"
    if kind in ("batch", "window"):
        names = sorted(" ".join(found).split())
        assert names == sorted(FILES[kind]), f"{when}: {found}"
    if kind == "batch":
        assert [len(run.split()) for run in found] == [2, 2], f"{when}: {found}"


def prepared(home: Path, kind: str) -> None:
    for pipeline, rest in (("p", PIPELINES[kind]), ("late", "params: {date: string}\n")):
        folder = home / "workflows" / pipeline
        folder.mkdir(parents=True)
        (folder / "steps.py").write_text("def a():\n    return 1\n")
        (folder / "pipeline.yaml").write_text(f"pipeline: {pipeline}\n{rest}{STEP}")


def main(folder: Path, kind: str) -> None:
    for point in itertools.count(1):
        home = folder / str(point)
        prepared(home, kind)
        lived = fork(home, kind, point)
        if not lived:
            assert fork(home, kind, None)
        check(kind, runs_of(home), f"killed at {point}")
        if lived:
            print(f"{point - 1} points")
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
