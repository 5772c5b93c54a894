"""Where the outputs of many runs are."""

from __future__ import annotations

from onward.core.outputs import covering, newest, readable


def test_outputs_of_a_range_of_days_are_found_by_one_glob_and_what_is_below_it() -> None:
    uris = [f"gs://work/2026-11-0{day}/clean*" for day in (1, 2, 9)]
    assert covering(uris) == ["gs://work/2026-11-0*/clean*", "gs://work/2026-11-0*/clean*/**"]


def test_outputs_of_several_buckets_and_depths_have_a_glob_each() -> None:
    globs = covering(["gs://a/1", "gs://a/2", "gs://b/1", "gs://a/1/x", "gs://a/2/x/"])
    assert set(globs) == {"gs://a/*", "gs://a/*/**", "gs://b/1", "gs://b/1/**", "gs://a/*/x", "gs://a/*/x/**"}


def test_what_differs_from_its_first_character_is_covered_by_a_star() -> None:
    assert covering(["gs://work/abc/x", "gs://work/bbc/x"])[0] == "gs://work/*/x"
    assert covering(["gs://work/ab/x", "gs://work/abc/x"])[0] == "gs://work/ab*/x"


def test_an_output_is_as_new_as_its_newest_object_or_what_is_below_it() -> None:
    updated = {"gs://w/1/clean-0": 10, "gs://w/1/clean-1": 20, "gs://w/1/other": 99, "gs://w/2/out/part-0": 5}
    listing = sorted(updated)
    assert newest("gs://w/1/clean*", listing, updated) == 20
    assert newest("gs://w/2/out/", listing, updated) == 5
    assert newest("gs://w/2/out", listing, updated) == 5
    assert newest("gs://w/1/clean", listing, updated) is None
    assert newest("gs://w/3/clean*", listing, updated) is None


def test_what_is_no_glob_of_an_object_is_not_looked_for_in_a_listing() -> None:
    assert readable("gs://work/{x") is False
    assert readable("gs://work") is False
    assert readable("elsewhere/x") is False
    assert readable("gs://work/a/**/b")
