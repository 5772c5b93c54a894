"""Many stories, told quickly; `make simulate` tells thousands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.cloud import Cloud
from simulation.laptop import Laptop
from simulation.mutations import MUTATIONS, NOTICED_BY
from simulation.story import tell
from simulation.violation import Violation

HERE = Path(__file__).parent
LINES = (HERE / "seeds.txt").read_text().splitlines()
ONCE_BROKEN = [int(seed) for line in LINES if not line.startswith("#") for seed in line.split()]
FRESH = 1_000
ENOUGH = 100
"""Stories within which each mutant is noticed."""


@pytest.mark.parametrize("first", range(FRESH, FRESH + 150, 10))
def test_every_promise_holds_whatever_goes_wrong(first: int) -> None:
    for seed in range(first, first + 10):
        tell(seed)


@pytest.mark.parametrize("seed", ONCE_BROKEN)
def test_what_was_mended_stays_mended(seed: int) -> None:
    tell(seed)


def test_the_stories_are_worth_telling() -> None:
    """They hold crashes, freezes, repeats, failures, and runs that end in every way."""
    total = sum((tell(seed).counts for seed in range(FRESH, FRESH + 20)), start=type(tell(FRESH).counts)())
    for what in ("crashes", "freezes", "redeliveries", "jobs", "succeeded", "failed", "cancelled"):
        assert total[what] > 0, what


@pytest.mark.parametrize("seed", [2, 3])
def test_a_seed_tells_the_same_story_every_time(seed: int) -> None:
    world = tell(seed)
    assert isinstance(world, Laptop if seed % 2 else Cloud)
    assert tell(seed).trace == world.trace
    assert len(world.trace) > 20


def test_a_seed_tells_the_same_story_in_every_process() -> None:
    def told(hash_seed: str) -> bytes:
        path = os.pathsep.join(entry for entry in sys.path if entry)
        env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path}
        command = [sys.executable, "-m", "simulation", "--seed", "5"]
        return subprocess.run(command, env=env, check=True, capture_output=True).stdout

    assert told("1") == told("2")


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_simulator_would_notice_that(name: str) -> None:
    with MUTATIONS[name](), pytest.raises(Violation, match="replay: make simulate SEED="):
        _tell_many(first=NOTICED_BY[name])


def _tell_many(first: int) -> None:
    for seed in (first, *range(ENOUGH)):
        tell(seed)
