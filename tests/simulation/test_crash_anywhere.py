"""A crash at every single call, one after the other: each is mended at once, without waiting for the net."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from onward.core.events import CancelRun, StartRun
from onward.core.naming import run_id
from onward.core.pipeline import HOUR, MINUTE, SECOND, ForEach, Pipeline, Python, Retry, Step
from onward.core.plan import compile_plan

from simulation.cloud import Cloud
from simulation.laptop import Laptop
from simulation.story import keep
from simulation.world import START, World

RUN = run_id("p", "object", "landing", "x.csv", "1")
SOON = 15 * MINUTE
"""Jobs take ten seconds each and a crashed event comes again within 90; the net would need an hour."""


def step(name: str, *needs: str, retry: Retry | None = None, outputs: tuple[str, ...] = ()) -> Step:
    return Step(name, Python("steps.py", name), needs, retry=retry or Retry(), outputs=outputs)


CHAIN = (step("a"), step("b", "a", outputs=("gs://work/b",)), step("c", "b"))
DIAMOND = (step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))
WIDE = (step("a"), *(step(f"s{n}", "a") for n in range(34)), step("z", *(f"s{n}" for n in range(34))))
LIST = (
    step("a"),
    replace(step("m", "a"), for_each=ForEach(list(range(5))), max_parallel=2),
    step("z", "m"),
)
SKIPPED = (
    step("a"),
    replace(step("b", "a"), condition="{{ steps.a.state == 'failed' }}"),
    step("c", "b"),
    step("d", "c"),
    replace(step("e", "b", "d"), when="all_done"),
)
PIPELINES = {"chain": CHAIN, "diamond": DIAMOND, "wide": WIDE, "list": LIST, "skipped": SKIPPED}


def calm(kind: type[World], steps: tuple[Step, ...]) -> World:
    """A world in which nothing goes wrong and every job takes ten seconds."""
    world = kind(1)
    world.faults.off()
    world.service.lengths = (10 * SECOND,)
    if isinstance(world, Laptop):
        world.downtimes = (SECOND,)
    keep(world, compile_plan(Pipeline("p", steps)))
    (plan,) = world.plans
    world.send(StartRun(RUN, "p", plan))
    return world


def play(world: World, crash_at: int | None) -> World:
    world.faults.crash_at = crash_at
    world.play(until=START + 2 * HOUR)
    world.watcher.at_the_end()
    ((_, run),) = world.store.runs()
    assert run.ended is not None
    assert run.ended - START < SOON, f"the run took {(run.ended - START) / SECOND} s"
    world.close()
    return world


@pytest.mark.parametrize("kind", [Cloud, Laptop])
@pytest.mark.parametrize("name", PIPELINES)
def test_a_crash_at_any_call_is_mended_at_once_by_the_event_that_comes_again(
    kind: type[World], name: str
) -> None:
    whole = play(calm(kind, PIPELINES[name]), crash_at=None)
    assert whole.counts["succeeded"] == 1
    every = max(1, whole.calls // 150)
    for point in range(1, whole.calls + 1, every):
        world = play(calm(kind, PIPELINES[name]), crash_at=point)
        assert world.counts["crashes"] == 1
        assert world.counts["succeeded"] == 1, f"crash at call {point}"


@pytest.mark.parametrize("kind", [Cloud, Laptop])
def test_a_crash_at_any_call_of_a_run_that_fails_and_retries_is_mended_at_once(kind: type[World]) -> None:
    steps = (step("a", retry=Retry(2, 5 * SECOND)), step("b", "a"), step("c", "a"))

    def world() -> World:
        made = calm(kind, steps)
        made.faults.job_failure = 1.0
        return made

    whole = play(world(), crash_at=None)
    for point in range(1, whole.calls + 1):
        assert play(world(), crash_at=point).counts["failed"] == 1, f"crash at call {point}"


@pytest.mark.parametrize("kind", [Cloud, Laptop])
@pytest.mark.parametrize("after", [0, 5 * SECOND, 15 * SECOND])
def test_a_crash_at_any_call_of_a_cancel_leaves_no_job_behind(kind: type[World], after: int) -> None:
    def world() -> World:
        made = calm(kind, DIAMOND)
        made.send(CancelRun(RUN), after)
        return made

    whole = play(world(), crash_at=None)
    for point in range(1, whole.calls + 1):
        counts = play(world(), crash_at=point).counts
        assert counts["cancelled"] + counts["succeeded"] == 1, f"crash at call {point}"
