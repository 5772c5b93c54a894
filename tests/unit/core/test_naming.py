"""Names are derived, fit every service, and lead back to what they name."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from onward.core.naming import (
    JobName,
    cluster_name,
    group_name,
    group_of,
    item_name,
    item_of,
    job_name,
    next_try,
    parse_job_name,
    predecessor,
    run_id,
    spread,
    timer_name,
    try_number,
)

STEP = st.from_regex(r"[a-z][a-z0-9_-]{0,62}", fullmatch=True) | st.sampled_from(
    ["a" * 63, "a-" * 31, "a_" * 31, "a" * 23 + "-b", "x-" + "a" * 20 + "-1-2-3", "a-1-2-3", "a--1"]
)
RUN = st.builds(run_id, st.text(), st.text())
TRY = st.integers(1, 9_999)


def nth_try(run: str, number: int) -> str:
    return run if number == 1 else f"{run}~{number}"


@given(STEP, RUN, TRY, st.integers(0, 99_999), st.integers(1, 9_999))
def test_a_job_name_fits_every_service_and_says_whose_it_is(
    step: str, run: str, tries: int, number: int, attempt: int
) -> None:
    name = job_name(step, nth_try(run, tries), number, attempt)
    assert 4 <= len(name) <= 63
    assert re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]", name)
    assert name[0] == step[0], "readable at its front"
    assert parse_job_name(name) == JobName(nth_try(run, tries), number, attempt)


@given(STEP, st.builds(nth_try, RUN, TRY), *[st.integers(0, 99_999)] * 2, TRY)
def test_the_job_of_an_item_says_of_which(step: str, run: str, number: int, index: int, attempt: int) -> None:
    node = item_name(step, index)
    assert item_of(node) == (step, index)
    assert group_of(group_name(step, index)) == (step, index)
    name = job_name(node, run, number, attempt)
    assert 4 <= len(name) <= 63
    assert re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]", name)
    assert parse_job_name(name) == JobName(run, number, attempt, index)


@pytest.mark.parametrize("name", ["m", "m[]", "m[01]", "m[-1]", "m[1", "m[1]x", "m[~1]", "]", "m[\u0661]"])
def test_what_is_no_items_name_names_none(name: str) -> None:
    assert item_of(name) is None
    assert group_of(name) is None or name == "m[~1]"


@given(STEP, RUN, TRY, st.integers(0, 99_999), st.integers(1, 9_999))
def test_a_clusters_name_fits_dataproc_and_says_whose_it_is(
    cluster: str, run: str, tries: int, number: int, n: int
) -> None:
    name = cluster_name(cluster, nth_try(run, tries), number, n)
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,49}[a-z0-9]", name)
    assert name[0] == cluster[0], "readable at its front"
    assert parse_job_name(name) == JobName(nth_try(run, tries), number, n)


@given(
    STEP,
    RUN,
    st.tuples(TRY, st.integers(0, 99), st.integers(1, 9)),
    st.tuples(TRY, st.integers(0, 99), st.integers(1, 9)),
)
def test_two_attempts_never_share_a_name(
    step: str, run: str, one: tuple[int, int, int], two: tuple[int, int, int]
) -> None:
    assume(one != two)
    first = job_name(step, nth_try(run, one[0]), *one[1:])
    assert first != job_name(step, nth_try(run, two[0]), *two[1:])


@given(st.text() | st.from_regex(r"[a-z0-9-]{1,70}", fullmatch=True))
def test_a_name_that_is_not_ours_is_nobodys(name: str) -> None:
    found = parse_job_name(name)
    assert found is None or found.run.partition("~")[0] in name


def test_a_foreign_job_of_a_similar_name_is_nobodys() -> None:
    run = run_id("p", "x")
    ours = job_name("clean", run, 3, 1)
    assert parse_job_name(ours) is not None
    for name in (
        "",
        "clean",
        ours + "x",
        ours + "\n",
        ours.upper(),
        "1" + ours[1:],
        ours.replace(run, run[:-1]),
    ):
        assert parse_job_name(name) is None


@given(RUN, st.integers(1, 2_000))
def test_each_try_leads_to_the_one_before_and_the_one_after(run: str, number: int) -> None:
    this = nth_try(run, number)
    assert try_number(this) == number
    assert predecessor(next_try(this)) == this
    assert try_number(next_try(this)) == number + 1
    assert (predecessor(this) is None) == (number == 1)


@given(st.text(), st.lists(st.text()))
def test_a_run_id_depends_on_the_facts_alone_and_is_safe_everywhere(pipeline: str, facts: list[str]) -> None:
    run = run_id(pipeline, *facts)
    assert run == run_id(pipeline, *facts)
    assert re.fullmatch("[0-9a-f]{20}", run)


@given(st.lists(st.text(), min_size=1), st.lists(st.text(), min_size=1))
def test_other_facts_are_another_run(one: list[str], two: list[str]) -> None:
    assert (run_id(*one) == run_id(*two)) == (one == two)


def test_where_one_fact_ends_and_the_next_begins_matters() -> None:
    assert (
        len({run_id("p", "ab", "c"), run_id("p", "a", "bc"), run_id("pa", "b", "c"), run_id("p", "abc")}) == 4
    )


def test_run_ids_of_one_version_are_those_of_the_next() -> None:
    """A redelivery may reach newer code: this id must never change."""
    assert run_id("weather", "object", "landing", "stations/x.csv", "1") == "71a2f64fb49b2c7fb993"


@given(st.text(), st.text(), st.integers(0, 999), st.integers(0, 999))
def test_each_timer_has_a_name_of_its_own(run: str, node: str, n: int, m: int) -> None:
    assert (timer_name(run, node, "wake", n) == timer_name(run, node, "wake", m)) == (n == m)
    assert re.fullmatch("[0-9a-f]{32}", timer_name(run, node, "wake", n))


@given(st.lists(st.text()))
def test_jitter_looks_drawn_but_is_the_same_every_time(parts: list[str]) -> None:
    assert 0 <= spread(*parts) < 1
    assert spread(*parts) == spread(*parts)


def test_jitter_is_spread_evenly() -> None:
    drawn = sorted(spread("step", str(n)) for n in range(1_000))
    assert all(abs(value - n / 1_000) < 0.06 for n, value in enumerate(drawn))
