"""The sample's chart: an SVG that everyone can read, true to its numbers, whatever is missing."""

import json
import re
import sqlite3
import sys
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

SVG = "{http://www.w3.org/2000/svg}"


def row(period: str, station: str = "EWR", /, **values: float) -> dict[str, Any]:
    return {"period": period, "station": station, "hours": 24, **values}


WARM = {"temp_min_c": 10.0, "temp_mean_c": 15.0, "temp_max_c": 21.5, "precip_mm": 3.0, "gust_max_ms": 9.0}


def drawn(chart: ModuleType, rows: list[dict[str, Any]]) -> ElementTree.Element:
    days = chart.merge(row for row in rows if len(row["period"]) == 10)
    months = chart.merge(row for row in rows if len(row["period"]) == 7)
    title = chart.name({row["station"] for row in rows})
    return ElementTree.fromstring(chart.svg(title, chart.span(days), days, months))


def words(svg: ElementTree.Element) -> str:
    return " ".join("".join(text.itertext()) for text in svg.iter(f"{SVG}text"))


def path(svg: ElementTree.Element, kind: str) -> str:
    [found] = [path.get("d", "") for path in svg.iter(f"{SVG}path") if path.get("class") == kind]
    return found


def test_the_chart_shows_its_extremes_and_the_months_totals(chart: ModuleType) -> None:
    svg = drawn(
        chart,
        [
            row("2013-06", **WARM | {"precip_mm": 210.2}),
            row("2013-06-07", **WARM | {"precip_mm": 89.2}),
            row("2013-06-08", **WARM | {"temp_min_c": -11.7}),
            row("2013-06-09", **WARM | {"temp_max_c": 37.8}),
        ],
    )
    for label in ("37.8 °C on 9 June", "\u221211.7 °C on 8 June", "89.2 mm on 7 June", "Jun 210 mm"):
        assert label in words(svg)
    assert "7 June to 9 June 2013" in words(svg)


def test_who_does_not_see_the_chart_is_told_what_it_shows(chart: ModuleType) -> None:
    svg = drawn(chart, [row("2013-06", **WARM), row("2013-06-07", **WARM)])
    assert svg.get("role") == "img"
    named = [svg.find(f".//*[@id='{name}']") for name in svg.get("aria-labelledby", "").split()]
    assert [element.text for element in named if element is not None] == [
        "Weather at EWR, 7 June 2013",
        "June 2013: 10.0 to 21.5 °C, 3 mm.",
    ]


def test_every_colour_of_the_page_has_one_for_the_dark(drawing: ModuleType) -> None:
    light, dark = drawing.STYLE.split("@media (prefers-color-scheme: dark)")
    coloured = re.compile(r"([^{}]+)\{[^{}]*#")
    classes = [
        {name.strip() for names in coloured.findall(half) for name in names.split(",")}
        for half in (light, dark)
    ]
    assert classes[0] == classes[1]


def test_all_stations_are_one_curve(chart: ModuleType) -> None:
    [day] = chart.merge(
        [
            row("2013-06-07", "EWR", **WARM),
            row("2013-06-07", "JFK", **WARM | {"temp_min_c": 8.0, "temp_mean_c": 14.0, "precip_mm": 5.0}),
        ]
    )
    assert day == (date(2013, 6, 7), 8.0, 14.5, 21.5, 4.0, 9.0)


def test_a_day_is_a_bar_from_its_coldest_to_its_warmest_hour(chart: ModuleType) -> None:
    svg = drawn(chart, [row("2013-06", **WARM), row("2013-06-07", **WARM | {"temp_min_c": 15.0})])
    axis = {text.text: float(text.get("y", "")) - 4 for text in svg.iter(f"{SVG}text")}
    [band] = [path.get("d", "") for path in svg.iter(f"{SVG}path") if path.get("fill") == "url(#warmth)"]
    found = re.fullmatch(r"M\S+ (\S+)h\S+V(\S+)h\S+z", band)
    assert found is not None
    top, bottom = map(float, found.groups())
    assert bottom == pytest.approx((axis["10"] + axis["20"]) / 2, abs=0.1)
    assert top == pytest.approx(axis["20"] - (axis["20"] - axis["30"]) * 0.15, abs=0.1)


def test_a_label_at_the_edge_points_inwards(chart: ModuleType) -> None:
    days = [f"2013-06-{day:02}" for day in range(1, 31)]
    hot, cold = {"temp_max_c": 30.0}, {"temp_min_c": 1.0}
    values = {days[0]: WARM | hot, days[-1]: WARM | cold}
    svg = drawn(chart, [row("2013-06", **WARM), *(row(day, **values.get(day, WARM)) for day in days)])
    sides = {text.text: text.get("class", "").split()[1:] for text in svg.iter(f"{SVG}text")}
    assert (sides["30.0 °C on 1 June"], sides["1.0 °C on 30 June"]) == ([], ["end"])


def test_the_line_of_the_means_is_broken_where_a_day_is_missing(chart: ModuleType) -> None:
    days = ["2013-06-01", "2013-06-02", "2013-06-04", "2013-06-05"]
    svg = drawn(chart, [row("2013-06", **WARM), *(row(day, **WARM) for day in days)])
    assert re.sub(r"[^ML]", "", path(svg, "mean")) == "MLML"


def test_a_name_in_the_data_cannot_break_the_chart(chart: ModuleType) -> None:
    svg = drawn(chart, [row("2013-06", '<&">', **WARM), row("2013-06-07", '<&">', **WARM)])
    assert 'Weather at <&">' in words(svg)


LOW_MEAN_HIGH = st.just((None, None, None)) | st.tuples(*[st.floats(-80, 60)] * 3).map(sorted).map(tuple)
RAIN = st.tuples(st.none() | st.floats(0, 400))
VALUES = st.tuples(LOW_MEAN_HIGH, RAIN, st.just((None,))).map(lambda parts: sum(parts, ()))
PERIODS = st.dictionaries(st.dates(date(2012, 1, 1), date(2014, 12, 31)), VALUES, min_size=1)


@given(periods=PERIODS)
def test_any_days_with_any_gaps_give_a_chart_within_its_frame(
    drawing: ModuleType, periods: dict[date, tuple[float | None, ...]]
) -> None:
    days = [drawing.Period(start, *values) for start, values in sorted(periods.items())]
    months = [
        drawing.Period(start, *days[0][1:]) for start in sorted({day.start.replace(day=1) for day in days})
    ]
    svg = ElementTree.fromstring(drawing.svg("EWR", "2012 to 2014", days, months))
    assert "nan" not in ElementTree.tostring(svg, encoding="unicode")
    for element in svg.iter():
        for name, limit in (
            ("x", drawing.WIDTH),
            ("y", drawing.HEIGHT),
            ("cx", drawing.WIDTH),
            ("cy", drawing.HEIGHT),
        ):
            assert 0 <= float(element.get(name, "0")) <= limit


def test_the_step_reads_the_totals_and_writes_chart_and_summary(
    chart: ModuleType, steps: dict[str, Any], tmp_path: Path
) -> None:
    args = {name: str(tmp_path / Path(uri).name) for name, uri in steps["chart"]["python"]["args"].items()}
    Path(args["totals"]).mkdir()
    rows = [row("2013-06", **WARM), row("2013-06-07", **WARM)]
    (tmp_path / "totals" / "part-00000-x.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path(args["counts"]).write_text('{"clean": 26114, "rejected": {"not UTF-8": 2}}')
    args["chart"] = str(tmp_path / "new" / "folder" / "chart.svg")

    output = chart.draw(**args)

    assert output == {"chart": args["chart"], "summary": args["summary"], "days": 1, "rejected": 2}
    assert "21.5 °C on 7 June" in words(ElementTree.parse(args["chart"]).getroot())
    assert json.loads(Path(args["summary"]).read_text()) == {
        "title": "Weather at EWR",
        "period": "7 June 2013",
        "clean": "26,114",
        "rejected": [{"reason": "not UTF-8", "lines": "2"}],
        "months": [
            {"month": "June 2013", "low": "10.0", "mean": "15.0", "high": "21.5", "rain": "3", "gust": "9"}
        ],
    }


def test_without_a_single_clean_line_the_step_says_so(chart: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "totals").mkdir()
    with pytest.raises(ValueError, match="no line of the file was clean"):
        chart.draw(str(tmp_path / "totals"), "counts.json", "chart.svg", "summary.json")


class Bucket:
    """A bucket of Cloud Storage: name → (text, content type); also its own client and blobs."""

    def __init__(self, objects: dict[str, tuple[str, str]], name: str = "") -> None:
        self.objects = objects
        self.name = name

    def bucket(self, _: str) -> "Bucket":
        return self

    def blob(self, name: str) -> "Bucket":
        return Bucket(self.objects, name)

    def list_blobs(self, _: str, prefix: str) -> list["Bucket"]:
        return [Bucket(self.objects, name) for name in sorted(self.objects) if name.startswith(prefix)]

    def download_as_text(self) -> str:
        return self.objects[self.name][0]

    def upload_from_string(self, content: str, content_type: str) -> None:
        self.objects[self.name] = (content, content_type)


def test_in_the_cloud_the_step_reads_and_writes_objects(
    chart: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row("2013-06", **WARM), row("2013-06-07", **WARM)]
    bucket = Bucket(
        {
            "d/totals/part-00000-x.json": ("".join(json.dumps(row) + "\n" for row in rows), ""),
            "d/totals/_SUCCESS": ("no part", ""),
            "d/counts.json": ('{"clean": 48, "rejected": {}}', ""),
        }
    )
    storage = ModuleType("google.cloud.storage")
    storage.Client = lambda: bucket  # type: ignore[attr-defined]
    cloud = ModuleType("google.cloud")
    cloud.storage = storage  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "google.cloud", cloud)
    monkeypatch.setitem(sys.modules, "google.cloud.storage", storage)

    chart.draw("gs://b/d/totals", "gs://b/d/counts.json", "gs://b/d/chart.svg", "gs://b/d/summary.json")

    content, content_type = bucket.objects["d/chart.svg"]
    assert content_type == "image/svg+xml"
    assert "21.5 °C on 7 June" in words(ElementTree.fromstring(content))
    # Cloud Workflows decodes the summary because of this type; publish.yaml relies on it.
    assert bucket.objects["d/summary.json"][1] == "application/json"


def test_the_year_is_told_where_it_changes(chart: ModuleType, drawing: ModuleType) -> None:
    start = date(2013, 12, 31)
    days = [drawing.Period(start + timedelta(days=n), *[None] * 5) for n in range(2)]
    assert chart.span(days) == "31 December 2013 to 1 January 2014"


def test_the_picture_beside_the_sample_is_what_becomes_of_the_sample(
    clean: ModuleType, totals: ModuleType, chart: ModuleType, weather: Path
) -> None:
    columns = ("station", "time", "temp_c", "precip_mm", "gust_ms")
    lines = (weather / "sample/stations/2013-12-31/nyc.csv").read_bytes().splitlines()
    hours = (hour for line in lines for hour in clean.sort_line(("nyc.csv", line)) if isinstance(hour, dict))
    with sqlite3.connect(":memory:") as database:
        database.row_factory = sqlite3.Row
        database.execute(f"CREATE TABLE hourly ({', '.join(columns)})")
        values = ([hour[column] for column in columns] for hour in hours)
        database.executemany("INSERT INTO hourly VALUES (?, ?, ?, ?, ?)", values)
        rows = [dict(row) for row in database.execute(totals.TOTALS)]

    picture = ElementTree.parse(weather / "sample/chart.svg").getroot()
    assert words(picture) == words(drawn(chart, rows))
    style = picture.find(f"{SVG}style")
    assert style is not None
    assert style.text == sys.modules["drawing"].STYLE
