"""What a Python file defines is known without running it."""

from contextlib import suppress

import pytest
from onward.core.definition.functions import check_calls, defined
from onward.core.errors import BadPipeline
from onward.core.pipeline import Pipeline, Python, Step


@pytest.mark.parametrize(
    "text",
    [
        "def f(): ...",
        "async def f(): ...",
        "class f: ...",
        "f = print",
        "f: object = print",
        "g, [f, *h] = a",
        "from x import f",
        "from x import y as f",
        "import f.g",
        "if x:\n  def f(): ...",
        "try:\n  from x import f\nexcept ImportError:\n  f = None",
        "with x as f: ...",
        "\ufeffdef f(): ...",
    ],
)
def test_every_way_to_give_a_name_counts(text: str) -> None:
    assert "f" in defined(text, "x.py")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "def g():\n  def f(): ...\n  f = 1",
        "class g:\n  def f(self): ...",
        "[f for f in x]",
        "g = lambda: (f := 1)",
        "x.f = 1",
        "f()",
        "import g.f",
        "'''def f(): ...'''",
    ],
)
def test_what_is_named_elsewhere_does_not_count(text: str) -> None:
    assert "f" not in defined(text, "x.py")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\ndef f(:\n  pass\n", "x.py:2: not Python: invalid syntax"),
        (
            "def f():\npass\n",
            "x.py:2: not Python: expected an indented block after function definition on line 1",
        ),
        ("x = '\0'", "x.py:1: not Python: source code string cannot contain null bytes"),
    ],
)
def test_what_is_not_python_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(BadPipeline) as caught:
        defined(text, "x.py")
    assert [str(problem) for problem in caught.value.problems] == [said]


@pytest.mark.parametrize("text", ["(" * 100_000, "-" * 100_000 + "1", "x" + ".x" * 100_000])
def test_a_hostile_file_is_a_problem_or_is_read(text: str) -> None:
    with suppress(BadPipeline):
        assert defined(text, "x.py") == frozenset()


def test_a_call_of_what_is_not_there_is_found_and_the_closest_name_is_told() -> None:
    def call(name: str, file: str, function: str) -> Step:
        return Step(name, Python(file, function))

    pipeline = Pipeline(
        "p",
        (
            call("a", "x.py", "raed"),
            call("b", "x.py", "read"),
            call("c", "star.py", "any"),
            call("d", "no.py", "f"),
        ),
    )
    [finding] = check_calls(pipeline, {"x.py": {"read"}, "star.py": defined("from x import *", "star.py")})
    assert finding.at == ("steps", "a", "python", "call")
    assert (finding.message, finding.hint) == ("`x.py` defines no `raed`", "did you mean `read`?")
