"""The cloud path on this machine: Google's emulators, stand-ins for the services, the functions themselves.

bucket folders ─▶ stand-ins ──▶ Pub/Sub emulator ──▶ functions ──▶ Firestore emulator
people, HTTP ───────────────────────▲                    │ submit, set timers
jobs of this machine ◀──▶ stand-ins ┘ ◀──────────────────┘

To those who use it, it is what the embedded runtime is. What is open ends with it: emulators forget.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from onward.core.backfill import Backfill
from onward.core.backfilling import begin
from onward.core.errors import NotFound, UserError
from onward.core.facts import Message, WantsBackfill
from onward.core.naming import next_try, run_id
from onward.core.params import bind
from onward.core.pipeline import topics
from onward.core.state import BackfillKey, Run, RunKey, RunState
from onward.filling import Filling
from onward.local.buckets import Buckets
from onward.local.folder import StateFolder
from onward.local.standins import changes
from onward.local.standins.publisher import Faults
from onward.local.standins.stack import stack
from onward.local.topics import COMMAND, START
from onward.messaging.pubsub import Topic
from onward.settings import read
from onward.views import Views
from onward.wiring import Cloud

if TYPE_CHECKING:
    from onward.core.plan import Plan

NO_FAULTS = Faults()


class Emulated:
    """Holds a state folder; of it, it uses the buckets and the arrivals, and keeps a folder `emulators`.

    Raises `Missing` where the emulators are not installed. `faults` are those of the platform's notices.
    """

    def __init__(
        self,
        workflows: Path,
        state: Path,
        loop: asyncio.AbstractEventLoop,
        say: Callable[[str], None],
        faults: Faults = NO_FAULTS,
    ) -> None:
        self._loop = loop
        self._tell = say
        self._told: list[Callable[[frozenset[str]], None]] = []
        self.folder = StateFolder(state)
        self.buckets = Buckets(self.folder.buckets)
        with ExitStack() as held:
            self.folder.acquire()
            held.callback(self.folder.release)
            say("starting Google's emulators, the stand-ins and the functions")
            self._stack = held.enter_context(stack(self.folder, workflows, faults, self._say))
            self._settings = read(self._stack.settings, workflows)
            os.environ["STORAGE_EMULATOR_HOST"] = self._stack.settings["STORAGE_EMULATOR_HOST"]
            self.engine = Cloud(self._settings).engine
            self._held = held.pop_all()
        for problem in self._stack.uploaded.catalog.problems:
            say(str(problem))
        self.store = self.engine.store
        self.views = Views(self.store, self.engine.objects)
        self.filling = Filling(self.store, self.engine.objects)

    def start(self, *, watch: bool) -> None:
        """Begin to tell of changes; `watch`: take what arrives in the buckets, or has arrived."""
        self._held.callback(changes.listen(self._settings.project, self._changed))
        if watch:
            self._stack.watch()

    async def close(self) -> None:
        """Stop everything, jobs included."""
        self._held.close()

    # What people ask for

    async def start_run(
        self, pipeline: str, params: Mapping[str, Any], key: str, *, force: bool = False
    ) -> str:
        """Start a run by hand. Returns its id once it is committed; the same key is the same run."""
        bind(self._plan(pipeline).pipeline.params, params)  # what is wrong is said here, not to a dead letter
        run = run_id(pipeline, "hand", key)
        self._publish(START, {"pipeline": pipeline, "params": params, "key": key, "force": force})
        await self._until_run(run, lambda doc: doc is not None)
        return run

    async def deliver(self, message: Message) -> list[str]:
        """Publish to a pipeline's topic. What that starts is heard of later, as in the cloud."""
        Topic(self._settings.topic(message.topic)).publish([(message.data, message.attributes)])
        return []

    def topics(self) -> set[str]:
        """Those that pipelines listen to."""
        return topics(entry.pipeline for entry in self._stack.uploaded.catalog.pipelines.values())

    async def cancel(self, run: str) -> None:
        """Cancel a run. Returns once that is committed; the run ends when its jobs have."""
        self._run(run)
        self._publish(COMMAND, {"command": "cancel", "run": run})
        await self._until_run(run, lambda doc: doc is not None and doc.state is not RunState.RUNNING)

    async def set_paused(self, pipeline: str, *, paused: bool) -> None:
        """Have the pipeline's next runs wait, or go on."""
        self._plan(pipeline)
        self._publish(COMMAND, {"command": "pause" if paused else "resume", "pipeline": pipeline})

    async def retry(self, run: str, *, newest_plan: bool = False) -> str:
        """Start the next try of a run that has ended, and take over what succeeded. Returns its id."""
        run = self.views.newest_try(run)
        doc = self._run(run)
        if not doc.state.ended or doc.state is RunState.SUCCEEDED:
            raise UserError(f"run {run} is {doc.state.value}: only one that failed or was cancelled is tried")
        self._publish(COMMAND, {"command": "retry", "run": run, "newest_plan": newest_plan})
        await self._until_run(next_try(run), lambda doc: doc is not None)
        return next_try(run)

    async def begin_backfill(self, wanted: WantsBackfill) -> str:
        """Begin a backfill. Returns its id once it is committed; the same key is the same one."""
        event = begin(wanted, self._plan(wanted.pipeline), "")
        self._publish(COMMAND, msgspec.to_builtins(wanted))
        await self._until(event.backfill, lambda: self._backfill(event.backfill) is not None)
        return event.backfill

    async def stop_backfill(self, backfill: str, *, running: bool) -> None:
        """Start no more of a backfill. Returns once that is committed."""
        if self._backfill(backfill) is None:
            raise NotFound(f"there is no backfill {backfill}")
        self._publish(COMMAND, {"command": "stop-backfill", "backfill": backfill, "running": running})
        await self._until(backfill, lambda: _has_stopped(self._backfill(backfill)))

    async def ended(self, run: str) -> None:
        """Returns when the run has ended."""
        self._run(run)
        await self._until_run(run, lambda doc: doc is not None and doc.state.ended)

    def subscribe(self, told: Callable[[frozenset[str]], None]) -> Callable[[], None]:
        """Be told which runs have changed. Returns what ends that."""
        self._told.append(told)
        return lambda: self._told.remove(told)

    def _say(self, sentence: str) -> None:
        self._loop.call_soon_threadsafe(self._tell, sentence)

    def _changed(self, runs: frozenset[str]) -> None:
        self._loop.call_soon_threadsafe(lambda: [told(runs) for told in list(self._told)])

    async def _until_run(self, run: str, holds: Callable[[Run | None], bool]) -> None:
        await self._until(run, lambda: holds(self._find(run)))

    async def _until(self, name: str, holds: Callable[[], bool]) -> None:
        changed = asyncio.Event()
        unsubscribe = self.subscribe(lambda runs: changed.set() if name in runs else None)
        try:
            while not holds():
                await changed.wait()
                changed.clear()
        finally:
            unsubscribe()

    def _find(self, run: str) -> Run | None:
        found = self.store.read([RunKey(run)]).get(RunKey(run))
        return found.doc if found is not None and isinstance(found.doc, Run) else None

    def _backfill(self, backfill: str) -> Backfill | None:
        found = self.store.read([BackfillKey(backfill)]).get(BackfillKey(backfill))
        return found.doc if found is not None and isinstance(found.doc, Backfill) else None

    def _run(self, run: str) -> Run:
        doc = self._find(run)
        if doc is None:
            raise NotFound(f"there is no run {run}")
        return doc

    def _plan(self, pipeline: str) -> Plan:
        from onward.deployed import Deployed

        settings = self._settings
        return Deployed(settings.workflows, settings.code_bucket, lambda: self.engine.plans).plan(pipeline)

    def _publish(self, topic: str, body: Mapping[str, Any]) -> None:
        Topic(self._settings.topic(topic)).publish([(msgspec.json.encode(body), {})])


def _has_stopped(doc: Backfill | None) -> bool:
    return doc is not None and (doc.stopped is not None or doc.ended is not None)
