"""Python step: totals → an SVG chart, and a summary whose texts are ready for the report.

Paths may be local or `gs://`; only the latter need Google's client.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

from drawing import Period, day_name, number, svg

Row = dict[str, Any]


def draw(totals: str, counts: str, chart: str, summary: str) -> dict[str, object]:
    """Reads the folder `totals` and the file `counts`; writes the files `chart` (SVG) and `summary` (JSON).

    Returns `{"chart", "summary", "days", "rejected"}`. Raises ValueError when there is nothing to draw.
    """
    rows = [json.loads(line) for part in part_files(totals) for line in read(part).splitlines()]
    if not rows:
        raise ValueError(f"{totals} holds no totals: no line of the file was clean; its rejects say why")
    days = merge(row for row in rows if len(row["period"]) == len("2013-06-20"))
    months = merge(row for row in rows if len(row["period"]) == len("2013-06"))
    title, period = name({row["station"] for row in rows}), span(days)
    counted = json.loads(read(counts))
    report = {"title": title, "period": period, **summarise(months, counted)}
    write(chart, svg(title, period, days, months), "image/svg+xml")
    write(summary, json.dumps(report, indent=2), "application/json")
    rejected = sum(counted["rejected"].values())
    return {"chart": chart, "summary": summary, "days": len(days), "rejected": rejected}


def merge(rows: Iterable[Row]) -> list[Period]:
    """The periods in order of time. Extremes are those of any station, the rest is the stations' mean."""
    by_period = groupby(sorted(rows, key=lambda row: row["period"]), key=lambda row: row["period"])
    return [_merge_one(period, list(group)) for period, group in by_period]


def _merge_one(period: str, rows: list[Row]) -> Period:
    def values(name: str) -> list[float]:
        return [row[name] for row in rows if row.get(name) is not None]

    def mean(numbers: list[float]) -> float | None:
        return sum(numbers) / len(numbers) if numbers else None

    return Period(
        start=date.fromisoformat(f"{period}-01"[:10]),  # a month begins on its first day
        low=min(values("temp_min_c"), default=None),
        mean=mean(values("temp_mean_c")),
        high=max(values("temp_max_c"), default=None),
        rain=mean(values("precip_mm")),
        gust=max(values("gust_max_ms"), default=None),
    )


def summarise(months: list[Period], counts: Row) -> Row:
    """What the report says, as texts: a Cloud Workflows expression can join texts but not format numbers."""
    return {
        "clean": f"{counts['clean']:,}",
        "rejected": [{"reason": reason, "lines": str(n)} for reason, n in counts["rejected"].items()],
        "months": [
            {
                "month": f"{month.start:%B %Y}",
                "low": number(month.low),
                "mean": number(month.mean),
                "high": number(month.high),
                "rain": number(month.rain, digits=0),
                "gust": number(month.gust, digits=0),
            }
            for month in months
        ],
    }


def name(stations: Iterable[str]) -> str:
    *first, last = sorted(stations)
    return "Weather at " + (f"{', '.join(first)} and {last}" if first else last)


def span(days: list[Period]) -> str:
    first, last = days[0].start, days[-1].start
    end = f"{day_name(last)} {last.year}"
    if first == last:
        return end
    return f"{day_name(first)}{'' if first.year == last.year else f' {first.year}'} to {end}"


# Files: local, or objects of Cloud Storage


def read(path: str) -> str:
    return str(_blob(path).download_as_text()) if path.startswith("gs://") else Path(path).read_text("utf-8")


def write(path: str, content: str, content_type: str) -> None:
    if path.startswith("gs://"):
        _blob(path).upload_from_string(content, content_type=content_type)
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content, "utf-8")


def part_files(folder: str) -> list[str]:
    """The files that Spark wrote into a folder, in order."""
    if not folder.startswith("gs://"):
        return sorted(str(part) for part in Path(folder).glob("part-*"))
    bucket, _, name = folder.removeprefix("gs://").partition("/")
    return [f"gs://{bucket}/{blob.name}" for blob in _client().list_blobs(bucket, prefix=f"{name}/part-")]


def _blob(uri: str) -> Any:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return _client().bucket(bucket).blob(name)


def _client() -> Any:
    from google.cloud import storage

    return storage.Client()
