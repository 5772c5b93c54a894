"""Each scenario goes through both doors, and takes the same way."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from onward.local.buckets import Buckets
from scenarios.harness.cloud import Cloud
from scenarios.harness.embedded import Embedded
from scenarios.harness.jobs import Jobs
from scenarios.harness.play import Door, announced, play, traces, unlike, untold
from scenarios.harness.scenario import moment, read

HERE = Path(__file__).parent
SEED = int(os.environ.get("SEED", "1"))
"""Of the order in which the cloud delivers."""
FOLDERS = sorted(file.parent for file in HERE.glob("*/scenario.yaml"))


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_it_goes_as_it_says_and_alike_through_both_doors(  # noqa: PLR0913, PLR0917 - what the doors stand on
    folder: Path,
    killed: bool,
    tmp_path: Path,
    firestore_project: str,
    storage: Buckets,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`killed`: the runtime is killed after each action, before anything comes of it."""
    scenario = read(folder)
    workflows = tmp_path / "workflows"
    shutil.copytree(folder / "workflows", workflows)
    found: dict[str, str] = {}
    for name in scenario.doors:
        jobs, at = Jobs(), moment(scenario.at)
        door: Door = (
            Embedded(tmp_path / "embedded", workflows, jobs, at)
            if name == "embedded"
            else Cloud(workflows, jobs, at, firestore_project, storage, SEED + killed, monkeypatch)
        )
        with closing(door):
            play(scenario, door, jobs, killed=killed)
            runs = traces(door, jobs)
            found[name] = "\n".join([*(run.common for run in runs), *map(str, announced(door))])
            problems = unlike(scenario.expect, runs) + untold(scenario, door) + door.troubles
        assert not problems, "\n".join([f"{name}:", *problems])
    assert len(set(found.values())) == 1, "\n".join(f"{name}:\n{runs}" for name, runs in found.items())
