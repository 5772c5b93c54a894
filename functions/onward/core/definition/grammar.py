"""The pipeline file: every key, its shape, and what an editor says about it.

The loader reads files by these tables, and `onward schema` prints them; nothing else knows a key.
"""

from __future__ import annotations

from typing import Any

from onward.core.definition.records import Field, Listing, Named, Record
from onward.core.definition.shapes import Call, Flag, Free, JobFile, Json, Span, Text, Whole, Word
from onward.core.pipeline import (
    PARAM_TYPES,
    Cluster,
    Dataflow,
    Dataproc,
    ObjectTrigger,
    Param,
    Pipeline,
    Python,
    Retry,
    Step,
    StepKind,
    SubRun,
    Trigger,
    Workflow,
)

MAX_STEPS = 10_000
MAX_PARAMS = 200
MAX_CLUSTERS = 16

NAME = Text(
    wants="a name",
    pattern="[a-z][a-z0-9_-]{0,62}",
    hint="a letter, then up to 62 of a-z, 0-9, `-` and `_`",
)
IDENTIFIER = Text(
    wants="a parameter's name",
    pattern="[a-z][a-z0-9_]{0,62}",
    hint="a letter, then up to 62 of a-z, 0-9 and `_`",
)


def _param(name: str, type: str = "", required: bool | None = None, **rest: Any) -> Param:  # noqa: A002
    return Param(name, type, "default" not in rest if required is None else required, **rest)


def _trigger(object: ObjectTrigger | None = None) -> Trigger:  # noqa: A002 - the file's own key
    return object or ObjectTrigger("", ())


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
    return Step(name, kinds[0] if kinds else Python("", ""), **fields)


def _pipeline(pipeline: str, **fields: Any) -> Pipeline:
    return Pipeline(pipeline, **fields)


OBJECT = Record(
    ObjectTrigger,
    {
        "bucket": Field(Text(), "The bucket's name; may use `env`.", required=True),
        "match": Field(
            Listing(Text(), single=True, filled=True),
            "Globs over the object's name; {name} captures a parameter.",
            required=True,
        ),
    },
)

TRIGGER = Record(
    _trigger,
    {"object": Field(OBJECT, "An object that arrives in a bucket starts a run.")},
    one_of=("object",),
)

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
        "needs": Field(Listing(Text("a step's name")), "Steps that must succeed before this one."),
        "retry": Field(RETRY, "What happens when an attempt fails."),
        "timeout": Field(Span("1s", "365d"), "How long an attempt may take."),
        "expect_within": Field(Span("1s", "365d"), "When to look at a job that has not reported."),
        "outputs": Field(Listing(Text("an object's URI")), "Objects that exist when the step has succeeded."),
        "resources": Field(Free(scalars=True), "What the job gets: the service's own options."),
    },
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
    },
)
