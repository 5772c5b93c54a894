"""Does a cluster live long enough for the steps that share it?

Its fuse burns whatever happens: a `max_age` that is shorter than what the steps may take, one after the
other, ends the cluster under a running job. (An `idle_ttl` that is shorter than a gap costs only time: the
next step has the cluster created again.)
"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import TopologicalSorter

from onward.core.pipeline import Cluster, Dataproc, Pipeline, Step, spelled
from onward.core.problems import Finding


def fuses(pipeline: Pipeline) -> Iterator[Finding]:
    """The clusters that may end before their last step, as far as time limits tell."""
    steps = {step.name: step for step in pipeline.steps}
    order = list(TopologicalSorter({name: step.needs for name, step in steps.items()}).static_order())
    for cluster in pipeline.clusters:
        needed = _longest([steps[name] for name in order], cluster)
        if needed > cluster.max_age:
            message = f"the steps that share it may take {spelled(needed)}, one after the other"
            hint = f"raise it from {spelled(cluster.max_age)}, or lower their `timeout`"
            yield Finding(("clusters", cluster.name, "max_age"), message, hint)


def _longest(steps: list[Step], cluster: Cluster) -> int:
    """From the start of the first step on the cluster to the end of the last, on the longest way."""
    age: dict[str, int] = {}
    longest = 0
    for step in steps:
        uses = isinstance(step.does, Dataproc) and step.does.cluster == cluster.name
        before = [age[need] for need in step.needs if need in age]
        if uses or before:
            age[step.name] = max(before, default=0) + (step.timeout or 0)
        if uses:
            longest = max(longest, age[step.name])
    return longest
