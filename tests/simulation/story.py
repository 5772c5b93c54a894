"""One seed, one story: pipelines, starts, cancels and retries in a world with faults, then calm, then the end."""

from __future__ import annotations

import zlib

from msgspec.structs import replace

from onward.core.commands import Put
from onward.core.events import CancelRun, StartRun
from onward.core.naming import next_try, run_id
from onward.core.pipeline import DAY, HOUR, MINUTE
from onward.core.state import PlanKey, Run, RunKey, StoredPlan
from onward.ports import Write

from simulation.invariants import Violation
from simulation.pipelines import random_plan
from simulation.world import World


def tell(seed: int) -> World:
    """Run the story of this seed. Raises `Violation`, with the seed, when a promise is broken."""
    world = World(seed)
    try:
        _tell(world)
    except (Violation, AssertionError) as error:
        raise Violation(f"seed {seed}: {error}") from error
    return world


def _tell(world: World) -> None:
    rng = world.rng
    plans = [random_plan(rng, f"p{i}") for i in range(rng.randint(1, 2))]
    world.plans = {plan.name: plan for plan in plans}
    for plan in plans:
        stored = StoredPlan(zlib.compress(plan.encode()))
        world.store.commit([Write(Put(PlanKey(plan.name), stored), 0)])
    runs = []
    for number in range(rng.randint(1, 4)):
        plan = rng.choice(plans)
        run = run_id(plan.pipeline.name, "object", "landing", f"file{number}", "1")
        start = StartRun(run, plan.pipeline.name, plan.name)
        runs.append(start)
        for _ in range(rng.choice((1, 1, 2, 3))):
            world.send(start, rng.randint(0, HOUR))
        if rng.random() < 0.25:
            world.send(CancelRun(run), rng.randint(0, 2 * HOUR))
    _play(world, until=world.time + 4 * HOUR)
    for start in runs:
        found = world.store.read([RunKey(start.run)]).get(RunKey(start.run))
        ended = found is not None and isinstance(found.doc, Run) and found.doc.state.ended
        if ended and rng.random() < 0.5:
            again = replace(start, run=next_try(start.run))
            for _ in range(rng.choice((1, 2))):
                world.send(again, rng.randint(0, MINUTE))
    _play(world, until=world.time + 4 * HOUR)
    world.faults.off()
    _play(world, until=world.time + 20 * DAY)
    world.watcher.at_the_end()
    for doc, _ in world.store.docs.values():
        if isinstance(doc, Run):
            world.counts[doc.state.value] += 1
    _play(world, until=world.time + 60 * DAY)
    left = [key for key, (doc, _) in world.store.docs.items() if not isinstance(doc, StoredPlan)]
    if left or world.queue:
        raise Violation(f"never expired: {left} {world.queue[:3]}")


def _play(world: World, until: int) -> None:
    for _ in range(400_000):
        if not world.queue or world.queue[0][0] > until:
            break
        world.step()
    else:
        raise Violation("the world never comes to rest")
    world.time = max(world.time, until)

