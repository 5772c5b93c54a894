"""What README and docs show is true: their files load, their commands run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from repo.state_table import table

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"(?:#|--) (?P<file>workflows/\S+)\n")


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    for found in BLOCK.finditer(page.read_text()):
        yield found["language"], found["text"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_works_with_the_files_that_it_shows(page: Path, tmp_path: Path) -> None:
    """A block that begins with the comment `workflows/…` is that file; each `$` line of a `console` block is
    run."""
    shutil.copytree(ROOT / "workflows", tmp_path / "workflows", ignore=shutil.ignore_patterns("sample"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for language, text in blocks(page):
        if named := NAMED.match(text):
            file = tmp_path / named["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        if language != "console":
            continue
        for command in re.findall(r"^\$ (.*)$", text, re.MULTILINE):
            ran = subprocess.run(
                command,
                shell=True,
                cwd=tmp_path,
                env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT / "functions")},
                capture_output=True,
                text=True,
                check=False,
            )
            assert ran.returncode == 0, f"{page.name}: $ {command}\n{ran.stdout}{ran.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_verb_of_a_page_exists(page: Path) -> None:
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for language, text in blocks(page):
        if language == "sh":
            for verb in re.findall(r"^make ([a-z-]+)", text, re.MULTILINE):
                assert verb in verbs, f"{page.name} names make {verb}"


def test_the_json_of_a_run_is_spelt_as_the_page_says(tmp_path: Path) -> None:
    """Scripts rely on these names."""
    folder = tmp_path / "workflows" / "one"
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text('pipeline: one\nsteps:\n  s: {python: {call: "s.py:s"}}\n')
    (folder / "s.py").write_text("def s():\n    return 1\n")
    ran = subprocess.run(
        [sys.executable, "-c", "from onward.cli.main import main; main()", "run", "one", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "functions")},
        capture_output=True,
        text=True,
        check=True,
    )
    run = json.loads(ran.stdout.splitlines()[-1])
    page = ROOT / "docs" / "command-line.md"
    (told,) = [json.loads(text) for language, text in blocks(page) if language == "json"]
    assert list(run) == list(told) == ["run", "pipeline", "state", "params", "started", "ended", "steps"]
    step = ["name", "state", "attempts", "started", "ended", "job", "error", "output"]
    assert [list(entry) for one in (run, told) for entry in one["steps"]] == [step, step]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_pages_leads_to_a_heading(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
        text = (page.parent / target).read_text() if target else page.read_text()
        assert anchor in {slug(title) for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}, anchor


def slug(title: str) -> str:
    """As GitHub names a heading."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_file_of_a_page_is_python(page: Path) -> None:
    for language, text in blocks(page):
        if language == "python":
            compile(text, page.name, "exec")


def test_the_table_of_states_is_the_one_that_the_rules_make() -> None:
    assert table() in (ROOT / "docs" / "how-it-works.md").read_text()
