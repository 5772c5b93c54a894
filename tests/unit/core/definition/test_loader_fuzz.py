"""Whatever a file holds, the loader gives a pipeline or its problems, each on a line of the file."""

from contextlib import suppress

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st
from onward.core.definition.loader import load, load_env
from onward.core.errors import BadPipeline
from onward.core.pipeline import Pipeline
from onward.core.problems import Problem
from unit.core.definition.loading import ENV, FILE, FILES, SOUND


def check(text: str) -> None:
    try:
        pipeline = load(text, FILE, FILES, ENV)
    except BadPipeline as refused:
        problems = refused.problems
    else:
        # A pipeline is data that any store or plan can hold.
        assert msgspec.json.decode(msgspec.json.encode(pipeline), type=Pipeline) == pipeline
        return
    assert problems
    for problem in problems:
        assert isinstance(problem, Problem)
        assert problem.file == FILE
        assert 1 <= problem.line <= text.count("\n") + 1
        assert problem.message
        assert "\n" not in str(problem)


YAMLISH = st.text(alphabet="abnopstu:-[]{}&*!|>'\"%@`#?,.0123 \n\t\r~<\x85\u2028", max_size=200)
WORDS = sorted(set(SOUND.replace(":", " : ").split()))
PIECES = st.sampled_from(
    [
        *WORDS,
        ": ",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        "{{",
        "}}",
        "{%",
        "&a ",
        "*a",
        "<<: *a",
        "no",
        "~",
        "|\n",
    ]
)


@given(st.text())
def test_any_text(text: str) -> None:
    check(text)


@given(YAMLISH)
@example("? ")
@example("!")
@example("&a ? *a")
@example("{? {{: x}")
@example("a: !<tag> b")
@example("%YAML 9.9\n---\n")
@example("pipeline: p\nsteps:\n  a: &a\n    <<: *a\n")
def test_text_that_looks_like_yaml(text: str) -> None:
    check(text)


@given(st.lists(PIECES, max_size=60))
def test_the_words_of_a_pipeline_in_any_order(pieces: list[str]) -> None:
    check("".join(pieces))


@given(st.integers(0, len(SOUND)), st.integers(0, 40), st.lists(PIECES, max_size=3) | YAMLISH.map(list))
def test_a_sound_file_with_a_piece_replaced(start: int, length: int, pieces: list[str]) -> None:
    check(SOUND[:start] + "".join(pieces) + SOUND[start + length :])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
PATHS = """
    pipeline description trigger trigger.object trigger.object.bucket trigger.object.match params params.date
    params.limit params.limit.default params.limit.type steps steps.clean steps.clean.dataflow
    steps.clean.dataflow.args steps.clean.dataflow.main steps.clean.retry steps.clean.retry.backoff
    steps.clean.timeout steps.clean.outputs steps.clean.resources steps.totals.needs steps.totals.dataproc
    steps.totals.dataproc.args steps.tell.python.call clusters clusters.etl clusters.etl.workers
"""


@given(st.sampled_from(PATHS.split()), VALUES)
def test_a_sound_file_with_any_value_anywhere(path: str, value: object) -> None:
    import yaml

    whole = yaml.safe_load(SOUND)
    *way, last = path.split(".")
    place = whole
    for key in way:
        place = place[key]
    place[last] = value
    check(yaml.safe_dump(whole, allow_unicode=True))


@given(YAMLISH | st.text())
def test_any_env_file_gives_text_by_name(text: str) -> None:
    with suppress(BadPipeline):
        values, _ = load_env(text, "env.yaml")
        assert all(isinstance(value, str) for value in values.values())
