"""What a step costs is counted, and the page shows what was counted."""

from pathlib import Path

import pytest

from bench.cost import SHAPES, dollars, measure, polls, report

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()


def test_the_page_shows_what_the_script_prints() -> None:
    for table in report().split("\n\n"):
        assert table in PAGE


@pytest.mark.parametrize("shape", SHAPES)
def test_a_job_is_submitted_once_and_its_status_read_once(shape: str) -> None:
    counts = measure(SHAPES[shape])
    assert (counts["submits"], counts["status reads"]) == (1, 1)


def test_a_step_costs_the_same_however_large_its_run_is() -> None:
    small, large = (sum(dollars(measure(SHAPES[shape])).values()) for shape in list(SHAPES)[1:])
    assert large <= small


def test_a_connector_that_waits_for_an_hour_looks_75_times() -> None:
    assert polls(3600) == 75
