"""A story per construct of the Workflows syntax."""

# ruff: noqa: E501 - a definition is easier to read in one piece

from __future__ import annotations

import json

import pytest
from fake_world import Execute, FakeIo
from onward.local.gcw import WorkflowError, load, run
from onward.local.gcw.errors import failure


def failed(execute: Execute, source: str, args: object = None) -> WorkflowError:
    with pytest.raises(WorkflowError) as caught:
        execute(source, args)
    return caught.value


# Arguments, return


def test_main_gets_the_argument_and_returns_a_value(execute: Execute) -> None:
    source = "main:\n  params: [args]\n  steps:\n    - s: {return: {got: '${args.x}', plain: text, list: [1, '${1 + 1}']}}"
    assert execute(source, {"x": [1]}) == {"got": [1], "plain": "text", "list": [1, 2]}


def test_a_definition_may_be_a_bare_list_of_steps_and_returns_null_without_return(execute: Execute) -> None:
    assert execute("- s: {assign: [{a: 1}]}") is None


def test_main_without_an_argument_gets_its_default_or_null(execute: Execute) -> None:
    assert execute("main:\n  params: [{args: {x: 5}}]\n  steps: [{s: {return: '${args.x}'}}]") == 5
    assert execute("main:\n  params: [args]\n  steps: [{s: {return: '${args}'}}]") is None


def test_an_argument_over_32_kb_is_refused(execute: Execute) -> None:
    error = failed(execute, "main:\n  params: [args]\n  steps: [{s: {return: 1}}]", {"x": "y" * 33_000})
    assert error.tags == ("ResourceLimitError",)


def test_json_source_runs_like_yaml(io: FakeIo) -> None:
    tree = {"main": {"params": ["args"], "steps": [{"s": {"return": '${args + "é😀"}'}}]}}
    assert run(load(json.dumps(tree, indent="\t"), "flow.json"), "a", io) == "aé😀"


def test_scalars_are_read_as_the_service_reads_them(execute: Execute) -> None:
    result = execute("- s: {return: [yes, on, 1:30, 2026-01-01, 010, 0x1F, 1e3, ~, TRUE, '1', .5]}")
    assert result == ["yes", "on", "1:30", "2026-01-01", 10, 31, 1000.0, None, True, "1", 0.5]


# Assign


def test_assign_sets_fields_items_and_computed_keys_in_order(execute: Execute) -> None:
    source = """
        - set:
            assign:
              - m: {a: {b: [{}, {c: 0}]}, 1: one}
              - k: c
              - m.a.b[0 + 1][k]: 5
              - m["new key"]: ${m.a.b[1].c + 1}
              - m[k + "2"]: 7
              - list: [1, 2]
              - list[len(list) - 1]: ${list}
        - done: {return: ['${m}', '${list}']}
    """
    assert execute(source) == [
        {"a": {"b": [{}, {"c": 5}]}, "1": "one", "new key": 6, "c2": 7},
        [1, [1, 2]],
    ]


def test_an_assigned_value_is_a_copy(execute: Execute) -> None:
    source = """
        - set:
            assign:
              - a: {x: [1]}
              - b: ${a}
              - b.x[0]: 2
        - done: {return: ['${a.x[0]}', '${b.x[0]}']}
    """
    assert execute(source) == [1, 2]


@pytest.mark.parametrize(
    ("target", "tag"),
    [("m.missing.x", "KeyError"), ("l[5]", "IndexError"), ("l.x", "TypeError"), ("n.x", "TypeError")],
)
def test_assigning_to_a_place_that_is_not_there_fails(execute: Execute, target: str, tag: str) -> None:
    error = failed(execute, f"- set: {{assign: [{{m: {{}}}}, {{l: [1]}}, {{n: 5}}, {{'{target}': 1}}]}}")
    assert error.tags == (tag,)
    assert (error.step, error.line) == ("set", 1)


def test_a_variable_over_512_kb_is_refused(execute: Execute) -> None:
    source = """
        - init: {assign: [{s: xxxxxxxxxxxxxxxx}]}
        - grow: {assign: [{s: '${s + s}'}], next: grow}
    """
    assert failed(execute, source).tags == ("ResourceLimitError",)


# Jumps and nested steps


def test_next_jumps_back_forth_and_to_the_end(execute: Execute, io: FakeIo) -> None:
    source = """
        - first: {call: sys.log, args: {text: first}, next: third}
        - second: {call: sys.log, args: {text: second}, next: end}
        - third: {next: second}
        - never: {call: sys.log, args: {text: never}}
    """
    assert execute(source) is None
    assert [text for _, text in io.logs] == ["first", "second"]


def test_nested_steps_share_the_scope_and_may_jump_out(execute: Execute) -> None:
    source = """
        - group:
            steps:
              - inner: {assign: [{a: 1}], next: after}
              - skipped: {assign: [{a: 2}]}
        - skipped_too: {assign: [{a: 3}]}
        - after: {return: '${a}'}
    """
    assert execute(source) == 1


def test_a_loop_without_end_stops_at_the_limit_of_steps(execute: Execute) -> None:
    assert failed(execute, "- again: {next: again}").tags == ("ResourceLimitError",)


# Switch


@pytest.mark.parametrize(("x", "result"), [(1, "one"), (2, "two!"), (3, "rest"), (4, "after")])
def test_switch_takes_the_first_true_condition(execute: Execute, x: int, result: str) -> None:
    source = """
        main:
          params: [x]
          steps:
            - choose:
                switch:
                  - condition: ${x == 1}
                    return: one
                  - condition: ${x == 2}
                    steps:
                      - word: {assign: [{word: two}]}
                      - shout: {return: '${word + "!"}'}
                  - condition: ${x == 4}
                    assign: [{seen: true}]
                  - condition: true
                    next: rest
                next: after
            - rest: {return: rest}
            - after: {return: after}
    """
    assert execute(source, x) == result


def test_a_condition_that_is_no_bool_fails(execute: Execute) -> None:
    assert failed(execute, "- s: {switch: [{condition: '${1}', next: end}]}").tags == ("TypeError",)


# For


def test_for_goes_over_a_list_with_value_and_index(execute: Execute) -> None:
    source = """
        - init: {assign: [{seen: []}]}
        - loop:
            for:
              value: v
              index: i
              in: [a, '${"b" + "c"}']
              steps:
                - add: {assign: [{seen: '${list.concat(seen, [i, v])}'}]}
        - done: {return: '${seen}'}
    """
    assert execute(source) == [[0, "a"], [1, "bc"]]


@pytest.mark.parametrize(
    ("bounds", "values"),
    [
        ("[2, 4]", [2, 3, 4]),
        ("[1, 1]", [1]),
        ("[3, 1]", []),
        ("[0.5, 2]", [0.5, 1.5]),
        ("'${[1, 1 + 1]}'", [1, 2]),
        ("['${0}', 1]", [0, 1]),
    ],
)
def test_range_includes_both_ends(execute: Execute, bounds: str, values: list[float]) -> None:
    source = f"""
        - init: {{assign: [{{seen: []}}]}}
        - loop: {{for: {{value: v, range: {bounds}, steps: [{{a: {{assign: [{{seen: '${{list.concat(seen, v)}}'}}]}}}}]}}}}
        - done: {{return: '${{seen}}'}}
    """
    assert execute(source) == values


def test_break_and_continue_steer_the_innermost_loop(execute: Execute) -> None:
    source = """
        - init: {assign: [{seen: []}]}
        - outer:
            for:
              value: a
              in: [1, 2]
              steps:
                - inner:
                    for:
                      value: b
                      range: [1, 9]
                      steps:
                        - choose:
                            switch:
                              - {condition: '${b == 2}', next: continue}
                              - {condition: '${b == 4}', next: break}
                        - add: {assign: [{seen: '${list.concat(seen, a * 10 + b)}'}]}
        - done: {return: '${seen}'}
    """
    assert execute(source) == [11, 13, 21, 23]


def test_a_return_inside_a_loop_ends_the_workflow(execute: Execute) -> None:
    assert (
        execute("- l: {for: {value: v, in: [1, 2], steps: [{s: {return: '${v}'}}]}}\n- x: {return: 9}") == 1
    )


def test_a_variable_of_a_loop_is_gone_after_it(execute: Execute) -> None:
    source = """
        - init: {assign: [{v: outside}]}
        - loop: {for: {value: v, in: [1], steps: [{s: {assign: [{local: 1}]}}]}}
        - keeps: {switch: [{condition: '${v == "outside"}', next: gone}]}
        - never: {return: '${v}'}
        - gone: {return: '${local}'}
    """
    error = failed(execute, source)
    assert error.tags == ("KeyError",)
    assert error.step == "gone"


def test_a_loop_over_a_map_or_over_words_fails(execute: Execute) -> None:
    assert failed(execute, "- l: {for: {value: v, in: {a: 1}, steps: [{s: {next: end}}]}}").tags == (
        "TypeError",
    )
    assert failed(execute, "- l: {for: {value: v, range: [a, b], steps: [{s: {next: end}}]}}").tags == (
        "TypeError",
    )


# Sub-workflows


def test_a_sub_workflow_takes_arguments_by_name_by_position_and_by_default(execute: Execute) -> None:
    source = """
        main:
          steps:
            - by_name: {call: name, args: {last: L, first: F}, result: a}
            - by_position: {call: name, args: [F, L, X], result: b}
            - inside: {return: '${[a, b, name("F", "L")]}'}
        name:
          params: [first, last, country: E]
          steps:
            - s: {return: '${first + last + country}'}
    """
    assert execute(source) == ["FLE", "FLX", "FLE"]


def test_a_sub_workflow_sees_none_of_its_callers_variables(execute: Execute) -> None:
    source = """
        main:
          steps:
            - init: {assign: [{mine: 1}]}
            - call: {call: sub}
        sub:
          steps:
            - never: {switch: [{condition: false, assign: [{mine: 2}]}]}
            - s: {return: '${mine}'}
    """
    assert failed(execute, source).tags == ("KeyError",)


def test_end_in_a_sub_workflow_goes_back_to_its_caller(execute: Execute) -> None:
    source = "main: {steps: [{a: {call: sub, result: r}}, {b: {return: ['${r}']}}]}\nsub: {steps: [{s: {next: end}}]}"
    assert execute(source) == [None]


def test_calls_nest_at_most_20_deep(execute: Execute) -> None:
    source = "main: {steps: [{a: {call: main}}]}"
    assert failed(execute, source).tags == ("RecursionError",)


# Errors


def test_raise_of_a_map_or_a_string_reaches_except_as_it_is(execute: Execute) -> None:
    source = """
        main:
          params: [error]
          steps:
            - guarded:
                try: {raise: '${error}'}
                except: {as: e, steps: [{s: {return: {caught: '${e}'}}}]}
    """
    assert execute(source, {"code": 55, "message": "bad"}) == {"caught": {"code": 55, "message": "bad"}}
    assert execute(source, "bad") == {"caught": "bad"}


def test_an_uncaught_error_says_which_step_on_which_line(execute: Execute) -> None:
    error = failed(
        execute,
        """\
        main:
          steps:
            - outer:
                steps:
                  - fine: {assign: [{a: 1}]}
                  - broken:
                      call: sub
        sub:
          steps:
            - deep: {return: '${1 / 0}'}
        """,
    )
    assert (error.step, error.line) == ("deep", 10)
    assert error.message == "ZeroDivisionError: division or modulo by zero"


def test_a_try_may_hold_steps_and_its_variables_stay(execute: Execute) -> None:
    source = """
        - guarded:
            try:
              steps:
                - one: {assign: [{a: 1}]}
                - two: {assign: [{b: '${a.x}'}]}
            except:
              as: e
              steps:
                - note: {assign: [{a: '${e.tags[0]}'}]}
        - done: {return: '${a}'}
    """
    assert execute(source) == "TypeError"


def test_except_may_be_empty_and_may_raise_again(execute: Execute) -> None:
    assert execute("- g: {try: {raise: x}, except: {as: e}}\n- d: {return: 1}") == 1
    again = "- g: {try: {raise: {message: m, tags: [T]}}, except: {as: e, steps: [{again: {raise: '${e}'}}]}}"
    error = failed(execute, again)
    assert (error.tags, error.step, error.message) == (("T",), "again", "m")


def test_jumps_lead_out_of_try_and_except(execute: Execute) -> None:
    source = """
        - g:
            try: {steps: [{a: {next: second}}]}
            except: {as: e}
        - first: {return: 1}
        - second:
            try: {raise: x}
            except: {as: e, steps: [{b: {next: third}}]}
        - never: {return: 2}
        - third: {return: 3}
    """
    assert execute(source) == 3


# Retry


def http_error(code: int) -> WorkflowError:
    return failure("HttpError", f"HTTP {code}", code=code)


RETRY = """
    main:
      params: [x]
      steps:
        - guarded:
            try: {call: http.get, args: {url: 'http://x/'}}
            retry: %s
            except: {as: e, steps: [{s: {return: '${e.message}'}}]}
    only_418:
      params: [e]
      steps:
        - s: {return: '${e.code == 418}'}
"""


def test_a_retry_waits_longer_each_time_up_to_its_maximum(execute: Execute, io: FakeIo) -> None:
    io.answers = [http_error(503)] * 6
    policy = (
        "{predicate: '${http.default_retry_predicate}', max_retries: 5, "
        "backoff: {initial_delay: 1, max_delay: '${2 * 4}', multiplier: 2}}"
    )
    assert execute(RETRY % policy) == "HttpError: HTTP 503"
    assert io.slept == [1, 2, 4, 8, 8]
    assert len(io.requests) == 6


@pytest.mark.parametrize(
    ("policy", "error", "retried"),
    [
        ("'${http.default_retry}'", http_error(429), True),
        ("'${http.default_retry}'", http_error(502), True),
        ("'${http.default_retry}'", http_error(404), False),
        ("'${http.default_retry}'", http_error(500), False),
        ("'${http.default_retry}'", failure("ConnectionError", "x"), True),
        ("'${http.default_retry}'", failure("TimeoutError", "x"), True),
        ("'${http.default_retry_non_idempotent}'", http_error(503), True),
        ("'${http.default_retry_non_idempotent}'", http_error(502), False),
        ("'${http.default_retry_non_idempotent}'", failure("ConnectionFailedError", "x"), True),
        ("'${http.default_retry_non_idempotent}'", failure("ConnectionError", "x"), False),
        (
            "{predicate: '${only_418}', max_retries: 5, backoff: '${retry.default_backoff}'}",
            http_error(418),
            True,
        ),
        (
            "{predicate: '${only_418}', max_retries: 5, backoff: '${retry.default_backoff}'}",
            http_error(503),
            False,
        ),
        (
            "{predicate: '${retry.always}', max_retries: 5, backoff: '${retry.default_backoff}'}",
            http_error(1),
            True,
        ),
        (
            "{predicate: '${retry.never}', max_retries: 5, backoff: '${retry.default_backoff}'}",
            http_error(503),
            False,
        ),
    ],
)
def test_a_predicate_decides_what_is_retried(
    execute: Execute, io: FakeIo, policy: str, error: WorkflowError, retried: bool
) -> None:
    io.answers = [error] * 6
    execute(RETRY % policy)
    assert len(io.requests) == (6 if retried else 1)
    assert io.slept == ([1.0, 1.25, 1.5625, 1.953125, 2.44140625] if retried else [])


def test_a_retry_that_succeeds_goes_on(execute: Execute, io: FakeIo) -> None:
    from onward.local.gcw import HttpResponse

    io.answers = [http_error(503), HttpResponse(200, {}, b"")]
    assert execute(RETRY % "'${http.default_retry}'") is None
    assert io.slept == [1.0]


def test_negative_delays_and_predicates_that_answer_no_bool_fail(execute: Execute, io: FakeIo) -> None:
    io.answers = [http_error(503)]
    policy = "{predicate: '${retry.always}', max_retries: 1, backoff: {initial_delay: -1, max_delay: 1, multiplier: 1}}"
    assert "ValueError" in str(execute(RETRY % policy))
    source = (RETRY % "{predicate: '${odd}', max_retries: 1, backoff: '${retry.default_backoff}'}") + (
        "    odd: {params: [e], steps: [{o: {return: 1}}]}\n"
    )
    assert "TypeError: odd must return a bool" in str(execute(source))


# Parallel


def test_branches_share_only_what_is_shared(execute: Execute) -> None:
    source = """
        - init: {assign: [{total: 0}, {read: 5}]}
        - p:
            parallel:
              shared: [total]
              branches:
                - one: {steps: [{a: {assign: [{local: '${read}'}, {total: '${total + local}'}]}}]}
                - two: {steps: [{b: {assign: [{local: 1}, {total: '${total + local}'}]}}]}
        - done: {return: '${total}'}
    """
    assert execute(source) == 6


def test_a_variable_of_a_branch_is_seen_by_no_other_branch(execute: Execute) -> None:
    source = """
        - p:
            parallel:
              branches:
                - one: {steps: [{a: {assign: [{local: 1}]}}]}
                - two: {steps: [{b: {call: sys.log, args: {data: '${local}'}}}]}
    """
    error = failed(execute, source)
    assert error.tags == ("UnhandledBranchError",)
    assert "'two' in step 'b', line 6: KeyError" in error.message


def test_a_parallel_loop_gives_each_iteration_its_own_variables(execute: Execute) -> None:
    source = """
        - init: {assign: [{seen: {}}]}
        - p:
            parallel:
              shared: [seen]
              concurrency_limit: ${1 + 1}
              for:
                value: v
                index: i
                in: [a, b, c]
                steps:
                  - skip: {switch: [{condition: '${v == "b"}', next: continue}]}
                  - add: {assign: [{'seen[v]': '${i}'}]}
        - done: {return: '${seen}'}
    """
    assert execute(source) == {"a": 0, "c": 2}


def test_all_branches_run_and_their_errors_come_as_one(execute: Execute) -> None:
    source = """
        - init: {assign: [{done: []}]}
        - guarded:
            try:
              parallel:
                exception_policy: continueAll
                shared: [done]
                for:
                  value: v
                  range: [0, 3]
                  steps:
                    - odd: {switch: [{condition: '${v % 2 == 1}', raise: '${"odd " + string(v)}'}]}
                    - note: {assign: [{done: '${list.concat(done, v)}'}]}
            except: {as: e, steps: [{s: {return: ['${done}', '${e}']}}]}
    """
    result = execute(source)
    assert isinstance(result, list)
    done, error = result
    assert done == [0, 2]
    assert isinstance(error, dict)
    assert error["tags"] == ["UnhandledBranchError"]
    assert isinstance(error["branches"], list)
    assert [(branch["id"], branch["error"]["payload"]) for branch in error["branches"]] == [
        ("1", "odd 1"),
        ("3", "odd 3"),
    ]


def test_parallel_steps_nest_two_deep_and_no_deeper(execute: Execute) -> None:
    source = """
        main: {params: [n], steps: [{a: {call: deeper, args: ['${n}']}}]}
        deeper:
          params: [n]
          steps:
            - enough: {switch: [{condition: '${n == 0}', next: end}]}
            - p: {parallel: {branches: [{b: {steps: [{c: {call: deeper, args: ['${n - 1}']}}]}}]}}
    """
    assert execute(source, 2) is None
    assert "ParallelNestingError" in failed(execute, source, 3).message


@pytest.mark.parametrize("limit", ["0", "-1", "two", "1.5"])
def test_a_concurrency_limit_is_a_positive_integer(execute: Execute, limit: str) -> None:
    source = f"- p: {{parallel: {{concurrency_limit: {limit}, branches: [{{b: {{steps: [{{c: {{raise: x}}}}]}}}}]}}}}"
    assert failed(execute, source).tags == ("ValueError",)


# Results


def test_a_result_that_is_no_json_is_an_error(execute: Execute) -> None:
    assert failed(execute, """- s: {return: '${text.encode("a")}'}""").tags == ("ValueError",)
