"""One seed, one story: pipelines, starts, cancels and retries among faults, then calm, then the end.

Even seeds play in the cloud, odd ones on a laptop.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from msgspec.structs import replace
from onward.core.commands import Put
from onward.core.events import CancelRun, SetPaused, StartRun
from onward.core.naming import next_try, run_id
from onward.core.pipeline import DAY, HOUR, MINUTE, Pipeline
from onward.core.plan import Plan
from onward.core.state import PlanKey, Run, RunKey, StoredPlan
from onward.ports import Write

from simulation.cloud import Cloud
from simulation.laptop import Laptop
from simulation.pipelines import random_plan
from simulation.violation import Violation
from simulation.world import World


def tell(seed: int, show: Callable[[str], None] | None = None) -> World:
    """Run the story of this seed. Raises `Violation`, saying how to replay it, when a promise is broken."""
    world: World = Laptop(seed) if seed % 2 else Cloud(seed)
    world.show = show
    try:
        _tell(world)
    except Exception as error:
        where = type(world).__name__.lower()
        what = str(error) if isinstance(error, Violation) else repr(error)
        raise Violation(f"seed {seed} ({where}): {what}\n  replay: make simulate SEED={seed}") from error
    finally:
        world.close()
    return world


def keep(world: World, *plans: Plan) -> None:
    """Store the plans, as a deploy does."""
    for plan in plans:
        world.plans[plan.name] = plan
        stored = StoredPlan(zlib.compress(plan.encode()))
        world.store.commit([Write(Put(PlanKey(plan.name), stored), 0)])


def _limit_runs(world: World, pipeline: Pipeline) -> None:
    """Its deployed limits; now and then it is paused for a while, or few of its runs may begin in an hour."""
    rng, name = world.rng, pipeline.name
    if pipeline.max_active_runs is not None:
        world.limits[f"runs:{name}"] = pipeline.max_active_runs
    if rng.random() < 0.1:
        world.limits[f"hour:{name}"] = rng.choice((1, 3))
    if rng.random() < 0.2:
        at = world.time + rng.randint(0, HOUR)
        for told, paused in ((at, True), (at + rng.randint(0, 3 * HOUR), False)):
            for _ in range(rng.choice((1, 2))):
                world.send(SetPaused(name, paused, told), told - world.time + rng.randint(0, MINUTE))


def _tell(world: World) -> None:
    rng = world.rng
    plans: list[Plan] = []
    for number in range(rng.randint(1, 3)):
        plans.append(random_plan(rng, f"p{number}", [plan.pipeline.name for plan in plans]))
    keep(world, *plans)
    world.limits = {"pool:db": rng.choice((1, 2, 5)), "pool:api": rng.choice((1, 3))}
    for plan in plans:
        _limit_runs(world, plan.pipeline)
    runs = []
    for number in range(rng.choice((1, 2, 3, 4, 4, 8))):
        plan = rng.choice(plans)
        run = run_id(plan.pipeline.name, "object", "landing", f"file{number}", "1")
        start = StartRun(run, plan.pipeline.name, plan.name)
        runs.append(start)
        for _ in range(rng.choice((1, 1, 2, 3))):
            world.send(start, rng.randint(0, HOUR))
        if rng.random() < 0.25:
            world.send(CancelRun(run), rng.randint(0, 2 * HOUR))
    world.play(until=world.time + 4 * HOUR)
    for start in runs:
        found = world.store.read([RunKey(start.run)]).get(RunKey(start.run))
        ended = found is not None and isinstance(found.doc, Run) and found.doc.state.ended
        if ended and rng.random() < 0.5:
            again = replace(start, run=next_try(start.run))
            for _ in range(rng.choice((1, 2))):
                world.send(again, rng.randint(0, MINUTE))
            if rng.random() < 0.2:
                world.send(CancelRun(again.run), rng.randint(0, HOUR))
    world.play(until=world.time + 4 * HOUR)
    world.faults.off()
    world.play(until=world.time + 20 * DAY)
    world.watcher.at_the_end()
    world.play(until=world.time + 60 * DAY)
    if isinstance(world, Laptop):
        world.restart()  # which removes what had no timer any more
        world.play(until=world.time + DAY)
    world.watcher.when_all_has_expired()
