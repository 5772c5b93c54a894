"""The sample's Beam job: what is a row, what is damage, and that no line disappears."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from apache_beam.pvalue import TaggedOutput
from hypothesis import given
from hypothesis import strategies as st

GOOD = b"EWR,2013,6,20,14,86,68,54.9,180,10,NA,0.5,1013.2,10,2013-06-20T18:00:00Z"


def field(name: str, value: bytes, clean: ModuleType) -> bytes:
    fields = GOOD.split(b",")
    fields[clean.COLUMNS.index(name)] = value
    return b",".join(fields)


def test_a_line_becomes_a_row_in_si_units(clean: ModuleType) -> None:
    assert clean.parse(GOOD) == {
        "station": "EWR",
        "time": "2013-06-20T14:00:00",
        "temp_c": 30.0,
        "dew_point_c": 20.0,
        "humidity_pct": 54.9,
        "wind_deg": 180.0,
        "wind_ms": 4.47,
        "gust_ms": None,
        "precip_mm": 12.7,
        "pressure_hpa": 1013.2,
        "visibility_km": 16.09,
    }


def test_a_value_that_was_not_reported_is_no_damage(clean: ModuleType) -> None:
    for column, measure in clean.MEASURES.items():
        assert clean.parse(field(column, b"NA", clean))[measure.si] is None


def test_a_number_may_be_written_with_an_exponent(clean: ModuleType) -> None:
    assert clean.parse(field("pressure", b"1e3", clean))["pressure_hpa"] == 1000.0


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("origin", b"L?A", "no such station"),
        ("origin", b"", "no such station"),
        ("day", b"31", "no such time"),
        ("hour", b"24", "no such time"),
        ("year", b"x", "no such time"),
        ("temp", b"", "not a number"),
        ("temp", b"7#.04", "not a number"),
        ("temp", b"nan", "not a number"),
        ("temp", b"inf", "not a number"),
        ("temp", b"1_0", "not a number"),
        ("temp", "\uff17\uff10".encode(), "not a number"),
        ("temp", b"1e999", "out of range"),
        ("temp", b"9999", "out of range"),
        ("precip", b"-0.08", "out of range"),
        ("wind_speed", b"1048.36058", "out of range"),
        ("temp", b"\xff", "not UTF-8"),
        ("temp", b"70,70", "wrong number of columns"),
    ],
)
def test_damage_is_rejected_for_its_reason(clean: ModuleType, column: str, value: bytes, reason: str) -> None:
    with pytest.raises(clean.Rejected) as rejected:
        clean.parse(field(column, value, clean))
    assert rejected.value.reason == reason


LINES = st.binary() | st.lists(st.sampled_from([*GOOD.split(b","), b"NA", b"-1", b"\x00"])).map(b",".join)


@given(line=LINES)
def test_whatever_a_line_holds_it_is_a_row_or_a_reject_or_blank(clean: ModuleType, line: bytes) -> None:
    results = list(clean.sort_line(("x.csv", line)))
    assert len(results) == (1 if line.strip() else 0)
    for result in results:
        json.dumps(result.value if isinstance(result, TaggedOutput) else result)


def test_a_reject_says_where_it_came_from_and_what_it_was(clean: ModuleType) -> None:
    [reject] = clean.sort_line(("gs://b/x.csv", b"caf\xe9"))
    assert reject.tag == "rejects"
    assert reject.value == {
        "file": "gs://b/x.csv",
        "reason": "not UTF-8",
        "detail": "byte 3",
        "text": "caf\\xe9",
    }


def test_header_and_blank_lines_are_neither_rows_nor_rejects(clean: ModuleType) -> None:
    for line in (clean.HEADER.encode(), clean.HEADER.encode() + b"\r", b"", b"  "):
        assert list(clean.sort_line(("x.csv", line))) == []


def test_the_sample_is_damaged_exactly_where_its_readme_says(clean: ModuleType, weather: Path) -> None:
    readme = (weather / "sample" / "README.md").read_text()
    table = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", readme, re.MULTILINE)
    documented = {int(line): reason for line, reason in table} | {1011: "out of range"}

    found = {}
    lines = (weather / "sample/stations/2013-12-31/nyc.csv").read_bytes().splitlines()
    for number, line in enumerate(lines, 1):
        for result in clean.sort_line(("nyc.csv", line)):
            if isinstance(result, TaggedOutput):
                found[number] = result.value["reason"]
    assert found == documented


def test_the_job_sorts_every_line_of_a_file_and_counts_them(
    clean: ModuleType, weather: Path, steps: dict[str, Any], tmp_path: Path
) -> None:
    lines = [clean.HEADER.encode(), GOOD, field("temp", b"9999", clean), b"caf\xe9", GOOD, b""]
    (tmp_path / "in.csv").write_bytes(b"\n".join(lines))
    uris: dict[str, str] = steps["clean"]["dataflow"]["args"]
    files = {name: tmp_path / Path(uri).name for name, uri in uris.items()} | {"input": tmp_path / "in.csv"}
    files["output"].write_text("what an earlier attempt left\n")

    options = [f"--{name}={path}" for name, path in files.items()]
    command = [sys.executable, str(weather / "clean.py"), *options, "--runner=DirectRunner"]
    subprocess.run(command, check=True, capture_output=True)

    rows = [json.loads(line) for line in files["output"].read_text().splitlines()]
    rejects = [json.loads(line) for line in files["rejects"].read_text().splitlines()]
    assert rows == [clean.parse(GOOD)] * 2
    assert {reject["text"] for reject in rejects} == {"caf\\xe9", lines[2].decode()}
    assert json.loads(files["counts"].read_text()) == {
        "clean": 2,
        "rejected": {"not UTF-8": 1, "out of range": 1},
    }
