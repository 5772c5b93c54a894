"""A sound pipeline file for the loader's tests, and what the loader says about changes to it."""

import pytest
from onward.core.definition.loader import load
from onward.core.errors import BadPipeline
from onward.core.pipeline import Pipeline

FILE = "workflows/x/pipeline.yaml"
FILES = ("clean.py", "totals.py", "publish.yaml", "report.sql", "tools.py")
ENV = {"landing": "landing-bucket", "work": "work-bucket"}

SOUND = """\
pipeline: weather
description: Clean, total, publish.

trigger:
  object: {bucket: "{{ env.landing }}", match: "stations/{date}/*.csv"}
params:
  date: date
  limit: {type: int, default: 3}

steps:
  clean:
    dataflow: {main: clean.py, args: {input: "{{ trigger.uri }}", rows: "{{ limit }}"}}
    resources: {max_workers: 20, machine_type: n2-standard-2}
    retry: {attempts: 3, backoff: 30s, max_backoff: 10m}
    timeout: 1h30m
    outputs: ["gs://{{ env.work }}/{{ date }}/clean*"]
  totals:
    needs: [clean]
    dataproc: {pyspark: totals.py, cluster: etl, args: ["{{ steps.clean.output }}"]}
  publish:
    needs: [totals]
    workflow: {source: publish.yaml, args: {date: "{{ date }}"}}
  tell:
    needs: [publish]
    python: {call: "tools.py:tell", args: {who: all}}

clusters:
  etl: {workers: 2, autoscaling: etl-policy, idle_ttl: 10m, max_age: 6h}
"""


def read(text: str) -> Pipeline:
    return load(text, FILE, FILES, ENV)


def problems(text: str) -> list[str]:
    """What the loader says, without the file's name."""
    with pytest.raises(BadPipeline) as caught:
        read(text)
    return [str(problem).removeprefix(FILE + ":") for problem in caught.value.problems]


STEP = 'python: {call: "tools.py:tell"}'
