"""The benchmarks' own promises: the smallest engine does the work it is timed for, and shares are shares."""

import ast
from contextlib import closing
from pathlib import Path

import pytest

from bench.__main__ import COMMITS, Workload, report
from bench.cold import Door, Life
from bench.cold import report as cold_report
from bench.entry_points import REQUESTS
from bench.floor import Needs, chain, fan, open_steps, run
from bench.items import figures, lines


@pytest.mark.parametrize("needs", [chain(5), fan(5)])
@pytest.mark.parametrize("together", [False, True])
def test_the_smallest_engine_ends_every_step(tmp_path: Path, needs: Needs, together: bool) -> None:
    with closing(open_steps(tmp_path)) as db:
        run(db, needs, together=together)
        assert db.execute("select step, state from steps").fetchall() == [
            (step, "succeeded") for step in range(len(needs))
        ]


@pytest.mark.parametrize(("together", "commits"), [(False, 1 + 7), (True, 1 + 3)])
def test_a_fan_of_five_is_one_commit_per_transition_or_one_per_wave(
    tmp_path: Path, together: bool, commits: int
) -> None:
    with closing(open_steps(tmp_path)) as db:
        statements: list[str] = []
        db.set_trace_callback(statements.append)
        run(db, fan(5), together=together)
    assert statements.count("commit") == commits


def test_the_table_shows_each_median_as_a_share_of_its_limits() -> None:
    def unused(folder: Path) -> float:
        raise AssertionError(folder)

    floor, ours = Workload("floor", unused), Workload("ours", unused, beside="floor")
    table = report(
        [Workload(COMMITS, unused), floor, ours],
        {COMMITS: [3_000, 1_000, 2_000], "floor": [1_000], "ours": [600, 9_000, 100]},
    )
    assert table.splitlines()[-1].split() == ["ours", "600", "1.667", "100–9,000", "30%", "60%"]


def test_an_entry_points_medians_leave_the_first_round_out_and_name_its_slowest_imports() -> None:
    said = """[INFO] Listening at: http://127.0.0.1:1 (1)
import time:      1000 |      90000 | flask
import time:      1000 |     150000 |   flask.app
import time:      1000 |     300000 | grpc
"""
    lives = [Life(9, 9, said), Life(1.5, 0.004, ""), Life(1.7, 0.006, "")]
    table = cold_report([9, 0.1, 0.3], {"on_wake": Door([[9, 9], [0.2, 0.5], [0.3, 0.7]], lives)})
    assert table.splitlines()[-1].split(maxsplit=7) == [
        "on_wake", "250", "1.25", "600", "3.00", "1600", "5.0", "grpc 300, flask 90"
    ]  # fmt: skip


def test_every_entry_point_is_measured() -> None:
    main = ast.parse((Path(__file__).parents[2] / "functions" / "main.py").read_text())
    doors = {each.name for each in main.body if isinstance(each, ast.FunctionDef) and each.name[0] != "_"}
    assert set(REQUESTS) == doors


@pytest.mark.parametrize("lanes", [7, 40])
def test_a_step_with_many_items_touches_a_handful_of_documents_for_each(lanes: int) -> None:
    found = figures(400, lanes)
    assert (found.state, found.items, found.joins) == ("succeeded", 400, 1)
    assert found.written <= 3
    assert found.read <= 40
    assert found.largest < 16_000
    assert "at most" in "\n".join(lines(found))
