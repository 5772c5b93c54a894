"""The expression language."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from onward.local.gcw import Value, WorkflowError
from onward.local.gcw import expressions as ex
from onward.local.gcw.evaluator import evaluate as evaluate_tree
from onward.local.gcw.tokens import ExpressionError

# Values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1.50", 1.5),
        ("2e3", 2000.0),
        ('"a\\"b\\\\\\n\\u00e9"', 'a"b\\\né'),
        ("'single'", "single"),
        ("true", True),
        ("TRUE", True),
        ("False", False),
        ("null", None),
        ("[1, [2], 'c']", [1, [2], "c"]),
        ("[]", []),
        ("7 / 2", 3.5),
        ("6 / 2", 3.0),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("7 % 3", 1),
        ("1 + 0.5", 1.5),
        ('"a" + "b"', "ab"),
        ('"é" == "é"', True),
        ("1 == 1.0", True),
        ("1 == true", False),
        ('1 == "1"', False),
        ("null == null", True),
        ("[1, 2] == [1.0, 2]", True),
        ('"a" < "b"', True),
        ("2 in [1, 2]", True),
        ("true in [1]", False),
        ('not("x" in ["y"])', True),
        ("not true or true", True),
        ("not (true or true)", False),
        ("2 + 3 * 4 - 1", 13),
        ("-2 * -3", 6),
        ("1 + 1 == 2 and 3 > 2", True),
        ("false and 1 / 0 == 1", False),
        ("true or missing_is_never_looked_up", True),
    ],
)
def test_an_expression_has_the_documented_value(text: str, value: Value) -> None:
    result = evaluate_tree(ex.parse(text), NoVariables())
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("1 // 0", "ZeroDivisionError"),
        ("1 % 0", "ZeroDivisionError"),
        ('"a" + 1', "TypeError"),
        ('"a" * 2', "TypeError"),
        ("true + 1", "TypeError"),
        ("-true", "TypeError"),
        ('not "a"', "TypeError"),
        ("1 and true", "TypeError"),
        ('1 < "2"', "TypeError"),
        ("null < 1", "TypeError"),
        ('"a" in "abc"', "TypeError"),
        ("[1][1]", "IndexError"),
        ("[1][-1]", "IndexError"),
        ("[1].a", "TypeError"),
        ("[1][true]", "TypeError"),
        ("9223372036854775807 + 1", "ValueError"),
        ("missing", "KeyError"),
    ],
)
def test_a_mistake_raises_the_documented_tag(text: str, tag: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        evaluate_tree(ex.parse(text), NoVariables())
    assert caught.value.tags == (tag,)
    assert caught.value.message.startswith(f"{tag}: ")


class NoVariables:
    def lookup(self, name: str) -> Value:
        from onward.local.gcw.errors import failure

        raise failure("KeyError", name)

    def call(self, function: str, arguments: list[Value]) -> Value:
        raise AssertionError(function, arguments)


# Syntax


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a value was expected at column 1, found the end"),
        ("1 +", "a value was expected at column 4"),
        ("1 2", "an operator was expected at column 3, found `2`"),
        ("(1", "`)` was expected"),
        ("[1, ", "a value was expected"),
        ("a.1", "an operator was expected"),
        ("a . ", "a field name was expected"),
        ("f(1", "`)` was expected"),
        ("f(1)(2)", "an operator was expected"),
        ("1 < 2 < 3", "comparisons do not chain"),
        ("x not in y", "an operator was expected"),
        ('"open', "not closed"),
        ('"\\q"', "unknown escape \\q"),
        ('{"a": 1}', "maps and nested ${} cannot be written inside an expression"),
        ("a @ b", "unexpected '@' at column 3"),
        ("a ? b : c", "unexpected '?'"),
        ("(" * 60 + "1" + ")" * 60, "nested more than 50 deep"),
        ("1" + "+1" * 200, "401 characters; the limit is 400"),
    ],
)
def test_a_syntax_error_says_what_was_expected_and_where(text: str, says: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        ex.parse(text)
    assert says in str(caught.value)


@given(st.text(max_size=60) | st.text("()[].,\"'+-*/%<>=!andorti 01ab\\", max_size=40))
def test_any_text_is_an_expression_or_a_syntax_error(text: str) -> None:
    try:
        ex.parse(text)
    except ExpressionError:
        return


# Precedence, against Python's own: for these operators the two agree.

numbers = st.integers(0, 99).map(str)
sums = st.recursive(
    numbers,
    lambda inner: st.one_of(
        inner.map("({})".format),
        inner.map("-{}".format),
        st.builds("{} {} {}".format, inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner),
    ),
    max_leaves=7,
)
comparisons = st.builds("{} {} {}".format, sums, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), sums)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        inner.map("({})".format),
        inner.map("not {}".format),
        st.builds("{} {} {}".format, inner, st.sampled_from(["and", "or"]), inner),
    ),
    max_leaves=4,
)


@given(sums | conditions)
def test_precedence_and_arithmetic_agree_with_python(text: str) -> None:
    assume(len(text) <= ex.MAX_LENGTH)
    try:
        expected = eval(text, {})
    except ZeroDivisionError:
        with pytest.raises(WorkflowError) as caught:
            evaluate_tree(ex.parse(text), NoVariables())
        assert caught.value.tags == ("ZeroDivisionError",)
        return
    result = evaluate_tree(ex.parse(text), NoVariables())
    assert result == expected
    assert type(result) is type(expected)


# Round trip: the printer puts parentheses everywhere, so it knows nothing of precedence.


def written(tree: ex.Expression) -> str:  # noqa: PLR0911  (one per kind of node)
    match tree:
        case ex.Literal(str(value)):
            return '"' + "".join(f"\\u{ord(char):04x}" for char in value) + '"'
        case ex.Literal(value):
            return (
                {None: "null", True: "true", False: "false"}[value] if type(value) is not int else str(value)
            )
        case ex.Name(name):
            return name
        case ex.Member(base, key):
            return f"{written(base)}.{key}"
        case ex.Index(base, index):
            return f"{written(base)}[{written(index)}]"
        case ex.Call(function, arguments):
            return f"{function}({', '.join(map(written, arguments))})"
        case ex.ListOf(items):
            return f"[{', '.join(map(written, items))}]"
        case ex.Unary(operator, operand):
            return f"({operator} ({written(operand)}))"
        case ex.Binary(operator, left, right):
            return f"(({written(left)}) {operator} ({written(right)}))"


names = st.sampled_from(["a", "b_1", "iffy", "order", "nothing"])
basic = st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"])
leaves = (
    st.builds(ex.Literal, st.none() | st.booleans() | st.integers(0, 10**9))
    | st.builds(
        ex.Literal, st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=4)
    )
    | st.builds(ex.Name, names)
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(ex.Member, st.builds(ex.Name, names), names),
        st.builds(ex.Index, st.builds(ex.Name, names), inner),
        st.builds(ex.Call, st.sampled_from(["f", "text.split"]), st.lists(inner, max_size=2).map(tuple)),
        st.builds(ex.ListOf, st.lists(inner, max_size=3).map(tuple)),
        st.builds(ex.Unary, st.sampled_from(["-", "not"]), inner),
        st.builds(ex.Binary, st.sampled_from(sorted(ex.BINDING)), inner, inner),
    ),
    max_leaves=8,
)


@given(trees)
def test_what_is_written_out_parses_back_to_the_same_tree(tree: ex.Expression) -> None:
    text = written(tree)
    assume(len(text) <= ex.MAX_LENGTH)
    assert ex.parse(text) == tree
