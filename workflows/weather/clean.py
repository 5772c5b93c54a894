"""Beam job: hourly station weather as CSV → checked rows in SI units, as JSON lines.

Lines that do not pass are not lost: they go to `--rejects` with the file, the reason and the text. A value
that the station did not report (`NA`) is no damage: it becomes null. `--counts` receives how many there were
of each. Each output is a single file, so that a repeated run replaces exactly what the first one wrote.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.io import ReadFromTextWithFilename, WriteToText
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pvalue import TaggedOutput

HEADER = (
    "origin,year,month,day,hour,temp,dewp,humid,wind_dir,wind_speed,wind_gust,precip,pressure,visib,time_hour"
)
COLUMNS = HEADER.split(",")
STATION = re.compile(r"[A-Z]{3,4}")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?")


class Measure(NamedTuple):
    """A measured column: its SI name, the values worth believing (in the source's unit) and value → SI."""

    si: str
    low: float
    high: float
    factor: float = 1.0
    zero: float = 0.0


MEASURES = {
    "temp": Measure("temp_c", -80, 135, factor=5 / 9, zero=32),
    "dewp": Measure("dew_point_c", -80, 135, factor=5 / 9, zero=32),
    "humid": Measure("humidity_pct", 0, 100),
    "wind_dir": Measure("wind_deg", 0, 360),
    "wind_speed": Measure("wind_ms", 0, 255, factor=0.44704),  # mph; the strongest gust on record is 253
    "wind_gust": Measure("gust_ms", 0, 255, factor=0.44704),
    "precip": Measure("precip_mm", 0, 16, factor=25.4),  # inches an hour; the record is 12
    "pressure": Measure("pressure_hpa", 850, 1090),
    "visib": Measure("visibility_km", 0, 100, factor=1.609344),
}


class Rejected(Exception):
    """A line that is not a row: `reason` is one of a few, to be counted; `detail` says what was seen."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


def parse(line: bytes) -> dict[str, object]:
    """One line as a row in SI units: station, local time (ISO 8601), the measures (None if not reported).

    Raises Rejected.
    """
    try:
        fields = line.decode().split(",")
    except UnicodeDecodeError as error:
        raise Rejected("not UTF-8", f"byte {error.start}") from None
    if len(fields) != len(COLUMNS):
        raise Rejected("wrong number of columns", f"{len(fields)} instead of {len(COLUMNS)}")
    values = dict(zip(COLUMNS, fields, strict=True))
    if not STATION.fullmatch(values["origin"]):
        raise Rejected("no such station", values["origin"])
    row: dict[str, object] = {"station": values["origin"], "time": local_time(values)}
    for column, measure in MEASURES.items():
        row[measure.si] = None if values[column] == "NA" else to_si(column, values[column])
    return row


def local_time(values: dict[str, str]) -> str:
    """The hour of the observation as the station's clock showed it, such as 2013-06-20T14:00:00."""
    parts = [values[name] for name in ("year", "month", "day", "hour")]
    try:
        year, month, day, hour = map(int, parts)
        return datetime(year, month, day, hour).isoformat()
    except ValueError:
        raise Rejected("no such time", "-".join(parts)) from None


def to_si(column: str, text: str) -> float:
    """A reported value in SI units, to two decimals."""
    measure = MEASURES[column]
    if not NUMBER.fullmatch(text):
        raise Rejected("not a number", f"{column} {text}")
    value = float(text)
    if not measure.low <= value <= measure.high:
        raise Rejected("out of range", f"{column} {text}, not within {measure.low} to {measure.high}")
    return round((value - measure.zero) * measure.factor, 2)


def sort_line(source: tuple[str, bytes]) -> Iterator[dict[str, object] | TaggedOutput]:
    """The line's row; or what is wrong with it, tagged `rejects`; nothing for a header or a blank line."""
    file, line = source
    line = line.strip()
    if not line or line == HEADER.encode():
        return
    try:
        yield parse(line)
    except Rejected as wrong:
        text = line.decode(errors="backslashreplace")
        reject = {"file": file, "reason": wrong.reason, "detail": wrong.detail, "text": text}
        yield TaggedOutput("rejects", reject)


def summarise(counts: dict[str, int]) -> str:
    """`{"clean": 100, "no such time": 2}` as JSON: `{"clean": 100, "rejected": {"no such time": 2}}`."""
    rejected = {reason: counts[reason] for reason in sorted(counts) if reason != "clean"}
    return json.dumps({"clean": counts.get("clean", 0), "rejected": rejected})


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Clean hourly station weather.")
    parser.add_argument("--input", required=True, help="CSV file or pattern")
    parser.add_argument("--output", required=True, help="clean rows, JSON lines")
    parser.add_argument("--rejects", required=True, help="lines that did not pass, JSON lines")
    parser.add_argument("--counts", required=True, help="how many of each, JSON")
    args, beam_args = parser.parse_known_args(argv)

    with beam.Pipeline(options=PipelineOptions(beam_args)) as pipeline:
        rows, rejects = (
            pipeline
            # As bytes: a single byte that is not UTF-8 must cost one line, not the job.
            | "Read" >> ReadFromTextWithFilename(args.input, coder=BytesCoder())
            | "Sort" >> beam.FlatMap(sort_line).with_outputs("rejects", main="rows")
        )
        write_lines(rows, "rows", args.output)
        write_lines(rejects, "rejects", args.rejects)
        (
            (
                rows | "Tag rows" >> beam.Map(lambda _: "clean"),
                rejects | "Tag rejects" >> beam.Map(lambda reject: reject["reason"]),
            )
            | "Both" >> beam.Flatten()
            | "Count" >> beam.combiners.Count.PerElement()
            | "Collect counts" >> beam.combiners.ToDict()
            | "Summarise" >> beam.Map(summarise)
            | "Write counts" >> WriteToText(args.counts, num_shards=1, shard_name_template="")
        )


def write_lines(rows: beam.PCollection, name: str, path: str) -> None:
    """Writes each element as a line of JSON to the single file `path`."""
    _ = (
        rows
        | f"Encode {name}" >> beam.Map(json.dumps)
        | f"Write {name}" >> WriteToText(path, num_shards=1, shard_name_template="")
    )


if __name__ == "__main__":
    main()
