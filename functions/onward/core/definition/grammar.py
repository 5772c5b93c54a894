"""The pipeline file: every key, its shape, and what an editor says about it.

The loader reads files by these tables, and `onward schema` prints them; nothing else knows a key.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from onward.core.definition.controls import FOR_EACH, Existence, PoolName, Share
from onward.core.definition.names import IDENTIFIER, NAME
from onward.core.definition.records import Field, Listing, Named, Record
from onward.core.definition.shapes import Call, Flag, Free, JobFile, Json, Span, Text, Whole, Word
from onward.core.definition.triggers import TRIGGER
from onward.core.pipeline import (
    ANNOUNCEMENTS,
    PARAM_TYPES,
    Cluster,
    Dataflow,
    Dataproc,
    Param,
    Pipeline,
    Python,
    Retry,
    Step,
    StepKind,
    SubRun,
    Workflow,
)

MAX_STEPS = 10_000
MAX_PARAMS = 200
MAX_CLUSTERS = 16


def _param(name: str, type: str = "", required: bool | None = None, **rest: Any) -> Param:  # noqa: A002
    return Param(name, type, "default" not in rest if required is None else required, **rest)


def _python(call: tuple[str, str], args: dict[str, Any] | None = None) -> Python:
    return Python(*call, args=args or {})


KINDS = {
    "dataflow": Field(
        Record(
            Dataflow,
            {
                "main": Field(JobFile(), "A Beam file of this folder."),
                "args": Field(Free(), "Pipeline options by name. Values may be templates."),
                "launch": Field(Free(), "The REST body of an existing template's launch."),
                "until": Field(Text("a step's name"), "Streaming: drained when this step has ended."),
                "detached": Field(Flag(), "Streaming: goes on by itself; done once it runs."),
            },
            one_of=("main", "launch"),
        ),
        "A Beam job on Dataflow.",
    ),
    "dataproc": Field(
        Record(
            Dataproc,
            {
                "pyspark": Field(JobFile(), "A PySpark file of this folder."),
                "spark_sql": Field(JobFile(), "A file of Spark SQL of this folder."),
                "args": Field(Listing(Json()), "Arguments in order. Values may be templates."),
                "properties": Field(Free(scalars=True), "Spark properties."),
                "cluster": Field(
                    Text(), "One of `clusters`, or an existing cluster; none: a serverless batch."
                ),
                "job": Field(Free(), "The REST body of a Dataproc job."),
                "batch": Field(Free(), "The REST body of a serverless batch."),
                "template": Field(Free(), "The REST body of a workflow template, run inline."),
            },
            one_of=("pyspark", "spark_sql", "job", "batch", "template"),
        ),
        "A job on Dataproc.",
    ),
    "workflow": Field(
        Record(
            Workflow,
            {
                "source": Field(JobFile(), "A Cloud Workflows definition of this folder.", required=True),
                "args": Field(Free(), "The execution's argument. Values may be templates."),
            },
        ),
        "An execution of Cloud Workflows.",
    ),
    "python": Field(
        Record(
            _python,
            {
                "call": Field(Call(), "`file.py:function`, with the file in this folder.", required=True),
                "args": Field(Free(), "Keyword arguments. Values may be templates."),
            },
        ),
        "A short Python function; its JSON-able result is the step's output.",
    ),
    "pipeline": Field(
        Record(
            SubRun,
            {
                "pipeline": Field(NAME, "The other pipeline's name.", required=True),
                "params": Field(Free(), "Its parameters. Values may be templates."),
            },
            short="pipeline",
        ),
        "A run of another pipeline.",
    ),
}


def _step(name: str, **fields: Any) -> Step:
    kinds: list[StepKind] = [fields.pop(kind) for kind in KINDS if kind in fields]
    if "if" in fields:
        fields["condition"] = fields.pop("if")
    if "pool" in fields:
        fields["pool"], fields["pool_size"] = fields["pool"]
    return Step(name, kinds[0] if kinds else Python("", ""), **fields)


def _pipeline(pipeline: str, **fields: Any) -> Pipeline:
    triggers = fields.pop("trigger", ())
    return Pipeline(pipeline, triggers=triggers, **fields)


PARAM = Record(
    _param,
    {
        "type": Field(Word(PARAM_TYPES), "The parameter's type.", required=True),
        "default": Field(Json(), "Its value when none is given."),
        "required": Field(Flag(), "Whether it must be given; by default, if it has no default."),
        "description": Field(Text()),
    },
    short="type",
)

RETRY = Record(
    Retry,
    {
        "attempts": Field(Whole(1, 100), "How often the step is tried."),
        "backoff": Field(Span("0s", "1d"), "The wait before the second attempt; it doubles each time."),
        "max_backoff": Field(Span("0s", "7d"), "The longest wait."),
    },
)

STEP = Record(
    _step,
    KINDS
    | {
        "needs": Field(Listing(Text("a step's name")), "Steps that must end before this one begins."),
        "retry": Field(RETRY, "What happens when an attempt fails."),
        "timeout": Field(Span("1s", "365d"), "How long an attempt may take."),
        "expect_within": Field(Span("1s", "365d"), "When to look at a job that has not reported."),
        "outputs": Field(Listing(Text("an object's URI")), "Objects that exist when the step has succeeded."),
        "resources": Field(Free(scalars=True), "What the job gets: the service's own options."),
        "if": Field(Text("a template"), "Whether the step runs at all: a template of true or false."),
        "when": Field(Word(("success", "failure", "all_done", "always")), "What its needs must come to."),
        "for_each": Field(FOR_EACH, "Once per item of a list."),
        "max_parallel": Field(Whole(1, 1_000), "Items under way at the same time; by default 32."),
        "allow_failures": Field(Share(), 'Items that may fail: a number, or a share such as "5%".'),
        "unless_exists": Field(Existence(), "Done without a job when the outputs are there."),
        "inputs": Field(Listing(Text("an object's URI")), "What outputs must be `newer` than."),
        "pool": Field(PoolName(), "A pool of pools.yaml, or the size of one of its own."),
        "priority": Field(Whole(-100, 100), "Among those that wait for a slot: the higher first."),
    },
    one_of=tuple(KINDS),
)

HANDLER = Record(
    partial(_step, "~handler"),
    KINDS | {key: STEP.fields[key] for key in ("retry", "timeout", "resources", "pool", "priority")},
    one_of=tuple(KINDS),
)

CLUSTER = Record(
    Cluster,
    {
        "workers": Field(Whole(0, 10_000), "Primary workers."),
        "autoscaling": Field(Text(), "The name of an autoscaling policy."),
        "idle_ttl": Field(Span("5m", "14d"), "Deleted after this long without a job."),
        "max_age": Field(Span("10m", "14d"), "Deleted after this long in any case."),
        "cluster": Field(Free(), "The REST body of the cluster, for all that has no short form."),
    },
)

PIPELINE = Record(
    _pipeline,
    {
        "pipeline": Field(NAME, "The pipeline's name.", required=True),
        "description": Field(Text(), "What it is for."),
        "trigger": Field(TRIGGER, "What starts a run."),
        "params": Field(Named(PARAM, IDENTIFIER, MAX_PARAMS), "Typed parameters of a run."),
        "steps": Field(Named(STEP, NAME, MAX_STEPS, filled=True), "What a run does.", required=True),
        "clusters": Field(
            Named(CLUSTER, NAME, MAX_CLUSTERS), "Clusters that live as long as a run needs them."
        ),
        "max_active_runs": Field(Whole(1, 1_000), "Runs under way at the same time."),
        "on_conflict": Field(Word(("queue", "skip", "cancel_running")), "Of a run that starts beyond that."),
        "max_runs_per_hour": Field(Whole(1, 100_000), "The excess waits; by default 1,000."),
        "priority": Field(Whole(-100, 100), "Of its runs among those that wait."),
        "deadline": Field(Span("1s", "365d"), "How long a run may take."),
        "expect_within": Field(Span("1s", "365d"), "When a run that goes on is announced as late."),
        "on_failure": Field(HANDLER, "Runs when the run fails."),
        "on_success": Field(HANDLER, "Runs when the run succeeds."),
        "announce": Field(Listing(Word(ANNOUNCEMENTS), single=True), "What is published as CloudEvents."),
    },
)
