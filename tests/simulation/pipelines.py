"""Random pipelines: mostly small, sometimes wide enough to need trees of helpers."""

from __future__ import annotations

from random import Random

from onward.core.pipeline import MINUTE, SECOND, Pipeline, Python, Retry, Step
from onward.core.plan import Plan, compile_plan


def random_plan(rng: Random, name: str) -> Plan:
    """A DAG in which each step needs some of those before it."""
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
    return compile_plan(Pipeline(name, tuple(_step(rng, step, needs[step]) for step in names)))


def _step(rng: Random, name: str, needs: tuple[str, ...]) -> Step:
    return Step(
        name,
        Python("steps.py", name),
        needs,
        retry=Retry(rng.choice((1, 1, 2, 3)), rng.choice((1, 30)) * SECOND, 5 * MINUTE),
        timeout=rng.choice((None, None, None, 2 * MINUTE, 30 * MINUTE)),
        expect_within=rng.choice((None, None, 20 * MINUTE)),
        outputs=(f"gs://work/{name}",) if rng.random() < 0.2 else (),
    )
