"""A cluster that may end under a running job is a problem, as far as time limits tell."""

from __future__ import annotations

import pytest
from onward.core.fuses import fuses
from onward.core.pipeline import HOUR, Cluster, Dataproc, Pipeline, Python, Step


def on(name: str, hours: float | None, *needs: str, cluster: str | None = "etl") -> Step:
    does = Dataproc("a.py", cluster=cluster) if cluster else Python("a.py", "f")
    return Step(name, does, needs, timeout=None if hours is None else int(hours * HOUR))


def said(*steps: Step, max_age: float = 6) -> list[str]:
    clusters = (Cluster("etl", max_age=int(max_age * HOUR)), Cluster("other"))
    return [
        f"{'.'.join(map(str, f.at))}: {f.message}; {f.hint}"
        for f in fuses(Pipeline("p", steps, clusters=clusters))
    ]


def test_a_cluster_must_outlive_the_steps_that_follow_each_other_on_it() -> None:
    assert said(on("a", 3), on("b", 3, "a")) == []
    assert said(on("b", 3.5, "a"), on("a", 3)) == [
        "clusters.etl.max_age: the steps that share it may take 6h30m, one after the other; "
        "raise it from 6h, or lower their `timeout`"
    ]


def test_what_runs_between_them_counts_too() -> None:
    (found,) = said(on("a", 3), on("between", 2, "a", cluster=None), on("b", 2, "between"))
    assert "may take 7h," in found


def test_what_runs_before_after_and_beside_them_does_not() -> None:
    before, after = on("before", 9, cluster=None), on("after", 9, "b", cluster=None)
    beside = on("beside", 9, "a", cluster="other")
    found = said(before, on("a", 3, "before"), on("b", 3, "a"), on("c", 6, "before"), after, beside)
    assert found == [
        "clusters.other.max_age: the steps that share it may take 9h, one after the other; "
        "raise it from 6h, or lower their `timeout`"
    ]


def test_what_runs_at_the_same_time_counts_once() -> None:
    assert said(on("a", 3), on("b", 3), on("c", 3, "a", "b")) == []


def test_steps_without_a_time_limit_tell_nothing() -> None:
    assert said(on("a", None), on("b", None, "a"), max_age=0.2) == []


@pytest.mark.parametrize(
    ("hours", "text"), [(30, "1d6h"), (49.75, "2d1h"), (12.5, "12h30m"), (6 + 1 / 3600, "6h1s")]
)
def test_a_time_is_told_as_it_is_written(hours: float, text: str) -> None:
    (found,) = said(on("a", hours))
    assert f"may take {text}," in found


def test_a_long_chain_is_no_trouble() -> None:
    steps = [on("s0", 1)] + [on(f"s{n}", 1 / 60, f"s{n - 1}") for n in range(1, 3_000)]
    assert len(said(*steps)) == 1
