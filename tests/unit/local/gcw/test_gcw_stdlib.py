"""The standard library, function by function."""

from __future__ import annotations

import pytest
from fake_world import Execute, FakeIo
from onward.local.gcw import Value, WorkflowError


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('int("-12")', -12),
        ("int(2.7)", 2),
        ('double("2.5")', 2.5),
        ("double(2)", 2.0),
        ("string(1.5)", "1.5"),
        ("string(true)", "true"),
        ("string(null)", "null"),
        ('len("é")', 1),
        ("len([1, 2])", 2),
        ("default(null, 1)", 1),
        ("default(false, 1)", False),
        ("if(true, 1, 2)", 1),
        ("if(null, 1, 2)", 2),
        ("get_type(1.0)", "double"),
        ("get_type([])", "list"),
        ('get_type(text.encode("a"))', "bytes"),
        ("list.concat([1], [2])", [1, [2]]),
        ("list.prepend([1], 0)", [0, 1]),
        ("math.abs(-3)", 3),
        ("math.floor(-1.5)", -2),
        ("math.max(1, 2.5)", 2.5),
        ("math.min(1, 2)", 1),
        ('text.split("a,b", ",")', ["a", "b"]),
        ('text.substring("hello", 1, 3)', "el"),
        ('text.to_upper("é")', "É"),
        ('text.to_lower("É")', "é"),
        ('text.find_all("abab", "ab")', [0, 2]),
        (
            'text.find_all_regex("HelloWorld", "Hello|World")',
            [{"index": 0, "match": "Hello"}, {"index": 5, "match": "World"}],
        ),
        ('text.match_regex("abc", "b+")', True),
        ('text.match_regex("abc", "^b")', False),
        ('text.replace_all("a.b.", ".", "-")', "a-b-"),
        ('text.replace_all_regex("a1b22", "[0-9]+", "#")', "a#b#"),
        ('text.url_encode("a b/ü?")', "a%20b%2F%C3%BC%3F"),
        ('text.url_encode_plus("a b/")', "a+b%2F"),
        ('text.url_decode("a%20b%2F")', "a b/"),
        ('text.decode(text.encode("é"))', "é"),
        ('base64.encode(text.encode("ab"))', "YWI="),
        ('base64.encode(text.encode("ab"), false)', "YWI"),
        ('text.decode(base64.decode("YWI="))', "ab"),
        ('text.decode(base64.decode("YWI", false))', "ab"),
        ('json.decode("[1, 2.0, null]")', [1, 2.0, None]),
        ('json.encode_to_string(["é", 1.0])', '["é",1.0]'),
        ("text.decode(json.encode([1]))", "[1]"),
        ("json.encode_to_string([1], true)", "[\n    1\n]"),
        ('base64.encode(hash.compute_checksum(text.encode("a"), "MD5"))', "DMF1ucDxtqgxw5niaXcmYQ=="),
        (
            'base64.encode(hash.compute_hmac(text.encode("k"), text.encode("d"), "SHA256"))',
            "5+ohw7y2Ok2jrXhQMWjTa9ygvmIjgupgoQj61OSWZnk=",
        ),
        ("time.format(0)", "1970-01-01T00:00:00.000000Z"),
        ('time.format(1.5, "America/New_York")', "1969-12-31T19:00:01.500000-05:00"),
        ('time.parse("1970-01-01T00:00:10Z")', 10.0),
        ("sys.now()", 1_700_000_000.0),
        ("uuid.generate()", "5f0c1f0e-0000-4000-8000-000000000000"),
        ('sys.get_env("HERE")', "there"),
        ('sys.get_env("MISSING", "d")', "d"),
    ],
)
def test_a_function_returns_what_is_documented(
    evaluate: Execute, io: FakeIo, expression: str, value: Value
) -> None:
    io.variables["HERE"] = "there"
    result = evaluate(expression)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("keys(m)", ["a", "b"]),
        ("len(m)", 2),
        ('"a" in m', True),
        ('map.get(m, "a")', 1),
        ('map.get(m, "x")', None),
        ('map.get(m, ["b", "c"])', 2),
        ('map.get(m, ["a", "c"])', None),
        ('default(map.get(null, "a"), 3)', 3),
        ('map.delete(m, "a")', {"b": {"c": 2}}),
        ('map.delete(m, "x")', {"a": 1, "b": {"c": 2}}),
        ("map.merge(m, n)", {"a": 1, "b": {"d": 3}}),
        ("map.merge_nested(m, n)", {"a": 1, "b": {"c": 2, "d": 3}}),
    ],
)
def test_a_function_of_maps_makes_a_new_map(evaluate: Execute, expression: str, value: Value) -> None:
    assert evaluate(expression, m={"a": 1, "b": {"c": 2}}, n={"b": {"d": 3}}) == value


@pytest.mark.parametrize(
    ("expression", "tag"),
    [
        ('int("1.5")', "ValueError"),
        ('int("1_0")', "ValueError"),
        ('int(" 1")', "ValueError"),
        ("int(null)", "TypeError"),
        ("int(1e300)", "ValueError"),
        ('double("nan")', "ValueError"),
        ('double("-inf")', "ValueError"),
        ("string([1])", "TypeError"),
        ("len(1)", "TypeError"),
        ("keys([1])", "TypeError"),
        ('if("yes", 1, 2)', "TypeError"),
        ('list.concat("a", 1)', "TypeError"),
        ("map.get(args, [1])", "TypeError"),
        ("math.abs(true)", "TypeError"),
        ("math.floor(1e300)", "ValueError"),
        ('text.substring("abc", 2, 9)', "IndexError"),
        ('text.substring("abc", -1, 2)', "IndexError"),
        ('text.match_regex("a", "(")', "ValueError"),
        ('text.match_regex("a", "(?=a)")', "ValueError"),
        ('text.match_regex("aa", "(a)\\\\1")', "ValueError"),
        ('text.replace_all_regex("a", "a", "\\\\2")', "ValueError"),
        ('text.decode(base64.decode("/w=="))', "ValueError"),
        ('text.encode("a", "utf-7")', "ValueError"),
        ('base64.decode("?")', "ValueError"),
        ('json.decode("{")', "ValueError"),
        ('json.decode("NaN")', "ValueError"),
        ('json.encode(text.encode("a"))', "ValueError"),
        ('hash.compute_checksum(text.encode("a"), "CRC99")', "ValueError"),
        ('time.format(0, "Mars/Base")', "ValueError"),
        ('time.format(0, "../../etc/passwd")', "ValueError"),
        ("time.format(1e300)", "ValueError"),
        ('time.parse("yesterday")', "ValueError"),
        ('sys.get_env("MISSING")', "KeyError"),
    ],
)
def test_a_mistaken_argument_raises_the_documented_tag(evaluate: Execute, expression: str, tag: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        evaluate(expression)
    assert caught.value.tags == (tag,)
    assert caught.value.step == "value"


def test_a_library_function_may_be_a_call_step_by_name_or_by_position(execute: Execute) -> None:
    source = """
        - a: {call: text.split, args: {source: 'a b', separator: ' '}, result: words}
        - b: {call: list.concat, args: ['${words}', c], result: words}
        - c: {return: '${words}'}
    """
    assert execute(source) == ["a", "b", "c"]


def test_arguments_that_an_expression_computes_are_checked_when_they_are_there(execute: Execute) -> None:
    source = "- a: {assign: [{m: {soruce: x}}]}\n- b: {call: text.to_upper, args: '${m}'}"
    with pytest.raises(WorkflowError, match=r"text\.to_upper has no argument `soruce`"):
        execute(source)


# sys


def test_sleep_waits_on_the_clock_that_was_given(execute: Execute, io: FakeIo) -> None:
    execute("""
        - a: {call: sys.sleep, args: {seconds: 1.5}}
        - b: {call: sys.sleep_until, args: {time: '2023-11-14T22:13:25Z'}}
        - c: {call: sys.sleep_until, args: {time: '1970-01-01T00:00:00Z'}}
    """)
    assert io.slept == [1.5, 3.5, 0.0]


@pytest.mark.parametrize("seconds", ["-1", "'1'", "1e300", "null"])
def test_sleep_refuses_what_is_no_time(execute: Execute, seconds: str) -> None:
    with pytest.raises(WorkflowError):
        execute(f"- a: {{call: sys.sleep, args: {{seconds: {seconds}}}}}")


def test_log_writes_one_payload_with_its_severity(execute: Execute, io: FakeIo) -> None:
    execute("""
        - a: {call: sys.log, args: {text: hello, severity: ERROR}}
        - b: {call: sys.log, args: {json: {a: 1}}}
        - c: {call: sys.log, args: [by position, INFO]}
    """)
    assert io.logs == [("ERROR", "hello"), ("DEFAULT", {"a": 1}), ("INFO", "by position")]


@pytest.mark.parametrize(
    ("args", "tag"),
    [("{}", "TypeError"), ("{text: a, data: b}", "TypeError"), ("{text: a, severity: LOUD}", "ValueError")],
)
def test_log_refuses_what_is_no_entry(execute: Execute, args: str, tag: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        execute(f"- a: {{call: sys.log, args: {args}}}")
    assert caught.value.tags == (tag,)


def test_publish_hands_the_message_to_the_world(execute: Execute, io: FakeIo) -> None:
    result = execute("""
        - a:
            call: googleapis.pubsub.v1.projects.topics.publish
            args:
              topic: projects/p/topics/t
              body: {messages: [{data: '${base64.encode(json.encode([1]))}'}]}
            result: r
        - b: {return: '${r.messageIds[0]}'}
    """)
    assert result == "1"
    assert io.published == [("projects/p/topics/t", {"messages": [{"data": "WzFd"}]})]
