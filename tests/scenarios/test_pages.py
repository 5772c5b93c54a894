"""What a page about a feature shows is what its scenarios run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scenarios.harness.features import FEATURES, HERE, ROOT

PAGES = sorted(page for folder in ("triggers", "control") for page in (ROOT / "docs" / folder).glob("*.md"))
BLOCK = re.compile(r"^```\w+\n(?:#|--) (?P<file>workflows/\S+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
SCENARIO = re.compile(r"\]\(\.\./\.\./tests/scenarios/([\w-]+)/?(?:scenario\.yaml)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_every_file_of_a_page_is_word_for_word_that_of_a_scenario_that_it_names(page: Path) -> None:
    named = [HERE / name for name in SCENARIO.findall(page.read_text())]
    assert named, f"{page} names no scenario: link to ../../tests/scenarios/NAME/scenario.yaml"
    shown = BLOCK.findall(page.read_text())
    assert shown, f"{page} shows no file"
    for file, text in shown:
        there = [_told(folder / file) for folder in named if (folder / file).is_file()]
        assert there, f"{page} shows {file}, which no scenario has that it names"
        assert text in there, f"{page} shows {file} otherwise than its scenario has it"


def _told(file: Path) -> str:
    """Without the line that names it, if it has one."""
    return re.sub(r"\A(?:#|--) workflows/.*\n", "", file.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_every_page_is_about_a_feature(page: Path) -> None:
    kind = {"triggers": "trigger", "control": "control"}[page.parent.name]
    assert FEATURES.keys() & {f"{kind}.{page.stem}", f"operating.{page.stem}"}


def test_every_trigger_and_every_way_to_control_has_a_page() -> None:
    folders = {"trigger": "triggers", "control": "control"}
    shown = {
        f"{kind}.{page.stem}"
        for kind, folder in folders.items()
        for page in PAGES
        if page.parent.name == folder
    }
    wanted = {name for name in FEATURES if not name.startswith("operating.")}
    assert wanted - shown == set()
