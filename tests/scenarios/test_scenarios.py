"""Each scenario goes through both doors, and takes the same way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from onward.local.buckets import Buckets
from scenarios.harness.cloud import Cloud
from scenarios.harness.embedded import Embedded
from scenarios.harness.jobs import Jobs
from scenarios.harness.play import Door, Trace, play, traces, unlike
from scenarios.harness.scenario import DOORS, moment, read

HERE = Path(__file__).parent
SEED = int(os.environ.get("SEED", "1"))
"""Of the order in which the cloud delivers."""
FOLDERS = sorted(file.parent for file in HERE.glob("*/scenario.yaml"))


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_it_goes_as_it_says_and_alike_through_both_doors(
    folder: Path, tmp_path: Path, firestore_project: str, storage: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = read(folder)
    workflows = tmp_path / "workflows"
    shutil.copytree(folder / "workflows", workflows)
    found: dict[str, list[Trace]] = {}
    for name in scenario.doors:
        jobs, at = Jobs(), moment(scenario.at)
        door: Door = (
            Embedded(tmp_path / "embedded", workflows, jobs, at)
            if name == "embedded"
            else Cloud(workflows, jobs, at, firestore_project, storage, SEED, monkeypatch)
        )
        with closing(door):
            play(scenario, door, jobs)
            found[name] = traces(door, jobs)
            problems = unlike(scenario.expect, found[name]) + door.troubles
            problems += unsaid(scenario.refused, door.refused)
            if name == "cloud" and door.clusters != scenario.clusters:
                problems.append(f"clusters: {door.clusters}")
        assert not problems, "\n".join([f"{name}:", *problems])
    if len(found) == 2:
        embedded, cloud = ("\n".join(map(str, found[name])) for name in DOORS)
        assert embedded == cloud


def unsaid(wanted: Sequence[str], reasons: Sequence[str]) -> list[str]:
    """Each of the reasons is expected once."""
    left = list(reasons)
    problems = []
    for part in wanted:
        fits = [reason for reason in left if part in reason]
        if fits:
            left.remove(fits[0])
        else:
            problems.append(f"not refused: {part}")
    return problems + [f"refused: {reason}" for reason in left]
