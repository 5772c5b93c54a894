"""A function that ends a run knows whether another pipeline waits for it, mostly without reading any."""

from __future__ import annotations

from pathlib import Path

import pytest
from onward import catalog
from onward.deployed import Deployed
from onward.plans import Plans
from onward.stores.memory import MemoryStore

STEPS = 'steps: {only: {python: {call: "a.py:f"}}}\n'


def deployed(folder: Path, **triggers: str) -> Deployed:
    for name, trigger in triggers.items():
        (folder / name).mkdir()
        (folder / name / "pipeline.yaml").write_text(f"pipeline: {name}\n{trigger}\n{STEPS}")
        (folder / name / "a.py").write_text("def f(): pass\n")
    return Deployed(folder, "code", lambda: Plans(MemoryStore()))


def test_a_pipeline_whose_end_another_waits_for_is_followed(tmp_path: Path) -> None:
    found = deployed(
        tmp_path,
        extract="",
        report="trigger: {pipeline: extract}",
        joined="trigger: {pipeline: {pipelines: [report, rates], join: day}}\nparams: {day: date}",
        rates="description: not after extract, but named beside it",
    )
    assert {name: found.followed(name) for name in ("extract", "report", "rates", "joined")} == {
        "extract": True,
        "report": True,
        "rates": True,
        "joined": False,
    }


def test_no_pipeline_is_read_for_one_that_no_other_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = deployed(tmp_path, extract="", other="description: something else")
    monkeypatch.setattr(catalog, "read", lambda *_: pytest.fail("the pipelines were read"))
    assert not found.followed("extract")
