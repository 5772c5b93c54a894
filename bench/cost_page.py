"""Puts what `bench.cost` prints into docs/operating.md: `.venv/bin/python -m bench.cost_page`."""

from __future__ import annotations

from pathlib import Path

from bench.cost import report

PAGE = Path(__file__).parent.parent / "docs" / "operating.md"


def table_in(page: str, head: str) -> str:
    """The table of the page that begins with this line. Raises ValueError if there is none."""
    return page[page.index(head) :].partition("\n\n")[0]


def renewed(page: str) -> str:
    """The page with the tables that there are now in the place of those that have the same first line."""
    for table in report().split("\n\n"):
        page = page.replace(table_in(page, table.splitlines()[0]), table)
    return page


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
