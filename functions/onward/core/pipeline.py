"""What a pipeline is: one YAML file as frozen, checked data.

Only the loader builds these from a file; whatever holds a `Pipeline` may rely on every rule the loader
checks. Durations are microseconds. Strings marked *template* may hold `{{ }}` and are rendered late.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

ANNOUNCEMENTS = ("run_started", "run_ended", "run_late", "step_failed", "step_late", "object_absent")
PARAM_TYPES = ("string", "int", "float", "bool", "date", "datetime", "list")
MAX_INT = 2**63 - 1
"""The largest number that a file, a parameter or a template may give: what every store can hold."""

ON_FAILURE, ON_SUCCESS = "~on-failure", "~on-success"
"""What handlers are called as steps."""

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"))


def spelled(time: int) -> str:
    """A duration as a file has it, two units at most: 1d6h, 2h30m."""
    parts = []
    for unit, letter in _UNITS:
        count, time = divmod(time, unit)
        if count:
            parts.append(f"{count}{letter}")
    return "".join(parts[:2]) or "0s"


RUNS_PER_HOUR = 1_000


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
    exclude: tuple[str, ...] = ()
    """Globs of names that start nothing although they match."""
    min_size: int = 0
    """Bytes."""
    metadata: dict[str, str] = {}
    """What the object's own metadata must say."""


class Part(msgspec.Struct, frozen=True):
    """One of the patterns of a set, under the name that the file gives it."""

    name: str
    match: str


class ObjectsTrigger(msgspec.Struct, frozen=True, tag_field="on", tag="objects"):
    """Starts one run per complete set of objects. A set is what agrees in the captures `by`.

    It is complete when each part is there, or, where one of these is given: when `count` objects are, when
    the `marker` is, when all that the `manifest` lists are, or when nothing came for `quiet`.
    """

    bucket: str
    parts: tuple[Part, ...]
    by: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    count: int | None = None
    marker: str | None = None
    """A glob: the object whose arrival completes the set, such as `{date}/_SUCCESS`."""
    manifest: str | None = None
    """A glob: the object whose lines, or JSON list, name the set's objects."""
    quiet: int | None = None
    on_rewrite: str = "new_run"
    """Of an object that arrives after the set was complete: `new_run` or `ignore`."""


class BatchTrigger(msgspec.Struct, frozen=True, tag_field="on", tag="batch"):
    """Starts one run per `count` objects or per `window`, whichever comes first."""

    bucket: str
    match: tuple[str, ...]
    count: int
    window: int
    """Microseconds from the first object that waits."""
    by: tuple[str, ...] = ()
    """Captures that the objects of one batch agree in."""
    exclude: tuple[str, ...] = ()
    min_size: int = 0
    metadata: dict[str, str] = {}


class AbsentTrigger(msgspec.Struct, frozen=True, tag_field="on", tag="absent_by"):
    """Tells, once, that an object which is expected each day is not there at a time of that day."""

    at: str
    """`HH:MM`."""
    time_zone: str = "UTC"
    days: str = "*"
    """The day-of-week field of a cron expression: `*`, `mon-fri`, …"""
    bucket: str = ""
    match: tuple[str, ...] = ()
    """As of an object trigger; by default those of the pipeline's own."""
    params: dict[str, Any] = {}
    """*Template* values of the captures that the day gives, from `time`: by default `date` is the day."""
    on_absent: str | None = None
    """The pipeline of which a run starts; None: an alert event, no run."""


class MessageTrigger(msgspec.Struct, frozen=True, tag_field="on", tag="message"):
    """Starts one run per message of a topic; the attribute `key`, or the message's id, makes it the same."""

    topic: str
    filter: dict[str, str] = {}
    """Attributes that the message must have, with these values (`*`: any)."""
    params: dict[str, Any] = {}
    """*Template* values by parameter, from `data` and `attributes`; by default the body's own fields."""


class ScheduleTrigger(msgspec.Struct, frozen=True, tag_field="on", tag="schedule"):
    """Starts one run per time of a cron expression."""

    cron: str
    time_zone: str = "UTC"
    params: dict[str, Any] = {}
    """*Template* values by parameter, from `time`, the logical time in that zone."""
    catch_up: str = "last"
    """Of the times that passed while the embedded runtime was down: `all`, `last` or `none`."""


class PipelineTrigger(msgspec.Struct, frozen=True, tag_field="on", tag="pipeline"):
    """Starts one run when runs of other pipelines have ended: of one, or of all, joined on parameters."""

    pipelines: tuple[str, ...]
    states: tuple[str, ...] = ("succeeded",)
    params: dict[str, Any] = {}
    """*Template* values by parameter, from `params` of the ended run; by default those of the same name."""
    join: tuple[str, ...] = ()
    """Parameters that the runs of several pipelines must agree in."""


Trigger = (
    ObjectTrigger
    | ObjectsTrigger
    | BatchTrigger
    | AbsentTrigger
    | MessageTrigger
    | ScheduleTrigger
    | PipelineTrigger
)


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


class ForEach(msgspec.Struct, frozen=True):
    """Runs a step once per item of a list that is frozen when the step begins."""

    items: Any
    """A list, or a *template* of one (an upstream output, a parameter)."""
    objects: str | None = None
    """Instead of `items`: a *template* of a glob, whose objects are the items, by URI."""
    name: str = "item"
    """What templates call an item."""
    inner: ForEach | None = None
    """A list within each item; its templates may name the outer one. The items are all of the inner ones."""

    def names(self) -> tuple[str, ...]:
        """What templates call an item, the one within it, and its place in the list, from 0."""
        return (self.name, *(() if self.inner is None else (self.inner.name,)), "index")


class Allowance(msgspec.Struct, frozen=True):
    """How many items may fail: a number, or a share in percent."""

    items: int = 0
    percent: float | None = None

    def of(self, count: int) -> int:
        """The number of items out of `count`."""
        return self.items if self.percent is None else int(count * self.percent / 100)


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
    condition: str | None = None
    """`if`: a *template* whose value decides, when what it needs has ended, whether the step runs at all."""
    when: str = "success"
    """What its needs must have come to: `success`, `failure`, `all_done` or `always`."""
    for_each: ForEach | None = None
    max_parallel: int = 32
    """Items of a `for_each` that are under way at the same time."""
    allow_failures: Allowance = Allowance()
    unless_exists: str | None = None
    """Done without a job when all outputs are there: `exists`, or `newer` than what `inputs` name."""
    inputs: tuple[str, ...] = ()
    """*Templates* of object URIs that the outputs must not be older than."""
    pool: str | None = None
    """The pool of which it takes a slot while it has a job; `~step`: one of its own, of `pool_size`."""
    pool_size: int | None = None
    priority: int | None = None
    """Among those that wait for a slot: the higher first. None: the pipeline's."""

    @property
    def place(self) -> tuple[str, ...]:
        """Where a file has it."""
        handlers = {ON_FAILURE: ("on_failure",), ON_SUCCESS: ("on_success",)}
        return handlers.get(self.name, ("steps", self.name))

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
    triggers: tuple[Trigger, ...] = ()
    params: tuple[Param, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    max_active_runs: int | None = None
    on_conflict: str = "queue"
    """Of a run that starts while `max_active_runs` are under way: `queue`, `skip` or `cancel_running`."""
    max_runs_per_hour: int = RUNS_PER_HOUR
    priority: int = 0
    """Of its runs among those that wait, and of its steps that name none."""
    deadline: int | None = None
    """Microseconds a run may take; then it is cancelled and has failed."""
    expect_within: int | None = None
    """Microseconds after which a run that goes on is announced as late."""
    on_failure: Step | None = None
    """Runs when the run would fail, before it does."""
    on_success: Step | None = None
    announce: tuple[str, ...] = ()
    """What is announced as a CloudEvent: of `ANNOUNCEMENTS`."""

    @property
    def handlers(self) -> tuple[Step, ...]:
        """As the steps that they are in a plan."""
        given = ((ON_FAILURE, self.on_failure), (ON_SUCCESS, self.on_success))
        return tuple(replace(step, name=name) for name, step in given if step is not None)

    @property
    def with_handlers(self) -> tuple[Step, ...]:
        """All that has a job: the steps, then the handlers."""
        return self.steps + self.handlers

    def cluster(self, name: str | None) -> Cluster | None:
        """The ephemeral cluster of that name, if it is one of this pipeline's."""
        return next((cluster for cluster in self.clusters if cluster.name == name), None)

    def step(self, name: str) -> Step:
        """The step of that name; KeyError if there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)


def followed(pipelines: Iterable[Pipeline]) -> set[str]:
    """The pipelines for the end of whose runs others wait."""
    found = (each for pipeline in pipelines for each in pipeline.triggers)
    return {name for trigger in found if isinstance(trigger, PipelineTrigger) for name in trigger.pipelines}


def globs(trigger: Trigger) -> tuple[str, ...]:
    """The patterns of the objects that it waits for."""
    match trigger:
        case ObjectTrigger(match=patterns) | BatchTrigger(match=patterns) | AbsentTrigger(match=patterns):
            return patterns
        case ObjectsTrigger(parts=parts, marker=marker, manifest=manifest):
            return (*(part.match for part in parts), *filter(None, (marker, manifest)))
        case _:
            return ()


def topics(pipelines: Iterable[Pipeline]) -> set[str]:
    """The topics whose messages are waited for."""
    found = (each for pipeline in pipelines for each in pipeline.triggers)
    return {trigger.topic for trigger in found if isinstance(trigger, MessageTrigger)}


def watched(pipelines: Iterable[Pipeline]) -> list[str]:
    """The buckets whose objects are waited for."""
    found = {getattr(trigger, "bucket", "") for each in pipelines for trigger in each.triggers}
    return sorted(found - {""})
