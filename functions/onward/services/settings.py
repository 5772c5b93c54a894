"""Where jobs run and as whom: a deployment's settings, and what a step says instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from onward.core.pipeline import Step

Locate = Callable[[str, str], str]
"""(run, file of the pipeline's folder) → what the deployment made of it, in the version that the run began
with: the URI of the Flex Template's spec, or the id of the Workflows definition. Raises `NotFound`."""


class Bell(NamedTuple):
    """The URI of `onward.ringing`, and the full name of the topic that it rings on."""

    program: str
    topic: str


class Files(Protocol):
    """Where the deployment put the files of jobs, in the version that the run began with."""

    def file(self, run: str, name: str) -> str:
        """The URI of a file of the pipeline's folder. Raises `NotFound`."""

    def modules(self, run: str, main: str) -> Sequence[str]:
        """The URIs of the Python files that this one can import. Raises `NotFound`."""

    def bell(self) -> Bell | None:
        """How a PySpark main rings at its end; None: it does not."""


class Settings(msgspec.Struct, frozen=True):
    """A deployment's defaults. Empty means: the service's own default."""

    project: str
    region: str
    network: str = ""
    subnetwork: str = ""
    service_account: str = ""
    temp_location: str = ""
    staging_location: str = ""
    staging_bucket: str = ""
    kms_key: str = ""
    labels: dict[str, str] = {}
    """For billing: on every job, beside Onward's own."""

    def place(self, step: Step) -> tuple[str, str]:
        """The project and region of a step's jobs."""
        return (
            str(step.resources.get("project", self.project)),
            str(step.resources.get("region", self.region)),
        )

    def defaults(self, resources: Mapping[str, Any]) -> dict[str, str]:
        """What is set, under the names that resources have; a step's own network replaces both."""
        found = msgspec.structs.asdict(self)
        del found["labels"]
        if resources.keys() & {"network", "subnetwork"}:
            del found["network"], found["subnetwork"]
        elif self.subnetwork:
            del found["network"]
        return {name: value for name, value in found.items() if value}
