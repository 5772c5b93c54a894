"""200 runs of one pipeline under `pool: 3`, with duplicates, crashes and late messages, in both worlds."""

from __future__ import annotations

import pytest
from onward.core.events import StartRun
from onward.core.naming import run_id
from onward.core.pipeline import DAY, MINUTE, SECOND, Pipeline, Python, Retry, Step
from onward.core.plan import compile_plan
from onward.core.state import RunState

from simulation.cloud import Cloud
from simulation.laptop import Laptop
from simulation.story import keep
from simulation.world import World

GATE = "pool:load.load"
PLAN = compile_plan(
    Pipeline("load", (Step("load", Python("load.py", "load"), retry=Retry(2), pool="~step", pool_size=3),))
)


@pytest.mark.parametrize("kind", [Cloud, Laptop])
def test_200_runs_share_three_slots_in_order_and_all_end(kind: type[World]) -> None:
    world = kind(7)
    faults = world.faults
    faults.off()
    faults.crash, faults.double, faults.late, faults.lost_bell, faults.job_failure = (
        0.005,
        0.5,
        0.2,
        0.05,
        0.1,
    )
    world.service.lengths = (10 * SECOND, MINUTE)
    world.limits[GATE] = 3
    keep(world, PLAN)
    for number in range(200):
        run = run_id("load", "object", "landing", f"{number}.csv", "1")
        world.send(StartRun(run, "load", PLAN.name), number * SECOND)
    most = 0
    for _ in range(600):  # the watcher looks at each change of the gate; here the jobs themselves are counted
        world.play(until=world.time + 30 * SECOND)
        most = max(most, len(world.service.alive()))
    faults.off()
    world.play(until=world.time + 3 * DAY)
    world.watcher.at_the_end()
    runs = [run for _, run in world.store.runs(limit=1_000)]
    assert len(runs) == 200
    assert {run.state for run in runs} <= {RunState.SUCCEEDED, RunState.FAILED}
    assert most == 3
    assert world.counts["crashes"] > 0
    order = world.watcher.gates.order[GATE]
    assert len(order) == len(set(order)) == 200
    world.close()
