"""The pipelines as the folder has them now: what a new run starts with."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from onward import catalog
from onward.artifacts import content_hash
from onward.core.errors import BadPipeline, NotFound
from onward.core.pipeline import Pipeline, followed
from onward.core.plan import Plan, compile_plan
from onward.core.problems import did_you_mean, listed
from onward.local.workflows import check_workflows
from onward.plans import Plans


class Deployed:
    """Reads the folder again when a file in it has changed, so that an edit counts from the next run on."""

    def __init__(self, workflows: Path, files: Path, plans: Plans, say: Callable[[str], None]) -> None:
        self._workflows = workflows
        self._files = files
        self._plans = plans
        self._say = say
        self._signature: object = None
        self._catalog = catalog.Catalog({}, {})
        self._compiled: dict[str, Plan] = {}
        self.followed: Collection[str] = ()
        """The pipelines for the end of whose runs others wait."""
        self._folders: dict[str, Path] = {}

    def refresh(self) -> None:
        """Take in what has changed. A pipeline with problems is reported, and harms no other."""
        signature = _signature(self._workflows)
        if signature == self._signature:
            return
        self._signature = signature
        self._catalog = catalog.read(self._workflows)
        self._compiled = {}
        self.followed = followed(self.pipelines.values())
        for problem in self._catalog.problems:
            self._say(str(problem))

    @property
    def pipelines(self) -> Mapping[str, Pipeline]:
        """The sound ones, by name."""
        return {name: entry.pipeline for name, entry in self._catalog.pipelines.items()}

    def limit(self, gate: str) -> int | None:
        """The size of a gate, see `core.gates`."""
        return self._catalog.limit(gate)

    def plan(self, name: str) -> Plan:
        """The plan of a pipeline, stored together with its files. Raises `NotFound` or `BadPipeline`."""
        plan = self._compiled.get(name)
        if plan is None:
            entry = self._catalog.pipelines.get(name)
            if entry is None:
                raise self._missing(name)
            check_workflows(entry)
            catalog.snapshot(entry, self._files)
            plan = compile_plan(entry.pipeline, self._catalog.env, entry.files)
            self._plans.add(plan)
            self._compiled[name] = plan
        return plan

    def _missing(self, name: str) -> NotFound | BadPipeline:
        folder = self._workflows / name
        problems = self._catalog.problems
        own = tuple(problem for problem in problems if Path(problem.file).is_relative_to(folder))
        if own:
            return BadPipeline(own)
        known = self._catalog.pipelines.keys()
        hint = did_you_mean(name, known) or (
            f"there are {listed(sorted(known))}" if known else "there are none"
        )
        return NotFound(f"no pipeline is named {name!r} in {self._workflows}; {hint}")

    def folder(self, plan: Plan) -> Path:
        """Where the files are that runs of this plan use."""
        folder = self._folders.get(plan.name)
        if folder is None:
            folder = self._folders[plan.name] = self._files / content_hash(plan.files)
        return folder


def _signature(where: Path) -> object:
    """Changes when a file below does."""
    found = []
    for folder, _, names in os.walk(where):
        for name in names:
            try:
                status = os.stat(os.path.join(folder, name))
            except OSError:
                continue
            found.append((folder, name, status.st_mtime_ns, status.st_size, status.st_ino))
    return sorted(found)
