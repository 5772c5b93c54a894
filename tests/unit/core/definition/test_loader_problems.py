"""All problems of a file are found in one go, each with its place, what is wrong and how to mend it."""

# ruff: noqa: E501 - a message is easier to read in one piece

from onward.core.pipeline import HOUR, MINUTE, Dataflow, Dataproc, ObjectTrigger, Python, Retry, Workflow
from onward.core.problems import Problem
from unit.core.definition.loading import FILE, SOUND, STEP, problems, read


def test_a_sound_file_becomes_a_pipeline() -> None:
    pipeline = read(SOUND)
    clean, totals, publish, tell = pipeline.steps
    assert pipeline.name == "weather"
    assert pipeline.triggers == (ObjectTrigger("landing-bucket", ("stations/{date}/*.csv",)),)
    assert [(p.name, p.type, p.required, p.default) for p in pipeline.params] == [
        ("date", "date", True, None),
        ("limit", "int", False, 3),
    ]
    assert clean.does == Dataflow("clean.py", {"input": "{{ trigger.uri }}", "rows": "{{ limit }}"})
    assert clean.retry == Retry(3, 30_000_000, 10 * MINUTE)
    assert clean.timeout == HOUR + 30 * MINUTE
    assert clean.resources == {"max_workers": 20, "machine_type": "n2-standard-2"}
    assert totals.does == Dataproc(pyspark="totals.py", args=("{{ steps.clean.output }}",), cluster="etl")
    assert totals.needs == ("clean",)
    assert publish.does == Workflow("publish.yaml", {"date": "{{ date }}"})
    assert tell.does == Python("tools.py", "tell", {"who": "all"})
    assert pipeline.clusters[0].max_age == 6 * HOUR


def test_every_problem_of_a_file_is_found_at_once_in_the_order_of_the_file() -> None:
    text = (
        SOUND.replace("[clean]", "[claen]")
        .replace("main: clean.py", "main: clena.py")
        .replace("1h30m", "120")
        .replace("trigger.uri", "trigger.ulr")
        .replace("pyspark", "psypark")
        .replace("workers: 2", "workers: two")
    )
    assert problems(text) == [
        "12: steps.clean.dataflow.args.input: no fact of the trigger is named `ulr`; did you mean `uri`?",
        "12: steps.clean.dataflow.main: there is no file `clena.py` in the pipeline's folder; did you mean `clean.py`?",
        "15: steps.clean.timeout: must be a duration, not the number 120; write its unit: 120s, 120m, 120h",
        "18: steps.totals.needs: no step is named `claen`; did you mean `clean`?",
        "19: steps.totals.dataproc: needs exactly one of `pyspark`, `spark_sql`, `job`, `batch` and `template`",
        "19: steps.totals.dataproc: unknown key `psypark`; did you mean `pyspark`?",
        "28: clusters.etl.workers: must be a whole number from 0 to 10,000, not `two`",
    ]


def test_a_problem_is_data_and_prints_as_one_line() -> None:
    problem = Problem(FILE, 12, "steps.totals.needs", "no step is named `claen`", "did you mean `clean`?")
    assert str(problem) == (
        "workflows/x/pipeline.yaml:12: steps.totals.needs: no step is named `claen`; did you mean `clean`?"
    )
    assert str(Problem(FILE, 1, "", "the file is empty")) == "workflows/x/pipeline.yaml:1: the file is empty"


def test_an_unknown_key_without_a_similar_one_names_the_keys_there_are() -> None:
    [found] = problems(SOUND.replace("    timeout: 1h30m", "    xyz: 1"))
    assert found.startswith("15: steps.clean: unknown key `xyz`; the keys here are `dataflow`, `dataproc`, ")


def test_a_parameter_may_not_hide_what_templates_know() -> None:
    text = SOUND.replace("  limit:", "  run: {type: string, default: x}\n  limit:")
    assert problems(text) == ["8: params.run: `run` has a meaning in templates; rename it"]


def test_two_knots_of_steps_are_two_problems() -> None:
    steps = {"a": "b", "b": "a", "c": "d", "d": "e", "e": "d"}
    text = "pipeline: p\nsteps:\n" + "".join(f"  {n}: {{needs: [{m}], {STEP}}}\n" for n, m in steps.items())
    assert problems(text) == [
        "3: steps.a.needs: the steps wait for each other: a → b → a",
        "6: steps.d.needs: the steps wait for each other: d → e → d",
    ]


def test_more_than_ten_thousand_steps_are_refused() -> None:
    text = "pipeline: p\nsteps:\n" + "".join(f"  s{n}: {{{STEP}}}\n" for n in range(10_001))
    assert problems(text) == ["2: steps: has 10,001 entries; at most 10,000 are allowed"]


def test_ten_thousand_steps_in_a_row_are_a_pipeline() -> None:
    text = f"pipeline: p\nsteps:\n  s0: {{{STEP}}}\n"
    text += "".join(f"  s{n}: {{{STEP}, needs: [s{n - 1}]}}\n" for n in range(1, 10_000))
    assert len(read(text).steps) == 10_000


def test_a_long_cycle_is_shortened() -> None:
    text = f"pipeline: p\nsteps:\n  s0: {{{STEP}, needs: [s999]}}\n"
    text += "".join(f"  s{n}: {{{STEP}, needs: [s{n - 1}]}}\n" for n in range(1, 1_000))
    [found] = problems(text)
    assert found.startswith("3: steps.s0.needs: the steps wait for each other: s0 → s999 → s998 → ")
    assert found.endswith(" → ... → s0")


def test_several_patterns_are_one_trigger() -> None:
    text = SOUND.replace('match: "stations/{date}/*.csv"', 'match: ["a/{date}.csv", "b/{date}.csv"]')
    (trigger,) = read(text).triggers
    assert isinstance(trigger, ObjectTrigger)
    assert trigger.match == ("a/{date}.csv", "b/{date}.csv")


def test_a_name_in_a_message_stays_on_one_line_and_short() -> None:
    [found] = problems(SOUND.replace("[publish]", '["a\\nb' + "c" * 500 + '"]'))
    assert "`a\\nbccc" in found
    assert len(found) < 250
