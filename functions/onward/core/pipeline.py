"""What a pipeline is: one YAML file as frozen, checked data.

Only the loader builds these from a file; whatever holds a `Pipeline` may rely on every rule the loader
checks. Durations are microseconds. Strings marked *template* may hold `{{ }}` and are rendered late.
"""

from __future__ import annotations

from typing import Any

import msgspec

PARAM_TYPES = ("string", "int", "float", "bool", "date", "datetime", "list")
MAX_INT = 2**63 - 1
"""The largest number that a file, a parameter or a template may give: what every store can hold."""

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Param(msgspec.Struct, frozen=True):
    """A typed parameter of a run. A parameter without a default must be given."""

    name: str
    type: str
    required: bool = True
    default: Any = None
    description: str = ""


class ObjectTrigger(msgspec.Struct, frozen=True, tag_field="on", tag="object"):
    """Starts one run per object generation whose name matches."""

    bucket: str
    """The bucket's name; the loader has rendered what the file says of `env`."""
    match: tuple[str, ...]
    """Globs over the object's name; `{name}` captures a parameter, `*` stays within a part of the path."""


Trigger = ObjectTrigger


class Retry(msgspec.Struct, frozen=True):
    """How often an attempt is made, and how long to wait before the next one.

    The wait before attempt n+1 is `min(backoff * 2**(n-1), max_backoff)`, give or take a quarter.
    """

    attempts: int = 1
    backoff: int = 30 * SECOND
    max_backoff: int = 10 * MINUTE


class Dataflow(msgspec.Struct, frozen=True, tag_field="kind", tag="dataflow"):
    """A Beam job: a Beam file of the pipeline's folder, or an existing template under `launch`."""

    main: str | None = None
    args: dict[str, Any] = {}
    """*Template* values, by option name."""
    launch: dict[str, Any] = {}
    """The service's own REST body (LaunchFlexTemplateParameter), for all that has no short form."""
    until: str | None = None
    """A streaming job: drained when this step has ended, however it did."""
    detached: bool = False
    """A streaming job: the step has succeeded once the job runs, and the job goes on without the run."""


class Dataproc(msgspec.Struct, frozen=True, tag_field="kind", tag="dataproc"):
    """One of `pyspark`, `spark_sql` (files of the folder), `job`, `batch` or `template` (REST bodies)."""

    pyspark: str | None = None
    spark_sql: str | None = None
    args: tuple[Any, ...] = ()
    """*Template* values, in order."""
    properties: dict[str, Any] = {}
    cluster: str | None = None
    """A cluster of the pipeline's `clusters`, or an existing one by name; none means a serverless batch."""
    job: dict[str, Any] = {}
    batch: dict[str, Any] = {}
    template: dict[str, Any] = {}
    """A WorkflowTemplate, instantiated inline."""


class Workflow(msgspec.Struct, frozen=True, tag_field="kind", tag="workflow"):
    """A Cloud Workflows execution of a definition in the pipeline's folder."""

    source: str
    args: dict[str, Any] = {}


class Python(msgspec.Struct, frozen=True, tag_field="kind", tag="python"):
    """A short callable, `file.py:function`, called with keyword arguments; what it returns is the output."""

    file: str
    function: str
    args: dict[str, Any] = {}


class SubRun(msgspec.Struct, frozen=True, tag_field="kind", tag="pipeline"):
    """A run of another pipeline; its end is the step's."""

    pipeline: str
    params: dict[str, Any] = {}
    """*Template* values, by parameter."""


class DeleteCluster(msgspec.Struct, frozen=True, tag_field="kind", tag="cluster"):
    """Compiled, not written: deletes an ephemeral cluster after its last use."""

    cluster: str


class Drain(msgspec.Struct, frozen=True, tag_field="kind", tag="drain"):
    """Compiled, not written: drains the streaming job of another step."""

    step: str


StepKind = Dataflow | Dataproc | Workflow | Python | SubRun | DeleteCluster | Drain


class Step(msgspec.Struct, frozen=True):
    """A node the user wrote."""

    name: str
    does: StepKind
    needs: tuple[str, ...] = ()
    retry: Retry = Retry()
    timeout: int | None = None
    """Microseconds an attempt may take; then its job is cancelled and the attempt has failed."""
    expect_within: int | None = None
    """Microseconds after which the first status check of a job that did not report is due."""
    outputs: tuple[str, ...] = ()
    """*Templates* of object URIs, `*` allowed, that exist when the step has succeeded."""
    resources: dict[str, Any] = {}

    @property
    def kind(self) -> str:
        """The tag of what it does: the service that it is for."""
        return str(self.does.__struct_config__.tag)


class Cluster(msgspec.Struct, frozen=True):
    """An ephemeral Dataproc cluster shared by steps of a run."""

    name: str
    workers: int = 2
    autoscaling: str | None = None
    idle_ttl: int = 10 * MINUTE
    max_age: int = 6 * HOUR
    cluster: dict[str, Any] = {}


class Pipeline(msgspec.Struct, frozen=True):
    """A DAG of steps, what starts it, and what it may be started with."""

    name: str
    steps: tuple[Step, ...]
    """In the order of the file."""
    description: str = ""
    trigger: Trigger | None = None
    params: tuple[Param, ...] = ()
    clusters: tuple[Cluster, ...] = ()

    def cluster(self, name: str | None) -> Cluster | None:
        """The ephemeral cluster of that name, if it is one of this pipeline's."""
        return next((cluster for cluster in self.clusters if cluster.name == name), None)

    def step(self, name: str) -> Step:
        """The step of that name; KeyError if there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)
