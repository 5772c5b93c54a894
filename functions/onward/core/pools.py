"""The sizes of gates as they are deployed: those of `pools.yaml`, and what pipelines say themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from onward.core.pipeline import Pipeline, Step, SubRun
from onward.core.problems import Finding, did_you_mean, listed, shown

KINDS = ("dataflow", "dataproc", "workflow", "python")
"""A pool of such a name is that of all steps of the kind which name none."""


def assigned(pipeline: Pipeline, pools: Mapping[str, int]) -> Pipeline:
    """The pipeline with the pools of its steps' kinds."""
    kinds = [kind for kind in KINDS if kind in pools]
    if not kinds:
        return pipeline
    steps = (replace(step, pool=step.kind) if _takes(step, kinds) else step for step in pipeline.steps)
    return replace(pipeline, steps=tuple(steps))


def _takes(step: Step, kinds: list[str]) -> bool:
    return step.pool is None and step.kind in kinds


def unknown(pipeline: Pipeline, pools: Mapping[str, int]) -> Iterator[Finding]:
    """Pools that are not there."""
    handlers = ((key, step) for key in ("on_failure", "on_success") if (step := getattr(pipeline, key)))
    places = [(("steps", step.name), step) for step in pipeline.steps]
    for at, step in [*places, *(((key,), step) for key, step in handlers)]:
        if step.pool is None or step.pool == "~step" or step.pool in pools:
            continue
        hint = did_you_mean(step.pool, pools) or (
            f"there are {listed(sorted(pools))}" if pools else f"add `{step.pool}: 3` to pools.yaml"
        )
        yield Finding((*at, "pool"), f"there is no pool {shown(step.pool)}", hint)


def unfit(pipeline: Pipeline) -> Iterator[Finding]:
    """Limits that could not be kept, or mean nothing."""
    for step in pipeline.steps:
        if isinstance(step.does, SubRun) and step.pool is not None:
            # It would hold the slot that its own steps wait for.
            message = "a sub-run takes no slot: its own steps do"
            yield Finding(("steps", step.name, "pool"), message, "remove it, or set `max_active_runs` there")
    if pipeline.on_conflict != "queue" and pipeline.max_active_runs is None:
        message = "there is no conflict without a limit"
        yield Finding(("on_conflict",), message, "add `max_active_runs: 1`")


def limit(gate: str, pipelines: Mapping[str, Pipeline], pools: Mapping[str, int]) -> int | None:
    """The size of a gate, or of an hour of a pipeline's runs (see `gates`); None: nothing says any."""
    kind, _, name = gate.partition(":")
    owner, _, step = name.partition(".")
    pipeline = pipelines.get(owner)
    match kind:
        case "pool" if not step:
            return pools.get(name)
        case "pool" if pipeline is not None:
            return next((each.pool_size for each in pipeline.steps if each.name == step), None)
        case "runs" if pipeline is not None:
            return pipeline.max_active_runs
        case "hour" if pipeline is not None:
            return pipeline.max_runs_per_hour
        case _:
            return None
