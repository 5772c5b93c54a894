"""Random pipelines: mostly small, sometimes wide enough to need trees of helpers."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from msgspec.structs import replace
from onward.core.pipeline import (
    ANNOUNCEMENTS,
    HOUR,
    MINUTE,
    SECOND,
    Allowance,
    Cluster,
    Dataproc,
    ForEach,
    Pipeline,
    Python,
    Retry,
    Step,
    SubRun,
)
from onward.core.plan import Plan, compile_plan

WHEN = ("success",) * 7 + ("failure", "all_done", "always")


def random_plan(rng: Random, name: str, pipelines: Sequence[str] = ()) -> Plan:
    """A DAG in which each step needs some of those before it; some run one of the other pipelines."""
    shape = rng.random()
    if shape < 0.08:
        names = ["first", *(f"w{i}" for i in range(rng.choice((33, 40, 70)))), "last"]
        needs = {names[0]: (), names[-1]: tuple(names[1:-1])} | dict.fromkeys(names[1:-1], ("first",))
    elif shape < 0.11:
        others = [f"o{i}" for i in range(34)]
        needs = {"hub": (), **dict.fromkeys(others, ())}
        needs |= {f"b{i}": ("hub", other) for i, other in enumerate(others)}
        names = list(needs)
    elif shape < 0.3:
        names = [f"s{i}" for i in range(rng.randint(1, 6))]
        needs = {step: tuple(names[i - 1 : i]) if i else () for i, step in enumerate(names)}
    else:
        names = [f"s{i}" for i in range(rng.randint(2, 12))]
        needs = {
            step: tuple(rng.sample(names[:i], rng.randint(0, min(i, 4)))) for i, step in enumerate(names)
        }
    clusters = tuple(Cluster(name) for name in ("etl", "ml")[: rng.choice((0, 0, 1, 2))])
    steps = [_step(rng, step, needs[step], clusters) for step in names]
    if rng.random() < 0.5:
        steps = [_pooled(rng, step) for step in steps]
    if pipelines and rng.random() < 0.5:
        number = rng.randrange(len(steps))
        steps[number] = replace(steps[number], does=SubRun(rng.choice(pipelines)), outputs=(), pool=None)
    pipeline = Pipeline(
        name,
        tuple(steps),
        clusters=clusters,
        deadline=rng.choice((*[None] * 6, 20 * MINUTE, 2 * HOUR)),
        expect_within=rng.choice((None, None, 30 * MINUTE)),
        on_failure=_handler(rng),
        on_success=_handler(rng),
        announce=rng.choice(((), ANNOUNCEMENTS)),
        max_active_runs=rng.choice((*[None] * 6, 1, 2)),
        on_conflict=rng.choice(("queue", "queue", "skip", "cancel_running")),
    )
    return compile_plan(pipeline)


def _pooled(rng: Random, step: Step) -> Step:
    if rng.random() < 0.3:
        return step
    own = rng.random() < 0.2
    size = rng.choice((1, 2)) if own else None
    pool = "~step" if own else rng.choice(("db", "api"))
    return replace(step, pool=pool, pool_size=size, priority=rng.choice((None, None, -5, 5)))


def _step(rng: Random, name: str, needs: tuple[str, ...], clusters: tuple[Cluster, ...]) -> Step:
    on_cluster = clusters and rng.random() < 0.4
    outputs = (f"gs://work/{name}",) if rng.random() < 0.2 else ()
    when = rng.choice(WHEN) if needs else "success"
    step = Step(
        name,
        Dataproc("job.py", cluster=rng.choice(clusters).name) if on_cluster else Python("steps.py", name),
        needs,
        retry=Retry(rng.choice((1, 1, 2, 3)), rng.choice((1, 30)) * SECOND, 5 * MINUTE),
        timeout=rng.choice((None, None, None, 2 * MINUTE, 30 * MINUTE)),
        expect_within=rng.choice((None, None, 20 * MINUTE)),
        outputs=outputs,
        when=when,
        condition=_condition(rng, needs),
        unless_exists="exists" if outputs and rng.random() < 0.3 else None,
    )
    if when == "always" or rng.random() >= 0.2:
        return step
    return replace(step, unless_exists=None, **_loop(rng))  # validate refuses the two together


def _condition(rng: Random, needs: tuple[str, ...]) -> str | None:
    roll = rng.random()
    if roll > 0.2:
        return None
    if needs and roll > 0.12:
        return f"{{{{ steps.{rng.choice(needs)}.state == 'succeeded' }}}}"
    return rng.choice(("true", "true", "false", "false", "perhaps"))


def _handler(rng: Random) -> Step | None:
    if rng.random() < 0.7:
        return None
    retry = Retry(rng.choice((1, 2)), 30 * SECOND)
    return Step("~handler", Python("steps.py", "tell"), retry=retry, timeout=rng.choice((None, 2 * MINUTE)))


def _loop(rng: Random) -> dict[str, Any]:
    """A list, now and then with more lanes than one transition may touch."""
    many = rng.random() < 0.05
    return {
        "for_each": ForEach(list(range(rng.choice((40, 90)) if many else rng.randint(0, 7)))),
        "max_parallel": rng.choice((33, 70)) if many else rng.randint(1, 3),
        "allow_failures": rng.choice((Allowance(), Allowance(), Allowance(2), Allowance(percent=50.0))),
    }
