"""The schema that editors use says what the loader says about the shape of a file."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from onward.core.definition.schema import schema
from unit.core.definition.loading import SOUND, problems, read

SAMPLES = sorted(Path(__file__).parents[4].glob("workflows/*/pipeline.yaml"))


def accepts(text: str) -> bool:
    return Draft202012Validator(schema()).is_valid(yaml.safe_load(text))


def test_the_schema_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(schema())
    assert json.loads(json.dumps(schema())) == schema()


def test_every_key_is_described_for_editors() -> None:
    step = schema()["properties"]["steps"]["additionalProperties"]
    assert step["properties"]["timeout"]["description"] == "How long an attempt may take."


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.parent.name)
def test_the_samples_are_accepted(sample: Path) -> None:
    assert accepts(sample.read_text())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("date: date", "date: {type: date, description: The day., required: true}"),
        ('match: "stations/{date}/*.csv"', 'match: ["a/{date}"]'),
        ("needs: [clean]", "needs: [clean]\n    expect_within: 10m"),
        (
            "pyspark: totals.py, cluster: etl, args: ",
            "pyspark: totals.py, properties: {spark.x: 1, y: true}, args: ",
        ),
        (
            'dataproc: {pyspark: totals.py, cluster: etl, args: ["{{ steps.clean.output }}"]}',
            "dataproc: {batch: {sparkBatch: {}}}",
        ),
        ("description: Clean, total, publish.", "description: |\n  Many\n  lines"),
    ],
)
def test_what_the_loader_takes_the_schema_takes(old: str, new: str) -> None:
    text = SOUND.replace(old, new)
    read(text)
    assert accepts(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pipeline: weather\n", ""),
        ("pipeline: weather", "pipeline: Weather"),
        ("pipeline: weather", "pipeline: 12"),
        ("description:", "descripton:"),
        ("1h30m", "120"),
        ("1h30m", "1 hour"),
        ("attempts: 3", "attempts: 0"),
        ("attempts: 3", "attempts: 3.5"),
        ("needs: [clean]", "needs: clean"),
        ("date: date", "date: day"),
        ("date: date", "date: {default: 2}"),
        ("source: publish.yaml,", ""),
        ("main: clean.py,", ""),
        ("main: clean.py,", "main: clean.py, launch: {},"),
        ('"tools.py:tell"', "tools"),
        ("max_workers: 20", "max_workers: [20]"),
        ("object: {", "message: {"),
        ('match: "stations/{date}/*.csv"', "match: []"),
        ("  tell:", "  Tell:"),
        ("  limit:", "  li-mit:"),
        ("workers: 2", "workers: -1"),
        ('    python: {call: "tools.py:tell", args: {who: all}}', ""),
    ],
)
def test_what_the_loader_refuses_in_a_file_the_schema_refuses(old: str, new: str) -> None:
    assert old in SOUND
    text = SOUND.replace(old, new)
    assert problems(text)
    assert not accepts(text)
