"""An arrival starts the pipelines whose pattern its name matches, with the values the pattern captures."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onward.core import matching
from onward.core.matching import BadPattern, ObjectArrival, literal_prefix
from onward.core.pipeline import ObjectTrigger


def captured(pattern: str, name: str) -> dict[str, str] | None:
    return matching.compile(pattern).match(name)


@pytest.mark.parametrize(
    ("pattern", "name", "values"),
    [
        ("a.csv", "a.csv", {}),
        ("a.csv", "aXcsv", None),
        ("*.csv", "a.csv", {}),
        ("*.csv", "d/a.csv", None),
        ("*.csv", ".csv", {}),
        ("stations/*", "stations/", None),
        ("stations/*/x", "stations//x", None),
        ("stations/**", "stations/a/b", {}),
        ("stations/**", "stations/", None),
        ("stations/**", "stations", None),
        ("**", "a/b/c", {}),
        ("**/*.csv", "a.csv", {}),
        ("**/*.csv", "a/b/c.csv", {}),
        ("a/**/z", "a/z", {}),
        ("a/**/z", "a/b/c/z", {}),
        ("a/**/b/**/z", "a/b/z", {}),
        ("a/**/b/**/z", "a/x/z/b/z", {}),
        ("a/**/b/**/z", "a/x/z", None),
        ("a/**/a", "a", None),
        ("**/{d}/x", "p/q/x", {"d": "q"}),
        ("?.csv", "é.csv", {}),
        ("?.csv", ".csv", None),
        ("[ab].csv", "b.csv", {}),
        ("[a-c]x[!0-9]", "bxy", {}),
        ("[a-c]x[!0-9]", "bx1", None),
        ("[[]x[]]", "[x]", {}),
        ("[*]{n}", "*y", {"n": "y"}),
        ("[\\^]", "^", {}),
        ("stations/{date}/*.csv", "stations/2026-11-22/x.csv", {"date": "2026-11-22"}),
        ("stations/{date}/*.csv", "stations//x.csv", None),
        ("x_{date}.csv", "x_2026.csv", {"date": "2026"}),
        ("x_{date}.csv", "x_.csv", None),
        ("x_{date}.csv", "x_a.csv.csv", {"date": "a.csv"}),
        ("{a}_{b}.csv", "x_y_z.csv", {"a": "x", "b": "y_z"}),
        ("{a}_{b}.csv", "_x_y.csv", {"a": "_x", "b": "y"}),
        ("{a}/{b}", "a\nb/'\"; rm -rf ~", {"a": "a\nb", "b": "'\"; rm -rf ~"}),
        ("{a}/{b}", "../..", {"a": "..", "b": ".."}),
        ("{a}*.csv".replace("*", "-*"), "x-y.csv", {"a": "x"}),
        ("a+b(c).$", "a+b(c).$", {}),
    ],
)
def test_a_pattern_matches_the_whole_name(pattern: str, name: str, values: dict[str, str] | None) -> None:
    assert captured(pattern, name) == values


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("", "a part is empty; a name has no slash at its ends, and no two in a row"),
        ("/a", "a part is empty; a name has no slash at its ends, and no two in a row"),
        ("a//b", "a part is empty; a name has no slash at its ends, and no two in a row"),
        ("a**", "`**` must be a whole part, not in `a**`; write `**/*` for files at any depth"),
        ("{a}{b}", "two wildcards touch in `{a}{b}`; put a character between them"),
        ("*{a}", "two wildcards touch in `*{a}`; put a character between them"),
        ("{a}/{a}", "{a} is captured twice; use each name once"),
        ("{Date}", "`{Date}` is not complete; write [{] for the character itself"),
        ("[ab", "`[ab` is not complete; write [[] for the character itself"),
        ("[z-a]", "`[z-a]` can't be read: bad character range z-a at position 6"),
        ("x" * 1025, "a pattern has at most 1,024 characters"),
    ],
)
def test_a_pattern_that_means_nothing_is_refused(pattern: str, problem: str) -> None:
    with pytest.raises(BadPattern) as caught:
        matching.compile(pattern)
    assert str(caught.value) == problem


PARTS = st.text(alphabet="ab.\n", min_size=1, max_size=4)
TOKENS = st.lists(st.sampled_from(["a", "b", ".", "?", "*", "[ab]"]), min_size=1, max_size=5).map("".join)
PATTERNS = st.lists(TOKENS | st.just("**"), min_size=1, max_size=5).map("/".join)


@given(PATTERNS, st.lists(PARTS, min_size=1, max_size=6).map("/".join))
def test_matching_agrees_with_a_search_that_tries_everything(pattern: str, name: str) -> None:
    if any("**" in part and part != "**" for part in pattern.split("/")):
        return
    assert (captured(pattern, name) is not None) == exhaustive(pattern.split("/"), name.split("/"))


def exhaustive(pattern: list[str], parts: list[str]) -> bool:
    """The rules by plain recursion."""
    if not pattern:
        return not parts
    first, rest = pattern[0], pattern[1:]
    if first == "**":
        least = 0 if rest else 1
        return any(exhaustive(rest, parts[n:]) for n in range(least, len(parts) + 1))
    regex = first.replace(".", r"\.").replace("*", ".*").replace("?", ".")
    return (
        bool(parts) and re.fullmatch(regex, parts[0], re.DOTALL) is not None and exhaustive(rest, parts[1:])
    )


@given(st.lists(st.text(alphabet="ab_", min_size=1), min_size=2, max_size=4))
def test_what_is_captured_put_back_gives_the_name(parts: list[str]) -> None:
    name = "_".join(parts)
    values = captured("{a}_{b}", name)
    if values is not None:
        assert f"{values['a']}_{values['b']}" == name
        assert "_" not in values["a"][1:]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*a" * 300 + "b", "a" * 1024),
        ("*?" * 300 + "b", "a" * 1024),
        ("{x}a" + "*a" * 200 + "b", "a" * 1024),
        ("**/a/" * 100 + "b", "a/" * 511 + "a"),
        ("**/" * 300 + "b", "a/" * 511 + "a"),
        ("**/*a*a*a*a*b/" * 30 + "c", "aaaaaaaaaaaa/" * 78),
    ],
)
def test_a_hostile_name_takes_no_more_time_than_its_length(pattern: str, name: str) -> None:
    # With a matcher that tries every way, none of these would end.
    assert captured(pattern, name) is None


@pytest.mark.parametrize(
    ("trigger", "values"),
    [
        (ObjectTrigger("landing", ("x/*", "{kind}/{file}")), {}),
        (ObjectTrigger("landing", ("{kind}/{file}", "x/*")), {"kind": "x", "file": "1.csv"}),
        (ObjectTrigger("other", ("**",)), None),
        (ObjectTrigger("landing", ("y/*",)), None),
        (ObjectTrigger("landing", ("x/*",), exclude=("**/*.tmp", "x/1.*")), None),
        (ObjectTrigger("landing", ("x/*",), exclude=("*",)), {}),
        (ObjectTrigger("landing", ("x/*",), min_size=100), {}),
        (ObjectTrigger("landing", ("x/*",), min_size=101), None),
        (ObjectTrigger("landing", ("x/*",), metadata={"source": "sap"}), {}),
        (ObjectTrigger("landing", ("x/*",), metadata={"source": "crm"}), None),
        (ObjectTrigger("landing", ("x/*",), metadata={"source": "sap", "checked": "yes"}), None),
    ],
)
def test_an_object_is_for_a_trigger_that_all_of_it_fits_and_the_first_pattern_captures(
    trigger: ObjectTrigger, values: dict[str, str] | None
) -> None:
    arrival = ObjectArrival("landing", "x/1.csv", "7", 100, {"source": "sap", "by": "me"})
    assert matching.captured(trigger, arrival) == values


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [("stations/{date}/*", "stations/"), ("a/b", "a/b"), ("**", ""), ("a[bc]", "a"), ("a?", "a")],
)
def test_the_literal_prefix_is_what_every_match_begins_with(pattern: str, prefix: str) -> None:
    assert literal_prefix(pattern) == prefix
