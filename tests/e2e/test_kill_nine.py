"""`kill -9` of the runtime in the middle of a step: the run goes on, and no job runs twice at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.killing import World


@pytest.fixture(params=["dataflow", "dataproc", "python"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, request.param)
    yield world
    world.close()


def test_a_killed_runtime_goes_on_where_it_was(world: World) -> None:
    world.up()
    (world.state / "buckets" / "inbox" / "a.csv").write_text("data")
    world.wait_begun()
    world.kill()
    world.up()
    if world.kind == "python":
        world.wait_begun()  # the call died with the runtime, and is made again
    world.let_go()
    run = world.wait_ended()
    assert run["state"] == "succeeded"
    assert not (world.home / "twice").exists()
    assert len(world.starts()) == (2 if world.kind == "python" else 1)


def test_a_job_that_ends_while_no_runtime_is_there_is_not_lost(tmp_path: Path) -> None:
    world = World(tmp_path, "dataflow")
    try:
        world.up()
        (world.state / "buckets" / "inbox" / "a.csv").write_text("data")
        world.wait_begun()
        world.kill()
        world.let_go()
        (world.state / "buckets" / "inbox" / ".hidden").write_text("never taken")
        world.up()
        assert world.wait_ended()["state"] == "succeeded"
        assert len(world.starts()) == 1
    finally:
        world.close()


def test_a_file_that_came_while_no_runtime_was_there_starts_one_run(tmp_path: Path) -> None:
    world = World(tmp_path, "python")
    try:
        world.up()
        world.kill()
        (world.state / "buckets" / "inbox" / "a.csv").write_text("data")
        world.up()
        world.wait_begun()
        world.kill()
        world.up()
        world.wait_begun()
        world.let_go()
        assert world.wait_ended()["state"] == "succeeded"
    finally:
        world.close()
