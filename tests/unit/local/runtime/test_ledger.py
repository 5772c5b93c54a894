"""The arrivals ledger: what was taken is never taken again, and what was not committed is."""

from __future__ import annotations

from pathlib import Path

from onward.local.ledger import Ledger
from onward.stores.sqlite import SqliteStore


def ledger(path: Path) -> Ledger:
    """As a runtime that starts now sees it."""
    return Ledger(SqliteStore(path / "state.db").connection)


def test_an_arrival_is_known_at_once_and_lasts_when_its_run_is_committed(tmp_path: Path) -> None:
    here = ledger(tmp_path)
    here.took("inbox", "a.csv", "1")
    here.save()
    assert here.known("inbox", "a.csv") == "1"
    assert ledger(tmp_path).known("inbox", "a.csv") is None
    here.settle("inbox", "a.csv", "1")
    here.save()
    assert ledger(tmp_path).known("inbox", "a.csv") == "1"


def test_a_file_whose_times_are_set_before_its_run_is_committed_is_known_by_its_new_generation(
    tmp_path: Path,
) -> None:
    here = ledger(tmp_path)
    here.took("inbox", "a.csv", "1")
    here.touched("inbox", "a.csv", "2")
    here.save()
    assert ledger(tmp_path).known("inbox", "a.csv") is None
    here.settle("inbox", "a.csv", "1")
    here.save()
    assert ledger(tmp_path).known("inbox", "a.csv") == "2"


def test_a_file_whose_times_are_set_later_is_known_by_its_new_generation(tmp_path: Path) -> None:
    here = ledger(tmp_path)
    here.took("inbox", "a.csv", "1")
    here.settle("inbox", "a.csv", "1")
    here.touched("inbox", "a.csv", "2")
    here.save()
    assert ledger(tmp_path).known("inbox", "a.csv") == "2"


def test_a_file_that_is_rewritten_before_its_first_run_is_committed_is_not_taken_for_done(
    tmp_path: Path,
) -> None:
    here = ledger(tmp_path)
    here.took("inbox", "a.csv", "1")
    here.took("inbox", "a.csv", "2")
    here.settle("inbox", "a.csv", "1")
    here.save()
    assert ledger(tmp_path).known("inbox", "a.csv") == "1"


def test_the_entry_of_a_file_that_is_gone_is_dropped(tmp_path: Path) -> None:
    here = ledger(tmp_path)
    for name in ("gone.csv", "there.csv"):
        here.took("inbox", name, "1")
        here.settle("inbox", name, "1")
    here.save()
    here.forget_missing(lambda bucket, name: (bucket, name) == ("inbox", "there.csv"))
    again = ledger(tmp_path)
    assert again.known("inbox", "gone.csv") is None
    assert again.known("inbox", "there.csv") == "1"
