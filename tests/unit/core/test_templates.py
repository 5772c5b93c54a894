"""Templates are strict, sandboxed and bounded, and keep the type of a single expression."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onward.core.errors import BadTemplate
from onward.core.params import objects
from onward.core.pipeline import Param
from onward.core.templates import is_template, names, place, render, render_text

PARAMS = (Param("date", "date"), Param("at", "datetime"), Param("n", "int"), Param("cities", "list"))
VALUES = objects(
    PARAMS, {"date": "2026-11-22", "at": "2026-11-22T06:30:00+00:00", "n": 3, "cities": ["a", "b"]}
)
CONTEXT: dict[str, Any] = {
    **VALUES,
    "params": VALUES,
    "env": {"landing": "landing-bucket"},
    "trigger": {"uri": "gs://b/o"},
    "steps": {"clean": {"output": {"rows": 7, "items": [1, 2], "ok": True, "none": None}}},
}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ date }}", "2026-11-22"),
        ("{{ date.year }}", 2026),
        ("day {{ date.day }}", "day 22"),
        ("{{ at }}", "2026-11-22T06:30:00+00:00"),
        ("at {{ at }}", "at 2026-11-22T06:30:00+00:00"),
        ("{{ 'at ' ~ at }}", "at 2026-11-22T06:30:00+00:00"),
        ("{{ date.strftime('%Y/%m') }}", "2026/11"),
        ("{{ date - timedelta(days=1) }}", "2026-11-21"),
        ("{{ at + timedelta(hours=1) }}", "2026-11-22T07:30:00+00:00"),
        ("{{ n }}", 3),
        ("{{- n -}}", 3),
        ("{{ n + 0.5 }}", 3.5),
        ("{{ n }}!", "3!"),
        (" {{ n }}", " 3"),
        ("{{ n }}\n", "3\n"),
        ("{{ '007' }}", "007"),
        ("{{ n > 2 }}", True),
        ("{{ cities }}", ["a", "b"]),
        ("{{ cities | map('upper') }}", ["A", "B"]),
        ("{{ params.n }}", 3),
        ("{{ steps.clean.output }}", {"rows": 7, "items": [1, 2], "ok": True, "none": None}),
        ("{{ steps.clean.output.items }}", [1, 2]),
        ("{{ steps.clean.output.none }}", None),
        ("{{ steps.clean.output | tojson }}", '{"rows": 7, "items": [1, 2], "ok": true, "none": null}'),
        ("{{ trigger.size | default(0) }}", 0),
        ("{% for c in cities %}{{ c }};{% endfor %}", "a;b;"),
        ("{% if n > 2 %}many{% else %}few{% endif %}", "many"),
        ("{{ '%02d' % n }}", "03"),
        ("{{ '%02d' | format(n) }}", "03"),
        ("{{ env.landing.replace('-', '_') }}", "landing_bucket"),
        ("{{ 2.567 | round(1) }}", 2.6),
    ],
)
def test_a_template_is_rendered(template: str, value: object) -> None:
    rendered = render(template, CONTEXT)
    assert (rendered, type(rendered)) == (value, type(value))


def test_values_are_rendered_wherever_they_are_and_keys_are_not() -> None:
    value = {"a": ["{{ n }}", {"b": "x{{ n }}"}], "{{ n }}": 1, "c": (True, None, 2.5)}
    assert render(value, CONTEXT) == {"a": [3, {"b": "x3"}], "{{ n }}": 1, "c": [True, None, 2.5]}


@given(st.text())
def test_text_without_a_template_stays_as_it_is(text: str) -> None:
    if not is_template(text):
        assert render(text, {}) is text


@given(st.text())
@example("{{ n }}")
@example("{% raw %}")
def test_what_a_value_holds_is_never_a_template_itself(value: str) -> None:
    assert render("{{ x }}", {"x": value}) == value
    assert render("<{{ x }}>", {"x": value}) == f"<{value}>"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ dat }}", "there is no `dat`; did you mean `date`?"),
        ("a {{ env.nowhere }}", "there is no `nowhere` in `env`; there are `landing`"),
        ("{{ steps.claen.output }}", "there is no `claen` in `steps`; did you mean `clean`?"),
        ("{{ steps.clean.output.cols }}", "there is no `cols` in `steps.clean.output`"),
        ("{{ steps.clean.output.cols.first }}", "there is no `cols` in `steps.clean.output`"),
        ("{{ date.yaer }}", "has no attribute 'yaer'"),
        ("{{ cities[7] }}", "has no element 7"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ date + 1 }}", "unsupported operand"),
        ("{{ date - date }}", "JSON can't hold a timedelta"),
        ("{{ 1e308 * 10 }}", "JSON can't hold a float"),
        ("{{ cities.index }}", "JSON can't hold a builtin_function_or_method"),
    ],
)
def test_what_can_not_be_rendered_says_which_name_and_why(template: str, reason: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        render(template, CONTEXT)
    assert str(caught.value).startswith(f"`{template}` can't be rendered: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ date['__class__'] }}",
        "{{ (''|attr('__class__')) }}",
        "{{ n.__init__.__globals__ }}",
        "{{ '{0.__class__}'.format(n) }}",
        "{{ '{0.__class__}'.format_map({}) }}",
        "{{ date.today() }}",
        "{{ at.now() }}",
        "{{ lipsum() }}",
        "{{ cities | random }}",
        "{{ cities.append(1) }}",
        "{{ cycler(1) }}",
        "{{ self }}",
        "{{ 'x'.ljust(9) }}",
        "{{ 'x'.encode() | list }}",
        "{{ ','.join(cities) }}",
    ],
)
def test_a_template_reaches_nothing_but_its_values(template: str) -> None:
    with pytest.raises(BadTemplate):
        render(template, CONTEXT)


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'x' * 10**9 }}",
        "{{ [0] * 10**9 }}",
        "{{ 10 ** (10 ** 10) }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ range(10**9) | list }}",
        "{{ range(1001) }}",
        "{% for a in range(1000) %}{% for b in range(1000) %}x{% endfor %}{% endfor %}",
        "{% for a in range(1000) %}{{ big }}{% endfor %}",
        "{{ '%999999999d' % 1 }}",
        "{{ '%*d' % (10**9, 1) }}",
        "{{ '%999999999d' | format(1) }}",
        "{{ 'x' | center(10**9) }}",
        "{{ 'x'.ljust(10**9) }}",
        "{{ [1] | tojson(indent=10**9) }}",
        "{{ 1.5 | round(10**9, 'ceil') }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set x = big %}{{ x }}",
        "{% include 'x' %}",
        "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
        "{{ " + "not " * 5_000 + "1 }}",
        "{{ " + "1," * 50_000 + " }}",
        "{{ big ~ big ~ big }}",
    ],
)
def test_a_template_can_not_make_something_huge_out_of_something_small(template: str) -> None:
    with pytest.raises(BadTemplate):
        render(template, {"big": "x" * 500_000})


@pytest.mark.parametrize("template", ["{{ big.replace('x', big) }}", "{{ big | replace('x', big) }}"])
def test_what_would_be_huge_is_refused_before_it_is_made(template: str) -> None:
    with pytest.raises(BadTemplate, match="would be larger than 1 MiB"):
        render(template, {"big": "x" * 500_000})


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("plain", set()),
        ("{{ env.landing }}/{{ date }}", {"env.landing", "date"}),
        ("{{ steps.clean.output.rows + 1 }}", {"steps.clean.output.rows"}),
        ("{{ steps['my-step'].output }}", {"steps.my-step.output"}),
        ("{{ date.strftime(env.form) }}", {"date", "env.form"}),
        ("{{ cities[n] }}", {"cities", "n"}),
        ("{% for c in cities %}{{ c.x }}{{ loop.index }}{% endfor %}", {"cities"}),
        ("{% if a %}{{ b }}{% else %}{{ c }}{% endif %}", {"a", "b", "c"}),
        ("{{ x | default(y) }}", {"x", "y"}),
        ("{{ range(n) }}", {"n"}),
    ],
)
def test_the_names_of_a_template_are_known_before_it_is_rendered(template: str, found: set[str]) -> None:
    assert names(template) == found


def test_a_template_that_does_not_parse_says_on_which_of_its_lines() -> None:
    with pytest.raises(BadTemplate) as caught:
        render("one\n{{ two", {})
    assert place(caught.value)[0] == 2


@given(st.text(alphabet="{}%|.()[]'\"abn0 +-*~,:=\n", max_size=60))
def test_any_text_is_rendered_or_refused(text: str) -> None:
    with suppress(BadTemplate):
        render(text, CONTEXT)


def test_what_must_be_text_is_text() -> None:
    assert render_text("{{ n }}", CONTEXT) == "3"
    assert render_text("{{ n > 2 }}", CONTEXT) == "true"
    with pytest.raises(BadTemplate, match="must give text, not list"):
        render_text("{{ cities }}", CONTEXT)
