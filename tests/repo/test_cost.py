"""What a step costs is counted, and the page shows what was counted."""

import re

import pytest

import bench.cost_page
from bench.cost import SHAPES, dollars, measure, polls, report
from bench.cost_page import table_in

PAGE = bench.cost_page.PAGE.read_text()


def rows(table: str) -> dict[str, list[float]]:
    """The numbers of each row."""
    lines = [line.strip("| ").split(" | ") for line in table.splitlines()]
    return {name: [float(re.sub("[*,]", "", cell) or 0) for cell in cells] for name, *cells in lines[2:]}


@pytest.mark.parametrize("table", report().split("\n\n"), ids=lambda table: table.split(" | ")[0].strip("| "))
def test_the_page_shows_what_the_script_prints_give_or_take_a_tenth(table: str) -> None:
    shown = rows(table_in(PAGE, table.splitlines()[0]))
    told = (
        "`.venv/bin/python -m bench.cost_page` brings the page up to date; read what stands around its tables"
    )
    assert shown == {name: pytest.approx(row, rel=0.1, abs=0.01) for name, row in rows(table).items()}, told


@pytest.mark.parametrize("shape", SHAPES)
def test_a_job_is_submitted_once_and_its_status_read_once(shape: str) -> None:
    counts = measure(SHAPES[shape])
    assert (counts["submits"], counts["status reads"]) == (1, 1)


def test_a_step_costs_the_same_however_large_its_run_is() -> None:
    small, large = (sum(dollars(measure(SHAPES[shape])).values()) for shape in list(SHAPES)[1:])
    assert large <= small


def test_a_connector_that_waits_for_an_hour_looks_75_times() -> None:
    assert polls(3600) == 75
