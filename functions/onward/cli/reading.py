"""Looking at runs without a runtime: the state is read while somebody else may be writing it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from onward.cli.places import Places
from onward.core.errors import NotFound, UserError
from onward.core.naming import job_name, try_number
from onward.core.plan import Plan, StepNode
from onward.core.problems import did_you_mean, listed, shown
from onward.core.state import Node, NodeKey, Succeeded
from onward.filling import Filling
from onward.local.buckets import Buckets
from onward.local.folder import StateFolder
from onward.local.objects import LocalObjects
from onward.plans import Plans
from onward.ports import Objects, Store
from onward.stores.sqlite import SqliteStore
from onward.views import Views

_LISTED = 5


class Log(NamedTuple):
    """What one attempt of a step printed; the file may not be there (yet)."""

    step: str
    attempt: int
    path: Path
    ended: bool


class Reading(ABC):
    """An open state folder."""

    def __init__(self, folder: StateFolder, store: Store, objects: Objects) -> None:
        self.folder = folder
        self.store = store
        self.views = Views(store, objects)
        self.filling = Filling(store, objects)

    @abstractmethod
    def begins(self, text: str) -> list[str]:
        """Some runs whose ids begin so, the latest first."""

    @abstractmethod
    def log(self, job: str, *, python: bool) -> Path:
        """Where the log of the job of this name is, or will be."""

    def find(self, text: str) -> str:
        """The run of this id, or of the only one that begins so: of its tries the newest. Raises NotFound."""
        found = self.begins(text) if text else []
        if text in found:
            return text
        if not found:
            raise NotFound(f"there is no run {shown(text)}; `onward runs` lists them")
        if len({run.partition("~")[0] for run in found}) > 1:
            others = ", ".join(found[:_LISTED]) + (", …" if len(found) > _LISTED else "")
            raise UserError(f"several runs begin with {shown(text)}: {others}")
        return max(found, key=try_number)

    def logs(self, run: str, step: str | None, attempt: int | None) -> list[Log]:
        """The logs of a run, or of one of its steps: of the last attempt, or of the one that is named."""
        plan = Plans(self.store).of_run(run)
        if plan is None:
            raise NotFound(f"there is no run {shown(run)}; `onward runs` lists them")
        names = [name for name, _ in plan.step_nodes()]
        if step is not None and not isinstance(plan.node(step), StepNode):
            hint = did_you_mean(step, names) or f"there are {listed(names)}"
            raise NotFound(f"run {run} has no step {shown(step)}; {hint}")
        return [
            log
            for name in ([step] if step else names)
            if (log := self._log(plan, run, name, attempt)) is not None
        ]

    def _log(self, plan: Plan, run: str, step: str, attempt: int | None) -> Log | None:
        node = self._node(run, step)
        while isinstance(node.phase, Succeeded) and node.phase.adopted:  # what it took over ran there
            run = node.phase.adopted
            node = self._node(run, step)
        attempt = attempt or node.attempt
        if not 1 <= attempt <= node.attempt:
            return None
        planned = plan.step_node(step)
        name = job_name(step, run, planned.number, attempt)
        path = self.log(name, python=planned.step.kind == "python")
        return Log(step, attempt, path, node.phase.ended or attempt < node.attempt)

    def _node(self, run: str, step: str) -> Node:
        key = NodeKey(run, step)
        found = self.store.read([key]).get(key)
        return found.doc if found is not None and isinstance(found.doc, Node) else Node()


class OwnReading(Reading):
    """What the embedded runtime has written."""

    def __init__(self, folder: StateFolder) -> None:
        self._sqlite = SqliteStore(folder.database, readonly=True)
        super().__init__(folder, self._sqlite, LocalObjects(folder.objects, Buckets(folder.buckets)))

    def begins(self, text: str) -> list[str]:
        """See `Reading`."""
        rows = self._sqlite.connection.execute(
            "SELECT run FROM runs WHERE substr(run, 1, length(?)) = ? ORDER BY started DESC, run LIMIT 100",
            (text, text),
        )
        return [run for (run,) in rows]

    def log(self, job: str, *, python: bool) -> Path:
        """See `Reading`."""
        return self.folder.logs / f"{job}.log" if python else self.folder.jobs / job / "log"

    def close(self) -> None:
        """Let go of the file."""
        self._sqlite.close()


@contextmanager
def reading(places: Places) -> Iterator[Reading]:
    """Raises NotFound when there is no state there. While the cloud path is at work, that is it."""
    folder = StateFolder(places.state)
    if (folder.root / "emulators").is_dir():
        from onward.cli.emulated import EmulatedReading

        if (emulated := EmulatedReading.of(folder)) is not None:
            yield emulated
            return
    if not folder.database.exists():
        raise NotFound(
            f"there are no runs in {places.state} yet; `{places.command('run')} PIPELINE` starts one"
        )
    opened = OwnReading(folder)
    try:
        yield opened
    finally:
        opened.close()
