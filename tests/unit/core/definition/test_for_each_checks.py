"""What a file says of a list is read, and its mistakes are told with what to do."""

# ruff: noqa: E501 - a message is easier to read in one piece

import pytest
from onward.core.pipeline import Allowance, ForEach
from unit.core.definition.loading import problems, read


def text(step: str, args: str = "", more: str = "") -> str:
    """A pipeline whose step `m` has these keys; `z` comes after it."""
    return (
        "pipeline: many\n"
        "params: {date: date, names: {type: list, default: [a]}}\n"
        "steps:\n"
        '  first: {python: {call: "tools.py:tell"}}\n'
        "  m:\n"
        "    needs: [first]\n"
        f'    python: {{call: "tools.py:tell", args: {{{args}}}}}\n'
        f"    {step}\n"
        "  z:\n"
        "    needs: [m]\n"
        f'    python: {{call: "tools.py:tell", args: {{{more}}}}}\n'
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("[a, 1, {b: 2}]", ForEach(["a", 1, {"b": 2}])),
        ('"{{ names }}"', ForEach("{{ names }}")),
        ('"{{ steps.first.output.files }}"', ForEach("{{ steps.first.output.files }}")),
        ("{items: [1], as: number}", ForEach([1], name="number")),
        (
            '{objects: "gs://{{ env.landing }}/{{ date }}/*.csv"}',
            ForEach(None, "gs://{{ env.landing }}/{{ date }}/*.csv"),
        ),
        (
            '{items: "{{ names }}", as: region, for_each: {items: ["{{ region }}-1"], as: zone}}',
            ForEach("{{ names }}", name="region", inner=ForEach(["{{ region }}-1"], name="zone")),
        ),
    ],
)
def test_a_list_is_written_down_or_given_by_a_template_or_a_glob(written: str, meant: ForEach) -> None:
    step = read(text(f"for_each: {written}")).step("m")
    assert step.for_each == meant
    assert (step.max_parallel, step.allow_failures) == (32, Allowance())


def test_lanes_and_failures_are_part_of_it() -> None:
    step = read(text("for_each: [1]\n    max_parallel: 4\n    allow_failures: 2.5%")).step("m")
    assert (step.max_parallel, step.allow_failures) == (4, Allowance(percent=2.5))


@pytest.mark.parametrize("args", ['a: "{{ item.name }} {{ index + 1 }}"', 'a: "{{ item }}-{{ date }}"'])
def test_templates_of_the_step_may_name_the_item_and_its_place(args: str) -> None:
    read(text("for_each: [1]", args))


def test_what_comes_after_it_may_name_the_list_of_its_outputs() -> None:
    read(text("for_each: [1]", more='a: "{{ steps.m.output }}"'))


@pytest.mark.parametrize(
    ("step", "args", "more", "problem"),
    [
        ("for_each: names", "", "", "8: steps.m.for_each: `names` is text, not a list; write a list, or `{{ }}` around what gives one; for objects: `objects: gs://…`"),
        ("for_each: {items: 3}", "", "", "8: steps.m.for_each.items: must be a list, or a template of one"),
        ("for_each: 3", "", "", "8: steps.m.for_each: must be a list, a template of one, or a mapping, not the number 3"),
        ("for_each: {as: x}", "", "", "8: steps.m.for_each: needs exactly one of `items` and `objects`"),
        ("for_each: {items: [1], as: date}", "", "", "8: steps.m.for_each: an item can't be called `date`: it is a parameter's name; say `as: NAME`"),
        ("for_each: {items: [1], as: steps}", "", "", "8: steps.m.for_each: an item can't be called `steps`: it is a word with a meaning in templates; say `as: NAME`"),
        ("for_each: {items: [[1]], for_each: [2]}", "", "", "8: steps.m.for_each: an item can't be called `item`: it is what the list around it calls its own; say `as: NAME`"),
        ('for_each: ["{{ item }}"]', "", "", "8: steps.m.for_each: `item` is not available here; only a step with `for_each` has it"),
        ('for_each: {items: "{{ nmes }}"}', "", "", "8: steps.m.for_each.items: no parameter is named `nmes`; did you mean `names`?"),
        ('for_each: "{{ steps.z.output }}"', "", "", "8: steps.m.for_each: `z` has not ended when `m` begins; add it to `steps.m.needs`"),
        ("for_each: {items: [1], as: region}", 'a: "{{ item }}"', "", "7: steps.m.python.args.a: no parameter is named `item`; there are `date`, `index`, `names` and `region`"),
        ("for_each: [1]", "", 'a: "{{ item }}"', "11: steps.z.python.args.a: `item` is not available here; only a step with `for_each` has it"),
        ("for_each: [1]", "", 'a: "{{ steps.m.outputs }}"', "11: steps.z.python.args.a: each item of `m` has outputs of its own; `steps.m.output` is the list of what its items returned"),
        ("for_each: [1]\n    when: always", "", "", "9: steps.m.when: its items would go on in a run that is cancelled; write `all_done`"),
        ("max_parallel: 3", "", "", "8: steps.m.max_parallel: is about the items of a list, and there is none; add `for_each`"),
        ("allow_failures: 1", "", "", "8: steps.m.allow_failures: is about the items of a list, and there is none; add `for_each`"),
        ("for_each: [1]\n    max_parallel: 0", "", "", "9: steps.m.max_parallel: must be a whole number from 1 to 1,000, not the number 0"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_what_to_do(step: str, args: str, more: str, problem: str) -> None:
    assert problems(text(step, args, more)) == [problem]


def test_a_streaming_job_runs_over_no_list() -> None:
    streaming = (
        "pipeline: p\nsteps:\n  s:\n    dataflow: {main: clean.py, detached: true}\n    for_each: [1]\n"
    )
    assert problems(streaming) == [
        "4: steps.s.dataflow.detached: can't be together with `for_each`; remove one of the two"
    ]
