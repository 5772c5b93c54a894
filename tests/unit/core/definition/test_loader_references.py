"""Whatever a template names is there when it is rendered, and whatever a trigger captures is declared."""

# ruff: noqa: E501 - a message is easier to read in one piece

import pytest
from unit.core.definition.loading import SOUND, STEP, problems, read


def said(template: str) -> list[str]:
    """What is said about this template as an argument of `publish`, which needs `totals`, which needs `clean`."""
    prefix = "22: steps.publish.workflow.args.date: "
    quoted = "'" + template.replace("'", "''") + "'"
    found = problems(SOUND.replace('"{{ date }}"', quoted))
    assert all(problem.startswith(prefix) for problem in found)
    return [problem.removeprefix(prefix) for problem in found]


@pytest.mark.parametrize(
    "template",
    [
        "{{ date.year }}-{{ limit + 1 }} {{ params.date }} {{ params.limit }}",
        "{{ env.work }}",
        "{{ trigger.uri }} {{ trigger.bucket }} {{ trigger.name }} {{ trigger.generation }} {{ trigger.size }}",
        "{{ trigger.date }}",
        "{{ run.id }} {{ run.pipeline }} {{ run.started }} {{ run.try }} {{ step.name }} {{ step.attempt }}",
        "{{ steps.clean.output.rows }} {{ steps['totals'].outputs[0] }}",
        "{% for x in range(limit) %}{{ x }}{{ loop.index }}{% endfor %}",
        "{{ (date - timedelta(days=1)).strftime('%Y%m%d') }}",
        "{{ limit if limit > 2 else 'few' }}",
    ],
)
def test_a_template_may_name_all_that_is_there(template: str) -> None:
    assert read(SOUND.replace('"{{ date }}"', '"' + template + '"')).name == "weather"


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{{ dat }}", "no parameter is named `dat`; did you mean `date`?"),
        ("{{ zzz }}", "no parameter is named `zzz`; there are `date` and `limit`"),
        ("{{ params.dat }}", "no parameter is named `dat`; did you mean `date`?"),
        ("{{ landing }}", "no parameter is named `landing`; did you mean `env.landing`?"),
        ("{{ env.lading }}", "no value of env is named `lading`; did you mean `landing`?"),
        ("{{ trigger['ur'] }}", "no fact of the trigger is named `ur`; did you mean `uri`?"),
        ("{{ run.ids }}", "no fact of the run is named `ids`; did you mean `id`?"),
        ("{{ step.nam }}", "no fact of the step is named `nam`; did you mean `name`?"),
        ("{{ steps.claen.output }}", "no step is named `claen`; did you mean `clean`?"),
        ("{{ steps.clean.outptu }}", "no result of a step is named `outptu`; did you mean `output`?"),
        (
            "{{ steps[date].output }}",
            "`steps` must be followed by a step's name; such as `steps.clean.output`",
        ),
        (
            "{{ steps.tell.output }}",
            "`tell` has not ended when `publish` begins; add it to `steps.publish.needs`",
        ),
        (
            "{{ steps.publish.output }}",
            "`publish` has not ended when `publish` begins; add it to `steps.publish.needs`",
        ),
        (
            "{{ date",
            "the template does not parse: unexpected end of template, expected 'end of print statement'.",
        ),
        (
            "{{ date | dfault }}",
            "the template does not parse: no filter is named `dfault`; did you mean `default`?",
        ),
        (
            "{% set x = 1 %}",
            "the template does not parse: `assign` is not available in templates; use expressions, if and for",
        ),
        (
            "{{ date is defnied }}",
            "the template does not parse: no test is named `defnied`; did you mean `defined`?",
        ),
    ],
)
def test_a_name_that_is_not_there_is_said_with_a_hint(template: str, problem: str) -> None:
    assert said(template) == [problem]


def test_every_name_of_a_template_is_checked() -> None:
    assert len(said("{% if aa %}{{ bb }}{% endif %}{{ 1 + cc.x }}")) == 3


def test_the_line_of_a_problem_is_the_line_within_the_template() -> None:
    text = SOUND.replace("{who: all}}", "{}}").replace(
        '    python: {call: "tools.py:tell", args: {}}',
        '    python:\n      call: "tools.py:tell"\n      args:\n        text: |\n          one\n          {{ two',
    )
    assert problems(text)[0].startswith("30: steps.tell.python.args.text: the template does not parse: ")


def test_a_step_with_a_dash_is_named_in_brackets() -> None:
    text = f"pipeline: p\nsteps:\n  my-step: {{{STEP}}}\n  b:\n    needs: [my-step]\n"
    text += '    python: {call: "tools.py:tell", args: {x: "{{ steps%s.output }}"}}\n'
    assert read(text % "['my-step']").name == "p"
    assert '6: steps.b.python.args.x: no step is named `my`; did you mean `steps["my-step"]`?' in problems(
        text % ".my-step"
    )


def test_a_template_outside_of_a_value_is_no_template() -> None:
    assert problems(SOUND.replace("{who: all}", '{"{{ date }}": x}')) == [
        "25: steps.tell.python.args: the key `{{ date }}` is not rendered; use templates in values only"
    ]


def test_without_a_trigger_nothing_is_known_of_one() -> None:
    text = SOUND.replace(
        'trigger:\n  object: {bucket: "{{ env.landing }}", match: "stations/{date}/*.csv"}\n', ""
    )
    assert problems(text) == [
        "10: steps.clean.dataflow.args.input: `trigger.uri` is not available here; the pipeline has no trigger"
    ]


@pytest.mark.parametrize(
    ("bucket", "problem"),
    [
        ("{{ env.nowhere }}", "no value of env is named `nowhere`; there are `landing` and `work`"),
        ("{{ date }}", "`date` is not available here; only `env` is"),
        ("{{ run.id }}", "`run.id` is not available here; only `env` is"),
        ("a/b", "`a/b` is not a bucket's name; 3 to 222 of a-z, 0-9, `-`, `_` and `.`"),
        ("a..b", "`a..b` is not a bucket's name; 3 to 222 of a-z, 0-9, `-`, `_` and `.`"),
        ("{{ env.landing.x.y }}", "`{{ env.landing.x.y }}` can't be rendered: "),
    ],
)
def test_a_bucket_is_known_before_any_run(bucket: str, problem: str) -> None:
    [found] = problems(SOUND.replace("{{ env.landing }}", bucket))
    assert found.startswith(f"5: trigger.object.bucket: {problem}")


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        (
            "a/{date}/{dat}",
            "5: trigger.object.match: captures `{dat}`, but no parameter is named `dat`; did you mean `date`?",
        ),
        (
            "a/{date}/{zzz}",
            "5: trigger.object.match: captures `{zzz}`, but no parameter is named `zzz`; add `zzz: string` to params",
        ),
        (
            "a/*.csv",
            "7: params.date: no arrival could start a run: `a/*.csv` does not capture it; capture it or give a default",
        ),
        ("a/{date", "5: trigger.object.match: `{date` is not complete; write [{] for the character itself"),
    ],
)
def test_captured_names_and_parameters_fit(pattern: str, problem: str) -> None:
    assert problems(SOUND.replace("stations/{date}/*.csv", pattern).replace("trigger.date", "date")) == [
        problem
    ]


def test_each_pattern_must_capture_what_is_required() -> None:
    text = SOUND.replace('match: "stations/{date}/*.csv"', 'match: ["a/{date}", "b/{limit}"]')
    assert problems(text) == [
        "7: params.date: no arrival could start a run: `b/{limit}` does not capture it; capture it or give a default"
    ]


def test_a_default_is_parsed_as_its_type() -> None:
    text = SOUND.replace("default: 3", "default: '3'").replace(
        "date: date", "date: {type: date, default: 2026-11-22}"
    )
    assert [param.default for param in read(text).params] == ["2026-11-22", 3]
    assert problems(SOUND.replace("date: date", "date: {type: date, default: 2026-02-30}")) == [
        "7: params.date.default: must be a date such as 2026-11-22, not `2026-02-30`"
    ]
