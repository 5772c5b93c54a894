"""What was deployed: the pipelines of the functions' own archive, and where what their jobs need was put.

Everything is named by its content (`artifacts`) and kept, so a run goes on with what it began with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from onward.artifacts import definition_id, file_object, modules, ringing_object, template_object
from onward.core.errors import NotFound
from onward.core.pipeline import Pipeline, followed
from onward.core.plan import Plan, compile_plan
from onward.core.problems import did_you_mean, listed, shown
from onward.plans import Plans
from onward.services.settings import Bell

if TYPE_CHECKING:
    from onward.catalog import Catalog, Entry


class Deployed:
    """Reads the archive when a pipeline is first asked for. `code` is the bucket of the deployed files.

    `plans` are the engine's, which needs the services that need this: so they are asked for late. Definitions
    are told apart by the name of the `deployment`, as Workflows has one set of them for a project and region.
    `bell` is the full name of the topic on which PySpark jobs ring; none: they don't.
    """

    def __init__(
        self,
        workflows: Path,
        code: str,
        plans: Callable[[], Plans],
        deployment: str = "onward",
        bell: str = "",
    ) -> None:
        self._workflows = workflows
        self._code = code
        self._plans = plans
        self._deployment = deployment
        self._bell = bell
        self._compiled: dict[str, Plan] = {}

    @cached_property
    def catalog(self) -> Catalog:
        """The archive as it is. A pipeline with problems harms no other, but can't be started."""
        from onward import catalog

        return catalog.read(self._workflows)

    @property
    def pipelines(self) -> Mapping[str, Pipeline]:
        """The sound ones, by name."""
        return {name: entry.pipeline for name, entry in self.catalog.pipelines.items()}

    def followed(self, name: str) -> bool:
        """Whether another pipeline waits for the end of this one's runs.

        Most are not even named in another's file, and then no file is read as a pipeline.
        """
        if sum(name in text for text in self._texts) < 2:
            return False
        return name in self._followed

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        files = self._workflows.glob("*/pipeline.yaml")
        return tuple(file.read_text(errors="replace") for file in files)

    @cached_property
    def _followed(self) -> set[str]:
        return followed(self.pipelines.values())

    def limit(self, gate: str) -> int | None:
        """The size of a gate, see `core.gates`."""
        return self.catalog.limit(gate)

    def plan(self, name: str) -> Plan:
        """The plan of a pipeline, stored. Raises `NotFound`."""
        plan = self._compiled.get(name)
        if plan is None:
            entry = self._entry(name)
            plan = compile_plan(entry.pipeline, self.catalog.env, entry.files)
            self._plans().add(plan)
            self._compiled[name] = plan
        return plan

    def folder(self, name: str) -> Path:
        """Where the archive has the files of a pipeline, as an absolute path. Raises `NotFound`."""
        return self._entry(name).folder.resolve()

    def _entry(self, name: str) -> Entry:
        entry = self.catalog.pipelines.get(name)
        if entry is None:
            known = sorted(self.catalog.pipelines)
            hint = did_you_mean(name, known) or (f"there are {listed(known)}" if known else "there are none")
            raise NotFound(f"no pipeline named {shown(name)} is deployed; {hint}")
        return entry

    # For the services: see `services.settings`

    def file(self, run: str, name: str) -> str:
        """The URI of a job's file. Raises `NotFound`."""
        return f"gs://{self._code}/{file_object(self._files(run, name), name)}"

    def modules(self, run: str, main: str) -> list[str]:
        """The URIs of the Python files that a job's file can import. Raises `NotFound`."""
        files = self._files(run, main)
        return [f"gs://{self._code}/{file_object(files, name)}" for name in modules(files, main)]

    def bell(self) -> Bell | None:
        """How a PySpark main rings at its end, if the deployment has a topic for that."""
        return Bell(f"gs://{self._code}/{ringing_object()}", self._bell) if self._bell else None

    def template(self, run: str, name: str) -> str:
        """The URI of the spec of the Flex Template built from a Beam file. Raises `NotFound`."""
        return f"gs://{self._code}/{template_object(self._files(run, name), name)}"

    def definition(self, run: str, name: str) -> str:
        """The id of a Workflows definition. Raises `NotFound`."""
        return definition_id(self._files(run, name), name, self._deployment)

    def _files(self, run: str, name: str) -> Mapping[str, str]:
        plan = self._plans().of_run(run)
        if plan is None or name not in plan.files:
            raise NotFound(f"{shown(name)} is no file of the pipeline that run {run} follows")
        return plan.files
