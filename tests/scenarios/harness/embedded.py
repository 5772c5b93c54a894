"""The embedded door: the real runtime on SQLite, its folder buckets watched, in a loop of virtual time."""

from __future__ import annotations

import os
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import msgspec
from onward.core import facts
from onward.core.errors import OnwardError
from onward.local import topics
from onward.local.buckets import METADATA
from onward.local.runtime import Runtime
from onward.local.watcher import Arrival
from onward.ports import Objects, Service, Store
from scenarios.harness.jobs import Job, Jobs, Scripted
from scenarios.harness.scenario import Drop, Object, Publish
from scenarios.harness.virtual import VirtualLoop

NOTHING: Mapping[str, str] = {}
REAL = ("python", "pipeline", "cluster", "drain")
"""What really runs: of the other kinds, jobs are doubles."""


class Embedded:
    """See `door.Door`."""

    def __init__(self, folder: Path, workflows: Path, jobs: Jobs, at: int) -> None:
        self._workflows = workflows
        self._state = folder / "state"
        self._jobs = jobs
        self._at = at
        self._said: list[str] = []
        self._loop = VirtualLoop()
        self._refused: list[str] = []
        jobs.around = self
        self._begin()

    def _begin(self) -> None:
        self._runtime = _Runtime(
            self._jobs, self._workflows, self._state, self._loop, self._said.append, self
        )
        self._loop.busy = lambda: self._runtime.busy
        self._runtime.start(watch=True)

    def now(self) -> int:
        return self._at + round(self._loop.time() * 1_000_000)

    @property
    def store(self) -> Store:
        return self._runtime.store

    @property
    def objects(self) -> Objects:
        return self._runtime.engine.objects

    def drop(self, drop: Drop) -> None:
        path = self._runtime.buckets.make_parents(f"gs://{drop.bucket}/{drop.name}")
        if drop.again:
            status = path.stat()
            generation = f"{status.st_ino}.{status.st_mtime_ns}.{status.st_size}"
            self._runtime.arrived_again(
                Arrival(drop.bucket, drop.name, generation, status.st_size, status.st_mtime_ns // 1_000)
            )
            return
        write(path, drop.content, self.now(), drop.metadata)

    def delete(self, gone: Object) -> None:
        self._runtime.buckets.path(f"gs://{gone.bucket}/{gone.name}").unlink()

    def publish(self, message: Publish) -> None:
        data = message.data
        raw = data.encode() if isinstance(data, str) else b"" if data is None else msgspec.json.encode(data)
        if message.id and message.topic in self._runtime.topics():  # else its id is drawn
            given = facts.Message(message.topic, message.id, raw, message.attributes)
            self._ask(self._runtime.deliver(given))
        else:
            sent = topics.Message(raw, message.attributes)
            self._ask(topics.publish(self._runtime, message.topic, [sent]))

    def advance(self, until: int) -> None:
        self._loop.advance((until - self.now()) / 1_000_000)

    def settle(self) -> None:
        self._loop.settle()

    def finish(self) -> None:
        self._loop.settle()

    def restart(self, after: int) -> None:
        self._loop.wait(self._runtime.close())
        self._loop.busy = lambda: False
        self._loop.advance(after / 1_000_000)
        self._begin()

    @property
    def refused(self) -> list[str]:
        letters = self._runtime.folder.dead_letters
        buried = letters.read_text().splitlines() if letters.exists() else []
        return [*self._refused, *(msgspec.json.decode(each)["reason"] for each in buried)]

    @property
    def announced(self) -> list[dict[str, Any]]:
        file = self._runtime.folder.announcements
        lines = file.read_text().splitlines() if file.exists() else []
        return [_announced(msgspec.json.decode(line)) for line in lines]

    @property
    def clusters(self) -> dict[str, int]:
        return {}

    @property
    def troubles(self) -> list[str]:
        return [line for line in self._said if "could not be dealt with" in line]

    def _ask(self, what: Coroutine[Any, Any, Any]) -> None:
        try:
            self._loop.wait(what)
        except OnwardError as error:
            self._refused.append(str(error))

    def close(self) -> None:
        self._loop.wait(self._runtime.close())
        self._loop.close()

    def began(self, _: Job) -> bool:
        return False

    def ended(self, job: Job) -> None:
        self._loop.call_soon(lambda: self._runtime.rang(job))


class _Runtime(Runtime):
    """With doubles for what does not really run."""

    def __init__(self, jobs: Jobs, *args: Any) -> None:
        self._jobs = jobs
        super().__init__(*args)

    def _make_services(self) -> dict[str, Service]:
        real = super()._make_services()
        return {
            kind: Scripted(self._jobs, each if kind in REAL else None, ends=True)
            for kind, each in real.items()
        }

    @property
    def busy(self) -> bool:
        return self._python.busy

    def rang(self, job: Job) -> None:
        self._rung(job.ref)

    def arrived_again(self, arrival: Arrival) -> None:
        self._arrived([arrival])


def _announced(event: dict[str, Any]) -> dict[str, Any]:
    kind = event["type"].removeprefix("dev.onward.").removesuffix(".v1").replace(".", "_")
    return {**event["data"], "id": event["id"], "kind": kind}


def write(path: Path, content: str, now: int, metadata: Mapping[str, str] = NOTHING) -> None:
    """A file that is there whole, written at that time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_text(content)
    for key, value in metadata.items():
        os.setxattr(draft, METADATA + key, value.encode())
    os.utime(draft, ns=(now * 1_000, now * 1_000))
    draft.replace(path)
