"""What Onward can do, as the tests of this version have shown it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

DATA = Path(__file__).with_name("features.json")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The table as JSON, on one line.")
def features(as_json: bool) -> None:
    """List what Onward can do, and which scenario of its tests proves it, embedded and in the cloud."""
    rows = json.loads(DATA.read_bytes())
    if as_json:
        click.echo(json.dumps(rows))
        return
    from rich.table import Table
    from rich.text import Text

    from onward.cli.render import show

    table = Table("feature", "", "embedded", "cloud", "shown by", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in _cells(row)))
    show(table)


def _cells(row: dict[str, Any]) -> list[str]:
    marks = ["✓" if row[door] else "–" for door in ("embedded", "cloud")]
    return [row["feature"], row["what"], *marks, ", ".join(proof["scenario"] for proof in row["scenarios"])]
