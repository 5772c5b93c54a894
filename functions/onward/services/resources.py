"""A step's `resources` in each service's own words.

A target lists the resource names that a kind of job takes, each with its place in the service's REST body.
Names that a target lacks are a mistake in a step, and left out when they come from the deployment's settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from onward.core.errors import Refused
from onward.core.pipeline import Dataflow, Dataproc, Step, Workflow
from onward.core.problems import did_you_mean, listed, shown
from onward.services.settings import Settings

PLACE = ("project", "region")
SPARK = {
    "driver_cores": "spark.driver.cores",
    "driver_memory": "spark.driver.memory",
    "executor_cores": "spark.executor.cores",
    "executor_memory": "spark.executor.memory",
    "workers": "spark.executor.instances",
    "max_workers": "spark.dynamicAllocation.maxExecutors",
}


class Target(NamedTuple):
    """A kind of job: what it is called, and where each resource goes in its REST body."""

    title: str
    fields: Mapping[str, str]
    spark: bool = False
    """Takes Spark's properties too, by short name or as `spark.…`."""


_EXECUTION = "environmentConfig.executionConfig."
_DATAFLOW = {
    "workers": "numWorkers",
    "max_workers": "maxWorkers",
    "machine_type": "machineType",
    "disk_size_gb": "diskSizeGb",
    "network": "network",
    "subnetwork": "subnetwork",
    "ip_configuration": "ipConfiguration",
    "service_account": "serviceAccountEmail",
    "temp_location": "tempLocation",
    "kms_key": "kmsKeyName",
    "worker_region": "workerRegion",
    "worker_zone": "workerZone",
    "streaming_engine": "enableStreamingEngine",
}

CLUSTER_JOB = Target("a job on a Dataproc cluster", {}, spark=True)
BATCH = Target(
    "a Dataproc batch",
    {
        "network": f"{_EXECUTION}networkUri",
        "subnetwork": f"{_EXECUTION}subnetworkUri",
        "service_account": f"{_EXECUTION}serviceAccount",
        "kms_key": f"{_EXECUTION}kmsKey",
        "staging_bucket": f"{_EXECUTION}stagingBucket",
        "ttl": f"{_EXECUTION}ttl",
        "version": "runtimeConfig.version",
        "container_image": "runtimeConfig.containerImage",
    },
    spark=True,
)
TEMPLATE = Target("a Dataproc workflow template", {})
FLEX = Target(
    "a Dataflow Flex Template",
    _DATAFLOW
    | {
        "staging_location": "stagingLocation",
        "autoscaling": "autoscalingAlgorithm",
        "sdk_container_image": "sdkContainerImage",
        "launcher_machine_type": "launcherMachineType",
    },
)
CLASSIC = Target("a classic Dataflow template", _DATAFLOW)
_GCE = "config.gceClusterConfig."
CLUSTER = Target(
    "a Dataproc cluster",
    {
        "network": f"{_GCE}networkUri",
        "subnetwork": f"{_GCE}subnetworkUri",
        "service_account": f"{_GCE}serviceAccount",
        "kms_key": "config.encryptionConfig.gcePdKmsKeyName",
        "staging_bucket": "config.configBucket",
    },
)
EXECUTION = Target("a Cloud Workflows execution", {"call_log_level": "callLogLevel"})


def target(step: Step) -> Target | None:
    """What the step's job is in the cloud; None where resources are not the service's."""
    match step.does:
        case Dataproc(template=template) if template:
            return TEMPLATE
        case Dataproc() as does:
            return BATCH if is_batch(does) else CLUSTER_JOB
        case Dataflow(launch=launch):
            return CLASSIC if is_classic(launch) else FLEX
        case Workflow():
            return EXECUTION
        case _:
            return None


def is_batch(does: Dataproc) -> bool:
    """Whether it runs without a cluster: a short form that names none, or a `batch` body."""
    return bool(does.batch) or (does.cluster is None and not does.job)


def is_classic(launch: Mapping[str, Any]) -> bool:
    """Whether a `launch` body is a LaunchTemplateRequest, not a LaunchFlexTemplateParameter."""
    return not launch.keys().isdisjoint(("gcsPath", "gcs_path", "dynamicTemplate", "dynamic_template"))


def problems(step: Step) -> tuple[str, ...]:
    """What is wrong with a step's resources, one sentence each. Needs no Google client."""
    kind = target(step)
    if kind is None:
        return ()
    known = [*PLACE, *kind.fields, *(SPARK if kind.spark else ())]
    found = []
    for name, value in step.resources.items():
        if name not in known and not (kind.spark and name.startswith("spark.")):
            hint = did_you_mean(name, known) or f"it takes {listed(sorted(known))}"
            found.append(f"`resources`: {kind.title} takes no {shown(name)}; {hint}")
        elif name in PLACE and "{{" in str(value):
            # A job whose submit was interrupted is looked for there, when nothing is rendered any more.
            found.append(f"`resources`: {shown(name)} can't be a template; write the {name} itself")
    return tuple(found)


def fields(kind: Target, settings: Settings, resources: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a REST body that settings and resources make."""
    body: dict[str, Any] = {}
    for name, value in {**settings.defaults(resources), **resources}.items():
        if name in kind.fields:
            *path, last = kind.fields[name].split(".")
            place = body
            for key in path:
                place = place.setdefault(key, {})
            place[last] = value
    return body


def spark_properties(resources: Mapping[str, Any]) -> dict[str, str]:
    """The Spark properties that resources make."""
    return {
        SPARK.get(name, name): text(value)
        for name, value in resources.items()
        if name in SPARK or name.startswith("spark.")
    }


def check(step: Step) -> None:
    """Raises `Refused` with every problem of the step's resources."""
    if found := problems(step):
        raise Refused("; ".join(found))


def text(value: Any) -> str:
    """A value as an argument: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
