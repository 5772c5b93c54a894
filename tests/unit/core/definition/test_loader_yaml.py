"""What YAML lets happen silently is a problem: a file never means what its author did not write."""

import pytest
from unit.core.definition.loading import SOUND, STEP, problems, read


def args(value: str) -> str:
    """A pipeline with one step whose argument is written like this, on line 5."""
    return f"""\
pipeline: p
steps:
  a:
    python: {{call: 'tools.py:tell', args: {{
      x: {value}
    }}}}
"""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1: the file is empty"),
        ("# nothing\n", "1: the file is empty"),
        ("just text\n", "1: must be a mapping, not `just text`; its keys are `pipeline`, `description`, "),
        ("- a\n- b\n", "1: must be a mapping, not a list; its keys are "),
        ("a: b: c\n", "1: not YAML: mapping values are not allowed in this context"),
        ("pipeline: p\nsteps: [a\n", "3: not YAML: did not find expected ',' or ']'"),
        (
            "pipeline: p\nsteps:\n\ta: 1\n",
            "3: not YAML: found character that cannot start any token; indent with spaces",
        ),
        ("pipeline: p\n---\npipeline: q\n", "2: a second document begins here; one file holds one document"),
        ("pipeline: p\nx: \x07\n", "2: the control character '\\x07' is not allowed; remove it"),
        ("pipeline: p\nx: \ud800\n", "2: the control character '\\ud800' is not allowed; remove it"),
        (
            "pipeline: !!python/object:os.system p\n",
            "1: pipeline: the tag `tag:yaml.org,2002:python/object:os.system`",
        ),
        ("pipeline: *p\n", "1: pipeline: no anchor `&p` ends above this alias"),
        ("pipeline: &p [*p]\n", "1: pipeline: no anchor `&p` ends above this alias"),
        ("pipeline: " + "[" * 51 + "]" * 51, "1: pipeline: nested more than 50 levels deep"),
        ("pipeline: " + "{a: " * 100_000, "1: pipeline.a.a.a"),
        ("x" * (1024 * 1024 + 1), "1: the file is larger than 1 MiB"),
        ("? [a]\n: b\n", "1: a key must be text"),
    ],
)
def test_what_is_not_a_pipeline_in_yaml_is_refused_with_its_line(text: str, problem: str) -> None:
    assert any(found.startswith(problem) for found in problems(text))


def test_aliases_that_multiply_are_refused_before_they_are_expanded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    [found] = problems("\n".join(lines))
    assert found == "6: a5: the file has more than 250,000 values, counting every use of an alias"


def test_aliases_can_not_nest_beyond_the_depth_of_a_file() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 5_000))]
    [found] = problems("\n".join(lines))
    assert found == "49: a48: nested more than 50 levels deep"


@pytest.mark.parametrize("word", ["no", "Yes", "on", "OFF"])
def test_a_word_that_is_a_boolean_to_some_readers_must_be_quoted(word: str) -> None:
    assert problems(args(word)) == [
        f"5: steps.a.python.args.x: `{word}` is a boolean to some readers of YAML; "
        f'quote it if you mean the text: "{word}"'
    ]
    assert read(args(f'"{word}"')).step("a").does.args == {"x": word}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "number",
    ["010", "0x1F", "0b11", "1_000", "12:30", ".inf", ".nan", "1" * 30, "9223372036854775808", "1e999"],
)
def test_a_number_that_readers_disagree_about_must_be_quoted(number: str) -> None:
    [found] = problems(args(number))
    assert found.startswith("5: steps.a.python.args.x: ")
    assert found.endswith(f'quote it if you mean the text: "{number}"')


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2026-11-22", "2026-11-22"),
        ("2026-11-22T06:30:00Z", "2026-11-22T06:30:00Z"),
        ("12", 12),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("null", None),
        ("'12'", "12"),
        ("y", "y"),
        ("1.2.3", "1.2.3"),
        ("gs://bucket/a*b", "gs://bucket/a*b"),
    ],
)
def test_a_plain_word_means_what_json_says_and_a_date_is_text(written: str, value: object) -> None:
    assert read(args(written)).step("a").does.args == {"x": value}  # type: ignore[union-attr]


def test_a_key_that_is_not_text_must_be_quoted() -> None:
    assert problems(SOUND.replace("who: all", "1: all, null: x")) == [
        "25: steps.tell.python.args: the key nothing must be text; quote it",
        "25: steps.tell.python.args: the key the number 1 must be text; quote it",
    ]


@pytest.mark.parametrize("value", ["{{ date }}", "{{ date }}/x"])
def test_a_template_without_quotes_is_explained_once(value: str) -> None:
    assert problems(SOUND.replace("{who: all}", "{who: " + value + "}")) == [
        '25: steps.tell.python.args.who: a key must be text; a template must be quoted: "{{ ... }}"'
    ]


def test_a_template_without_quotes_that_reads_as_no_mapping_is_explained_too() -> None:
    [problem] = problems(SOUND.replace("{who: all}", '{who: {{ "x" "y" }}}'))
    assert problem.endswith('; a value with a template must be quoted: "{{ ... }}"')


def test_what_is_written_once_may_be_used_again() -> None:
    text = f"""\
pipeline: p
steps:
  a: &a
    {STEP}
    retry: &twice {{attempts: 2}}
  b: {{<<: *a, needs: [a], timeout: 1h}}
  c: {{{STEP}, retry: {{<<: *twice, attempts: 3}}}}
"""
    a, b, c = read(text).steps
    assert (b.does, b.retry, b.needs) == (a.does, a.retry, ("a",))
    assert c.retry.attempts == 3


def test_a_problem_in_what_is_used_again_is_said_where_it_is_used() -> None:
    text = f"pipeline: p\nsteps:\n  a: &a {{{STEP}, timeout: 5}}\n  b: *a\n"
    assert [found.split(":")[0] for found in problems(text)] == ["3", "3"]


def test_only_mappings_can_be_merged() -> None:
    assert problems(f"pipeline: p\nsteps:\n  a: {{{STEP}, <<: x}}\n") == [
        "3: steps.a: `<<` merges mappings only"
    ]


def test_a_byte_order_mark_is_ignored() -> None:
    assert read("\ufeff" + SOUND).name == "weather"
