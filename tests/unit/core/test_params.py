"""Parameters are typed, or refused with all that is wrong."""

import json
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onward.core.errors import BadParameter
from onward.core.params import bind, objects
from onward.core.pipeline import PARAM_TYPES, Param


def bound(type_: str, value: Any) -> Any:
    return bind((Param("x", type_),), {"x": value})["x"]


@pytest.mark.parametrize(
    ("type_", "given", "value"),
    [
        ("string", "a\nb'\"", "a\nb'\""),
        ("string", "", ""),
        ("int", "12", 12),
        ("int", " -12 ", -12),
        ("int", 12, 12),
        ("float", "1.5", 1.5),
        ("float", "1e3", 1000.0),
        ("float", 2, 2.0),
        ("bool", "true", True),
        ("bool", "False", False),
        ("bool", True, True),
        ("date", "2026-11-22", "2026-11-22"),
        ("date", "20261122", "2026-11-22"),
        ("datetime", "2026-11-22T06:30:00Z", "2026-11-22T06:30:00+00:00"),
        ("datetime", "2026-11-22 06:30", "2026-11-22T06:30:00+00:00"),
        ("datetime", "2026-11-22T06:30:00.5+02:00", "2026-11-22T06:30:00.500000+02:00"),
        ("list", "a, b,c", ["a", "b", "c"]),
        ("list", '["a", 1, true, null]', ["a", 1, True, None]),
        ("list", ["a", 1], ["a", 1]),
        ("list", "", []),
    ],
)
def test_a_value_is_parsed_as_its_type(type_: str, given: object, value: object) -> None:
    assert (bound(type_, given), type(bound(type_, given))) == (value, type(value))


@pytest.mark.parametrize(
    ("type_", "given", "problem"),
    [
        ("string", 12, "must be text, not the number 12"),
        ("string", None, "must be text, not nothing"),
        ("string", "\udcff", "is not valid Unicode: `\\udcff`"),
        ("int", "1.0", "must be a whole number, not `1.0`"),
        ("int", True, "must be a whole number, not true"),
        ("int", "1_000", "must be a whole number, not `1_000`"),
        ("int", "9" * 5_000, "must be a whole number, not `" + "9" * 77 + "...`"),
        ("int", str(2**63), "is larger than 64 bits"),
        ("float", "nan", "must be a number, not `nan`"),
        ("float", "1_0", "must be a number, not `1_0`"),
        ("bool", "yes", "must be true or false, not `yes`"),
        ("bool", 1, "must be true or false, not the number 1"),
        ("date", "2026-02-30", "must be a date such as 2026-11-22, not `2026-02-30`"),
        ("date", "2026-1122", "must be a date such as 2026-11-22, not `2026-1122`"),
        ("date", "22.11.2026", "must be a date such as 2026-11-22, not `22.11.2026`"),
        ("datetime", "2026-11-22", "must be a time such as 2026-11-22T06:30:00Z, not `2026-11-22`"),
        (
            "datetime",
            "2026-11-22T25:00Z",
            "must be a time such as 2026-11-22T06:30:00Z, not `2026-11-22T25:00Z`",
        ),
        ("list", "[1", "must be a list such as a,b,c or a JSON array, not `[1`"),
        ("list", [[1]], "must be a list of single values; a list is none"),
        ("list", "[NaN]", "must be a list of single values; the number nan is none"),
        ("list", "[" * 100_000, "must be a list such as a,b,c or a JSON array, not `" + "[" * 77 + "...`"),
    ],
)
def test_what_does_not_parse_is_refused_with_its_reason(type_: str, given: object, problem: str) -> None:
    with pytest.raises(BadParameter) as caught:
        bound(type_, given)
    assert str(caught.value) == f"the parameter `x` {problem}"


def test_all_that_is_wrong_is_said_at_once() -> None:
    params = (Param("date", "date"), Param("limit", "int"), Param("city", "string"))
    with pytest.raises(BadParameter) as caught:
        bind(params, {"limit": "x", "ctiy": "Oslo", "city": "Oslo"})
    assert str(caught.value).splitlines() == [
        "no parameter is named `ctiy`; did you mean `city`?",
        "the parameter `date` (date) is missing",
        "the parameter `limit` must be a whole number, not `x`",
    ]


def test_a_pipeline_without_parameters_says_so() -> None:
    with pytest.raises(BadParameter, match="no parameter is named `x`; there are none"):
        bind((), {"x": 1})


def test_a_default_is_taken_when_nothing_is_given() -> None:
    params = (Param("a", "int", required=False, default=3), Param("b", "string", required=False))
    assert bind(params, {}) == {"a": 3, "b": None}
    assert bind(params, {"a": "4"}) == {"a": 4, "b": None}


def test_parameters_are_at_most_32_kib_together() -> None:
    params = (Param("a", "string"), Param("b", "string"))
    assert bind(params, {"a": "x" * 16_000, "b": "x" * 16_000})
    with pytest.raises(BadParameter, match="at most 32,768 are allowed"):
        bind(params, {"a": "x" * 16_384, "b": "x" * 16_384})


def test_templates_see_dates_as_objects_that_print_as_they_are_written() -> None:
    params = (Param("d", "date"), Param("t", "datetime"), Param("n", "date", required=False))
    seen = objects(params, bind(params, {"d": "20261122", "t": "2026-11-22T06:30:00+02:00"}))
    assert seen["d"] == date(2026, 11, 22)
    assert seen["t"] == datetime(2026, 11, 22, 6, 30, tzinfo=timezone(timedelta(hours=2)))
    assert (str(seen["d"]), str(seen["t"]), seen["n"]) == ("2026-11-22", "2026-11-22T06:30:00+02:00", None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
)


@given(st.sampled_from(PARAM_TYPES), JSON)
def test_whatever_is_given_is_bound_to_what_json_holds_or_refused(type_: str, value: object) -> None:
    params = (Param("x", type_),)
    try:
        first = bind(params, {"x": value})
    except BadParameter:
        return
    assert json.loads(json.dumps(first, allow_nan=False)) == first
    assert bind(params, first) == first
