"""The sample's workflow: the summary becomes a report in the reports bucket."""

import json
from pathlib import Path
from typing import Any

import pytest
from onward.local.gcw import WorkflowError, load, run
from onward.local.gcw.world import LocalIo

SUMMARY = {
    "title": "Weather at EWR and JFK",
    "period": "1 June to 30 June 2013",
    "clean": "1,438",
    "rejected": [{"reason": "not UTF-8", "lines": "2"}],
    "months": [
        {"month": "June 2013", "low": "12.2", "mean": "22.3", "high": "34.4", "rain": "210", "gust": "21"},
        {"month": "July 2013", "low": "17.8", "mean": "n/a", "high": "37.8", "rain": "74", "gust": "24"},
    ],
}


def publish(weather: Path, steps: dict[str, Any], folder: Path, summary: dict[str, Any]) -> tuple[Any, str]:
    """What the workflow returns, and the report."""
    uris = {"work": "work", "reports": "reports", "summary": "2013-07-31/a b/summary.json"}
    args = uris | {"report": "2013-07-31/a b/report.md"}
    assert args.keys() == steps["publish"]["workflow"]["args"].keys()
    (folder / "work/2013-07-31/a b").mkdir(parents=True)
    (folder / "work/2013-07-31/a b/summary.json").write_text(json.dumps(summary))

    definition = load((weather / "publish.yaml").read_text(), "publish.yaml")
    result = run(definition, dict(args), LocalIo(folder))
    return result, (folder / "reports/2013-07-31/a b/report.md").read_text()


def test_the_report_holds_the_chart_a_line_for_each_month_and_what_was_set_aside(
    weather: Path, steps: dict[str, Any], tmp_path: Path
) -> None:
    result, report = publish(weather, steps, tmp_path, SUMMARY)

    assert result == {"report": "gs://reports/2013-07-31/a b/report.md"}
    assert report == (
        "# Weather at EWR and JFK\n"
        "\n"
        "1 June to 30 June 2013.\n"
        "\n"
        "![Temperature and precipitation by day](chart.svg)\n"
        "\n"
        "| Month | Coldest, °C | Mean, °C | Warmest, °C | Precipitation, mm | Gusts, m/s |\n"
        "|:--|--:|--:|--:|--:|--:|\n"
        "| June 2013 | 12.2 | 22.3 | 34.4 | 210 | 21 |\n"
        "| July 2013 | 17.8 | n/a | 37.8 | 74 | 24 |\n"
        "\n"
        "1,438 lines were clean. Set aside:\n"
        "\n"
        "- 2 × not UTF-8\n"
    )


def test_when_every_line_was_clean_the_report_says_no_more(
    weather: Path, steps: dict[str, Any], tmp_path: Path
) -> None:
    _, report = publish(weather, steps, tmp_path, SUMMARY | {"rejected": []})
    assert report.endswith("\n1,438 lines were clean.\n")


def test_without_a_summary_nothing_is_published(weather: Path, tmp_path: Path) -> None:
    definition = load((weather / "publish.yaml").read_text(), "publish.yaml")
    args = {"work": "work", "reports": "reports", "summary": "s.json", "report": "r.md"}
    with pytest.raises(WorkflowError, match="404"):
        run(definition, dict(args), LocalIo(tmp_path))
    assert not (tmp_path / "reports").exists()


def test_every_expression_is_as_short_as_the_service_asks(weather: Path) -> None:
    lines = (weather / "publish.yaml").read_text().splitlines()
    assert max(len(line.strip()) for line in lines if "${" in line) <= 400
