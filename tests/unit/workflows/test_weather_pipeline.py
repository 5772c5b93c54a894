"""The sample's pipeline file: valid, and in step with the files it names."""

import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

from onward.core.definition.loader import load, load_env


def test_the_sample_is_a_valid_pipeline_with_the_values_of_env(weather: Path) -> None:
    env, problems = load_env((weather.parent / "env.yaml").read_text(), "env.yaml")
    assert problems == ()
    files = [path.name for path in weather.iterdir()]
    pipeline = load((weather / "pipeline.yaml").read_text(), "pipeline.yaml", files, env)
    assert [step.name for step in pipeline.steps] == ["clean", "totals", "chart", "publish"]


def test_a_step_reads_only_what_a_step_before_it_writes(steps: dict[str, Any]) -> None:
    clean, chart = steps["clean"]["dataflow"]["args"], steps["chart"]["python"]["args"]
    rows, totals = steps["totals"]["dataproc"]["args"]
    publish = steps["publish"]["workflow"]["args"]
    assert rows == clean["output"]
    assert (chart["totals"], chart["counts"]) == (totals, clean["counts"])
    assert f"gs://{publish['work']}/{publish['summary']}" == chart["summary"]
    # The report names the chart as its neighbour.
    report = f"gs://{publish['reports']}/{publish['report']}"
    assert report.rpartition("/")[0] == chart["chart"].rpartition("/")[0]


def test_the_chart_is_called_with_the_arguments_it_takes(chart: ModuleType, steps: dict[str, Any]) -> None:
    assert steps["chart"]["python"]["call"] == "chart.py:draw"
    inspect.signature(chart.draw).bind(**steps["chart"]["python"]["args"])
