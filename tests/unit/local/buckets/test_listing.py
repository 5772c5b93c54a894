"""What lies in a bucket's folder, by glob."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from onward.core.errors import UserError
from onward.local.buckets import Buckets, generation


@pytest.fixture
def buckets(tmp_path: Path) -> Buckets:
    for name in ("in/b.csv", "in/a.csv", "in/deep/er/c.csv", "in/.hidden.csv", "in/d.csv.tmp", "in/x.txt"):
        path = tmp_path / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("data")
    return Buckets(tmp_path)


def names(buckets: Buckets, glob: str) -> list[str]:
    return [each.uri.removeprefix("gs://landing/") for each in buckets.list(f"gs://landing/{glob}")]


def test_objects_are_listed_by_name_without_hidden_and_temporary_ones(buckets: Buckets) -> None:
    assert names(buckets, "in/*.csv") == ["in/a.csv", "in/b.csv"]
    assert names(buckets, "in/**/*.csv") == ["in/a.csv", "in/b.csv", "in/deep/er/c.csv"]
    assert names(buckets, "in/a.csv") == ["in/a.csv"]
    assert names(buckets, "out/*") == []


def test_a_listed_object_has_the_generation_that_its_arrival_has(buckets: Buckets) -> None:
    (found,) = buckets.list("gs://landing/in/a.csv")
    assert found.generation == generation((buckets.root / "landing/in/a.csv").stat())
    assert found.size == 4


def test_no_bucket_holds_nothing(buckets: Buckets) -> None:
    assert list(buckets.list("gs://nothing/*")) == []


@pytest.mark.parametrize("glob", ["gs://landing/../*", "gs://landing/a**", "landing/*", "gs://landing/a//*"])
def test_what_is_no_glob_of_a_bucket_is_refused(buckets: Buckets, glob: str) -> None:
    with pytest.raises(UserError):
        list(buckets.list(glob))


@pytest.mark.parametrize(
    ("uri", "ages"),
    [
        ("gs://work/day/a.csv", (1, 1)),
        ("gs://work/day/*.csv", (1, 3)),
        ("gs://work/day/", (1, 7)),
        ("gs://work/**/*.txt", (7, 7)),
        ("gs://work/d*", (1, 7)),
        ("gs://work/none.csv", None),
        ("gs://work/none*", None),
        ("gs://none/none/", None),
    ],
)
def test_how_old_the_oldest_and_the_newest_file_is_of_all_that_a_uri_names(
    tmp_path: Path, uri: str, ages: tuple[int, int] | None
) -> None:
    for name, at in {"day/a.csv": 1, "day/b.csv": 3, "day/deep/c.txt": 7, "day/.d.csv": 9}.items():
        path = tmp_path / "work" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        os.utime(path, ns=(at * 1_000, at * 1_000))
    assert Buckets(tmp_path).ages(uri) == ages
