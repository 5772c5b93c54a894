"""Spark job: clean hourly rows → totals by station and day, and by station and month.

    totals.py INPUT OUTPUT

INPUT is JSON lines as clean.py writes them. OUTPUT becomes a folder with one JSON-lines file; `period` is a
day (2013-06-20) or a month (2013-06). A value that no hour of the period reported is left out.
"""

from __future__ import annotations

import argparse

from pyspark.sql import SparkSession

SCHEMA = "station STRING, time STRING, temp_c DOUBLE, precip_mm DOUBLE, gust_ms DOUBLE"

# Plain SQL: what it says holds in any engine.
TOTALS = """
    SELECT
        period,
        station,
        count(*)                 AS hours,
        round(min(temp_c), 1)    AS temp_min_c,
        round(avg(temp_c), 1)    AS temp_mean_c,
        round(max(temp_c), 1)    AS temp_max_c,
        round(sum(precip_mm), 1) AS precip_mm,
        round(max(gust_ms), 1)   AS gust_max_ms
    FROM (
        SELECT substr(time, 1, 10) AS period, * FROM hourly
        UNION ALL
        SELECT substr(time, 1, 7) AS period, * FROM hourly
    ) AS hours
    GROUP BY period, station
    ORDER BY period, station
"""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Total hourly weather by station, day and month.")
    parser.add_argument("input")
    parser.add_argument("output")
    args = parser.parse_args(argv)

    spark = SparkSession.builder.appName("weather-totals").getOrCreate()
    hourly = spark.read.schema(SCHEMA).json(args.input, mode="FAILFAST")
    hourly.createOrReplaceTempView("hourly")
    spark.sql(TOTALS).coalesce(1).write.json(args.output, mode="overwrite")
    spark.stop()


if __name__ == "__main__":
    main()
