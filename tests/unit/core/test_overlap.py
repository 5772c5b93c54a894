"""Whether one object could match two globs is answered exactly, as if every name had been tried."""

import re
from functools import cache
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onward.core import matching
from onward.core.overlap import ANYTHING, automaton


def overlap(one: str, other: str) -> bool:
    found = automaton(f"gs://b/{one}").meets(automaton(f"gs://b/{other}"))
    assert automaton(f"gs://b/{other}").meets(automaton(f"gs://b/{one}")) == found
    return found


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/c", False),
        ("a/b", "a/b/c", False),
        ("a/*", "a/b", True),
        ("a/*", "a/b/c", False),
        ("a/*", "a//", False),
        ("a/**", "a/b/c", True),
        ("a/**", "b/**", False),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/yz", False),
        ("a/**/z", "**/y/*", True),
        ("**/x/**", "a/**/y", True),
        ("*.csv", "*.json", False),
        ("*.csv", "a*", True),
        ("a*b", "*a*ba", False),
        ("{date}.csv", ".csv", False),
        ("*.csv", ".csv", True),
        ("?.csv", "é.csv", True),
        ("?.csv", "/.csv", False),
        ("[a-c]", "b", True),
        ("[a-c]", "[c-e]", True),
        ("[a-c]", "[d-e]", False),
        ("[a-c]", "[!abc]", False),
        ("[a-c]", "[!ac]", True),
        ("[!a]", "[!b]", True),
        ("[+-9]", "/", False),
        ("[]]", "]", True),
        ("[z-a]", "q", True),
        ("[ab", "[[]ab", True),
        ("a.c", "abc", False),
        ("a\nb", "a?b", True),
        (f"{ANYTHING}.csv", "stations/{date}/*.csv", True),
        (f"{ANYTHING}.csv", "stations/{date}/*.json", False),
        (f"out/{ANYTHING}", "stations/{date}/*.csv", False),
        (f"{ANYTHING}", "**", True),
        (f"a/{ANYTHING}/b", "a/b", False),
        (f"a/{ANYTHING}/b", "a/*/*/b", True),
    ],
)
def test_two_globs_overlap_if_a_name_matches_both(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) == expected


WORDS = ["".join(chars) for length in range(1, 8) for chars in product("ab/", repeat=length)]

# Short enough that two of them that have a name in common have a short one.
PIECES = ["a", "b", "/", "/**/", "**", "?", "*", "{x}", "[ab]", "[!a]"]
PATTERNS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join)
LOOSE = {"a": "a", "b": "b", "/": "/", "?": "[^/]", "a*": "a[^/]*", "[!a]": "[^/a]", ANYTHING: ".*"}


@cache
def matched(pattern: str) -> frozenset[str]:
    """Every short name that the pattern of a trigger matches."""
    compiled = matching.compile(pattern)
    return frozenset(word for word in WORDS if compiled.match(word) is not None)


def is_pattern(text: str) -> bool:
    try:
        return bool(matching.compile(text))
    except matching.BadPattern:
        return False


@given(PATTERNS.filter(is_pattern), PATTERNS.filter(is_pattern))
def test_two_patterns_overlap_exactly_if_some_name_starts_both(one: str, other: str) -> None:
    assert overlap(one, other) == bool(matched(one) & matched(other))


@given(
    st.lists(st.sampled_from(sorted(LOOSE)), min_size=1, max_size=4).filter(lambda pieces: pieces[-1] != "/"),
    PATTERNS.filter(is_pattern),
)
def test_an_output_overlaps_a_pattern_exactly_if_some_name_it_may_have_starts_it(
    pieces: list[str], pattern: str
) -> None:
    written = re.compile("".join(LOOSE[piece] for piece in pieces), re.DOTALL)
    assert overlap("".join(pieces), pattern) == any(map(written.fullmatch, matched(pattern)))


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_a_glob_that_overlaps_itself_and_everything(text: str, other: str) -> None:
    assert overlap(text, text)
    assert overlap(text, ANYTHING)
    overlap(text, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("*a" * 300 + "b", "a" * 600),
        ("**/*a*a*a*b/" * 20 + "c", "*a*a*a/" * 20 + "d"),
        ("**/" * 200 + "b", f"a{ANYTHING}" * 100 + "a"),
    ],
)
def test_hostile_globs_take_no_more_time_than_the_product_of_their_lengths(one: str, other: str) -> None:
    # By trying every way, none of these would end.
    assert not overlap(one, other)
