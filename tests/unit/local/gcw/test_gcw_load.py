"""Loading a definition: what is refused, by name and line, before anything runs."""

# ruff: noqa: E501 - a definition is easier to read in one piece

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onward.core.errors import BadPipeline
from onward.local.gcw import Definition, load

Problems = Callable[[str], list[str]]


def one_step(step: str) -> str:
    return f"main:\n  params: [args]\n  steps:\n    - only:\n        {step}\n"


@pytest.mark.parametrize(
    "function",
    [
        "events.create_callback_endpoint",
        "events.await_callback",
        "experimental.executions.map",
        "executions.run",
        "googleapis.bigquery.v2.jobs.query",
        "googleapis.storage.v1.buckets.insert",
    ],
)
def test_a_function_that_the_interpreter_lacks_is_refused_by_name_and_line(
    problems: Problems, function: str
) -> None:
    source = f"main:\n  steps:\n    - wait:\n        call: {function}\n        args: {{}}\n"
    assert problems(source) == [f"flow.yaml:4: main.wait: {function} is not available locally"]


def test_all_problems_are_found_in_one_go_in_the_order_of_the_file(problems: Problems) -> None:
    found = problems("""\
        main:
          params: [args]
          steps:
            - one:
                call: events.await_callback
            - two:
                assign:
                  - a: ${text.spilt("a", "b")}
                  - b: ${1 +}
            - three:
                switch:
                  - condition: true
                    next: nowhere
            - four:
                retrun: 5
    """)
    assert found == [
        "flow.yaml:5: main.one: events.await_callback is not available locally",
        "flow.yaml:8: main.two: there is no function or sub-workflow `text.spilt`; did you mean `text.split`?",
        "flow.yaml:9: main.two: a value was expected at column 4, found the end",
        "flow.yaml:13: main.three: `next`: there is no step `nowhere` to jump to;"
        " jumps lead to steps beside or around",
        "flow.yaml:14: main.four: a step needs one of"
        " assign, call, switch, for, parallel, try, raise, return, steps, next",
        "flow.yaml:15: main.four: `retrun` is not available here; did you mean `return`?",
    ]


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ('return: "gs://${args.x}"', "an expression must be the whole value"),
        ("return: ${args.x} and ${args.y}", "an expression must be the whole value"),
        (
            "return: ${http.get('http://x')}",
            "http.get cannot be called inside an expression; use a `call` step",
        ),
        ("return: ${len()}", "len needs the argument `value`"),
        ("return: ${len(1, 2)}", "len takes at most 1 arguments, 2 are given"),
        ("return: ${nothing}", "nothing assigns the variable `nothing`"),
        ("return: ${agrs.x}", "nothing assigns the variable `agrs`; did you mean `args`?"),
        ("assign: [{a-b: 1}]", "cannot assign to `a-b`"),
        ("assign: [{len(x): 1}]", "cannot assign to `len(x)`"),
        ("assign: {a: 1}", "`assign` must be a list"),
        ("assign: [{a: 1, b: 2}]", "each item of `assign` must be a map with one key"),
        ("assign: []", "`assign` must not be empty"),
        ("call: http.get", "http.get needs the argument `url`"),
        (
            "{call: http.get, args: {url: x, ca_certificate: y}}",
            "http.get has no argument `ca_certificate` locally",
        ),
        ("{call: sys.log, args: 5}", "`args` must be a map or a list"),
        ("{call: sys.log, args: {text: x}, result: a.b}", "`result` must name a variable"),
        ("{call: sys.log, assign: [{a: 1}]}", "a step does one thing, not call and assign"),
        ("{return: 1, next: end}", "`next` is not available here"),
        ("switch: [{next: end}]", "each item of `switch` needs `condition`"),
        ("switch: [{condition: true}]", "a step needs one of"),
        ("next: break", "`next: break` is not available here"),
        ("for: {value: v, steps: [{a: {next: end}}]}", "a `for` needs one of `in` and `range`"),
        ("for: {in: [1], steps: [{a: {next: end}}]}", "for needs `value`"),
        (
            "for: {value: v, range: [1], steps: [{a: {next: end}}]}",
            "`range` is a list of the first and the last",
        ),
        ("for: {value: v, in: [1], while: true, steps: [{a: {next: end}}]}", "`while` is not available here"),
        ("parallel: {shared: [args]}", "a `parallel` needs one of `branches` and `for`"),
        ("parallel: {exception_policy: stop, branches: [{b: {steps: [{a: {raise: x}}]}}]}", "continueAll"),
        (
            "parallel: {branches: [{b: {steps: [{a: {return: x}}]}}]}",
            "`return` in a parallel branch is not available",
        ),
        ("parallel: {branches: [{b: {steps: [{a: {next: end}}]}}]}", "`next: end` is not available here"),
        (
            "parallel: {for: {value: v, in: [1], steps: [{a: {next: break}}]}}",
            "`next: break` is not available here",
        ),
        (
            "parallel: {branches: [{b: {assign: [{args: 1}]}}]}",
            "`args` is assigned in a parallel step, so it must be",
        ),
        (
            "parallel: {shared: [z], branches: [{b: {assign: [{z: 1}]}}]}",
            "the shared variable `z` must be assigned",
        ),
        ("try: {raise: x}", "a `try` needs `retry` or `except`"),
        ("{try: {raise: x}, except: {steps: [{a: {raise: y}}]}}", "except needs `as`"),
        (
            "{try: {raise: x}, retry: '${http.retry}'}",
            "the retry policy `http.retry` is not available locally",
        ),
        ("{try: {raise: x}, retry: {max_retries: 3}}", "retry needs `predicate`"),
        (
            "{try: {raise: x}, retry: {predicate: '${mine}', max_retries: 3, backoff: '${retry.default_backoff}'}}",
            "there is no function or sub-workflow `mine`",
        ),
        ("x: &anchor 1", "the YAML anchor &anchor is not available locally"),
        ("x: !tag 1", "the YAML tag !tag is not available locally"),
        ("return: 99999999999999999999", "does not fit into a 64-bit integer"),
    ],
)
def test_a_mistake_in_a_step_is_named_with_its_place(problems: Problems, step: str, says: str) -> None:
    found = problems(one_step(step))
    assert any(says in problem for problem in found), found
    assert all(problem.startswith(("flow.yaml:4: main.only: ", "flow.yaml:5: ")) for problem in found), found


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("", "flow.yaml:1: the file is empty"),
        ("main: [", "flow.yaml:1: not YAML"),
        ("a: 1\na: 2", "flow.yaml:2: the key `a` is there twice"),
        ("5", "flow.yaml:1: source: a definition must be a map"),
        ("other: {steps: [{a: {return: 1}}]}", "there is no workflow `main`"),
        ("main: {}", "flow.yaml:1: main: a workflow needs `steps`"),
        ("main: {step: []}", "`step` is not available here; did you mean `steps`?"),
        ("main: {params: [a, b], steps: [{s: {return: 1}}]}", "`main` takes one parameter"),
        ("main: {params: [1], steps: [{s: {return: 1}}]}", "`params` lists names"),
        ("main: {steps: [{s: {return: 1}}, {s: {return: 2}}]}", "two steps are named `s`"),
        ("main: {steps: [{end: {return: 1}}]}", "a step cannot be named `end`"),
        ("[" * 5000, "nested more than 100 deep"),
        ("- a: {return: " + "[" * 150 + "]" * 150 + "}", "nested more than 100 deep"),
        ("main: \x00", "not YAML"),
        ("#" * 140_000, "larger than 128 KB"),
        ("? {a: 1}\n: 2", "a key must be a string"),
        ("--- 1\n--- 2", "expected a single document"),
    ],
)
def test_a_file_that_is_no_definition_is_refused(problems: Problems, source: str, says: str) -> None:
    assert any(says in problem for problem in problems(source)), problems(source)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("args: {n: 1}", None),
        ("args: [1, 2]", None),
        ("args: '${args}'", None),
        ("args: {m: 1}", "sub has no argument `m` locally (it takes n, more)"),
        ("args: {more: 1}", "sub needs the argument `n`"),
        ("args: [1, 2, 3]", "sub takes at most 2 arguments, 3 are given"),
    ],
)
def test_the_arguments_of_a_sub_workflow_must_fit_its_parameters(
    problems: Problems, arguments: str, says: str | None
) -> None:
    source = (
        one_step(f"{{call: sub, {arguments}}}")
        + "sub:\n  params: [n, more: 2]\n  steps: [{s: {return: 1}}]\n"
    )
    if says is None:
        load(source, "flow.yaml")
    else:
        assert problems(source) == [f"flow.yaml:5: main.only: {says}"]


def test_an_argument_of_a_connector_that_means_nothing_here_is_let_through() -> None:
    load(
        one_step(
            "{call: googleapis.storage.v1.objects.list, args: {bucket: b, connector_params: {timeout: 5}}}"
        ),
        "flow.yaml",
    )


def test_a_variable_of_a_branch_may_have_the_name_of_a_later_one() -> None:
    load(
        "main:\n  steps:\n"
        "    - p: {parallel: {branches: [{b: {assign: [{answer: 1}]}}]}}\n"
        "    - later: {assign: [{answer: 2}]}\n",
        "flow.yaml",
    )


NESTED = """\
main:
  steps:
    - init: {{assign: [{{x: 1}}]}}
    - outer:
        parallel:
          shared: {outer}
          branches:
            - one:
                steps:
                  - inner: {{parallel: {{shared: {inner}, branches: [{{two: {{assign: [{{x: 2}}]}}}}]}}}}
"""


@pytest.mark.parametrize(
    ("outer", "inner", "fits"), [("[x]", "[x]", True), ("[x]", "[i]", False), ("[i]", "[x]", False)]
)
def test_every_parallel_step_around_an_assignment_must_share_its_variable(
    problems: Problems, outer: str, inner: str, fits: bool
) -> None:
    source = NESTED.format(outer=outer, inner=inner).replace("{x: 1}", "{x: 1}, {i: 1}")
    if fits:
        load(source, "flow.yaml")
    else:
        assert problems(source) == [
            "flow.yaml:10: main.two: `x` is assigned in a parallel step, so it must be in `shared`"
        ]


def test_a_loop_or_a_handler_inside_a_branch_has_variables_of_its_own() -> None:
    load(
        "- init: {assign: [{x: 1}]}\n"
        "- p: {parallel: {branches: [{b: {for: {value: x, in: [1], steps: [{s: {assign: [{x: 2}]}}]}}}]}}\n"
        "- q: {parallel: {branches: [{c: {try: {raise: e}, except: {as: x, steps: [{t: {assign: [{x: 2}]}}]}}}]}}\n"
        "- r: {parallel: {for: {value: x, in: [1], steps: [{u: {assign: [{x: 2}]}}]}}}\n",
        "flow.yaml",
    )


def test_nothing_jumps_into_steps_or_out_of_a_branch(problems: Problems) -> None:
    assert problems("- a: {next: inner}\n- b: {steps: [{inner: {raise: x}}]}") == [
        "flow.yaml:1: main.a: `next`: there is no step `inner` to jump to; jumps lead to steps beside or around"
    ]
    assert problems("- a: {parallel: {branches: [{b: {steps: [{c: {next: out}}]}}]}}\n- out: {raise: x}") == [
        "flow.yaml:1: main.c: `next`: there is no step `out` to jump to; jumps lead to steps beside or around"
    ]


def test_hostile_names_stay_on_one_line_of_the_message(problems: Problems) -> None:
    [problem] = problems('main: {steps: [{"a\\nb\\e[31m": {call: "x\\ny"}}]}')
    assert "\n" not in problem
    assert "\x1b" not in problem


def outcome(source: str) -> Definition | tuple[object, ...]:
    try:
        return load(source, "flow.yaml")
    except BadPipeline as error:
        return error.problems


@given(st.text(max_size=80) | st.text("main: stepscall{}[],-\n$\"'&*!|>?", max_size=80))
def test_any_text_is_a_definition_or_a_list_of_problems(text: str) -> None:
    assert outcome(text)


nodes = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["${x}", "end", "http.get", "a b", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "main",
                    "steps",
                    "call",
                    "args",
                    "result",
                    "assign",
                    "switch",
                    "condition",
                    "next",
                    "for",
                    "value",
                    "in",
                    "range",
                    "index",
                    "parallel",
                    "shared",
                    "branches",
                    "try",
                    "retry",
                    "predicate",
                    "max_retries",
                    "backoff",
                    "except",
                    "as",
                    "raise",
                    "return",
                    "params",
                    "s",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(nodes)
def test_any_json_is_a_definition_or_a_list_of_problems(tree: object) -> None:
    assert outcome(json.dumps({"main": {"steps": [{"s": tree}]}}))
