"""The page of live checks can be worked through: whole checks, commands that parse, names that are set."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "live-checks.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
CHECKS = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
PARTS = ("**Assumed:**", "```sh\n", "**Expected:**", "**If not:**", "**Answer** (date, what was seen):")


def titles(check: str) -> str:
    return check.splitlines()[0]


def test_checks_are_numbered_one_after_the_other() -> None:
    assert [int(titles(check).partition(".")[0]) for check in CHECKS] == [*range(1, len(CHECKS) + 1)]


@pytest.mark.parametrize("check", CHECKS, ids=titles)
def test_a_check_has_all_its_parts_in_order(check: str) -> None:
    places = [check.find(part) for part in PARTS]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("check", CHECKS, ids=titles)
def test_a_check_names_where_its_assumption_is_relied_upon(check: str) -> None:
    assumed = check[: check.index("```sh")]
    assert re.search(r"`(functions|terraform)/", assumed)
    for named in re.findall(r"`((?:functions|terraform|docs)/[^`]+|README\.md)`", check):
        assert (ROOT / named).exists(), named


@pytest.mark.parametrize("block", BLOCKS)
def test_a_shell_block_parses(block: str) -> None:
    ran = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("block", BLOCKS)
def test_what_a_shell_block_names_is_set_in_it_or_before(block: str) -> None:
    before = PAGE[: PAGE.index(block) + len(block)]
    for name in set(
        re.findall(r"\$\{?([A-Za-z_]+)", re.sub(r"<<'EOF'.*?^EOF$", "", block, flags=re.DOTALL | re.M))
    ):
        assert re.search(rf"(\b{name}=|for {name} in)", before), name
