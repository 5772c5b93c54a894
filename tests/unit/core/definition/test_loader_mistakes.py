"""Each mistake in a pipeline file has a message of its own, that says how to mend it."""

# ruff: noqa: E501 - a message is easier to read in one piece
# fmt: off

import pytest
from unit.core.definition.loading import SOUND, STEP, problems


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        # keys
        ("description:", "descripton:", "2: unknown key `descripton`; did you mean `description`?"),
        ("pipeline: weather\n", "\n", "2: `pipeline` is missing"),
        ("timeout: 1h30m", "for_each: 2", None),
        ("  tell:\n", "  clean:\n", "23: steps: `clean` is here twice, first on line 11; keep one"),
        ("    timeout: 1h30m", "    outputs: []", "16: steps.clean: `outputs` is here twice, first on line 15; keep one"),
        # types
        ("pipeline: weather", "pipeline: 12", '1: pipeline: must be a name, not the number 12; quote it: "12"'),
        ("pipeline: weather", "pipeline: true", '1: pipeline: must be a name, not true; quote it: "true"'),
        ("needs: [publish]", "needs: publish", "24: steps.tell.needs: must be a list, not `publish`; write [publish]"),
        ("needs: [publish]", "needs:", "24: steps.tell.needs: is empty; give it a value or remove the key"),
        ("retry: {attempts: 3,", "retry: {attempts: 3.5,", "14: steps.clean.retry.attempts: must be a whole number from 1 to 100, not the number 3.5"),
        ("retry: {attempts: 3,", "retry: {attempts: 0,", "14: steps.clean.retry.attempts: must be a whole number from 1 to 100, not the number 0"),
        ("args: {who: all}", "args: [all]", "25: steps.tell.python.args: must be a mapping, not a list"),
        ("max_workers: 20", "max_workers: [20]", "13: steps.clean.resources.max_workers: must be a single value, not a list"),
        # durations
        ("1h30m", "1h 30m", '15: steps.clean.timeout: must be a duration, not `1h 30m`; such as "30s", "10m", "2h", "1d" or "1h30m"'),
        ("1h30m", '""', '15: steps.clean.timeout: must be a duration, not ``; such as "30s", "10m", "2h", "1d" or "1h30m"'),
        ("1h30m", "0s", "15: steps.clean.timeout: 0s is outside of 1s to 365d"),
        ("1h30m", "400d", "15: steps.clean.timeout: 400d is outside of 1s to 365d"),
        ("max_backoff: 10m", "max_backoff: 10s", "14: steps.clean.retry: `backoff` is longer than `max_backoff`; raise `max_backoff`"),
        # control
        ("    timeout: 1h30m", "    inputs: [stations/x.csv]", "15: steps.clean.inputs: `stations/x.csv` is no object's URI; write gs://bucket/name"),
        ("needs: [clean]", "when: failure", "18: steps.totals.when: `failure` is about what a step needs, and this one needs nothing; add `needs`, or remove `when`"),
        ("needs: [clean]", "needs: [clean]\n    when: failed", "19: steps.totals.when: must be one of success, failure, all_done, always, not `failed`; did you mean `failure`?"),
        ("needs: [clean]", 'needs: [clean]\n    if: "{{ date"', "19: steps.totals.if: the template does not parse: unexpected end of template, expected 'end of print statement'."),
        ("needs: [clean]", 'needs: [clean]\n    if: "{{ steps.tell.output }}"', "19: steps.totals.if: `tell` has not ended when `totals` begins; add it to `steps.totals.needs`"),
        ("needs: [clean]", "needs: [clean]\n    if: [a]", "19: steps.totals.if: must be a template, not a list"),
        ("needs: [clean]", "needs: [clean]\n    if: date > limit", "19: steps.totals.if: is always neither true nor false; write a template, such as `{{ date > limit }}`"),
        ("needs: [clean]", "needs: [clean]\n    unless_exists: true", "19: steps.totals.unless_exists: the step says nothing of what it makes; add `outputs`"),
        ("needs: [clean]", "needs: [clean]\n    unless_exists: older", "19: steps.totals.unless_exists: must be true or `newer`, not `older`"),
        ("needs: [clean]", "needs: [clean]\n    inputs: [gs://b/x]", "19: steps.totals.inputs: nothing asks how old they are; add `unless_exists: newer`"),
        ("needs: [clean]", 'needs: [clean]\n    inputs: ["gs://b/{{ dat }}"]', "19: steps.totals.inputs: no parameter is named `dat`; did you mean `date`?"),
        ("needs: [clean]", "needs: [clean]\n    outputs: [gs://b/x]\n    unless_exists: true\n    for_each: [1]", "20: steps.totals.unless_exists: is not for a step with `for_each`; remove one of the two"),
        # streaming
        ("main: clean.py,", "main: clean.py, until: tel,", "12: steps.clean.dataflow.until: there is no step `tel`; did you mean `tell`?"),
        ("main: clean.py,", "main: clean.py, until: clean,", "12: steps.clean.dataflow.until: waits for itself"),
        ("main: clean.py,", "main: clean.py, until: [tell],", "12: steps.clean.dataflow.until: must be a step's name, not a list"),
        ("main: clean.py,", "main: clean.py, until: tell,", "12: steps.clean.dataflow.until: `tell` only starts when this step has ended; remove `clean` from what `tell` needs"),
        ("main: clean.py,", "main: clean.py, until: tell,", "12: steps.clean.dataflow.until: a job that is drained can't be retried; remove `retry`"),
        ("rows:", "streaming: true, rows:", "12: steps.clean.dataflow: a streaming job never ends by itself; add `until: STEP`, which drains it, or `detached: true`"),
        ("main: clean.py,", "main: clean.py, detached: maybe,", "12: steps.clean.dataflow.detached: must be true or false, not `maybe`"),
        # kinds
        ('    python: {call: "tools.py:tell", args: {who: all}}', "    timeout: 1h", "23: steps.tell: needs exactly one of `dataflow`, `dataproc`, `workflow`, `python` and `pipeline`"),
        ("    workflow:", f"    {STEP}\n    workflow:", "20: steps.publish: has `workflow` and `python`; keep exactly one"),
        ('"tools.py:tell"', "tools.tell", "25: steps.tell.python.call: must be `file.py:function`, the file directly in the pipeline's folder, not `tools.tell`"),
        ('"tools.py:tell"', '"lib/tools.py:tell"', "25: steps.tell.python.call: must be `file.py:function`, the file directly in the pipeline's folder, not `lib/tools.py:tell`"),
        ('"tools.py:tell"', '"tool.py:tell"', "25: steps.tell.python.call: there is no file `tool.py` in the pipeline's folder; did you mean `tools.py`?"),
        ("source: publish.yaml", "source: ../publish.yaml", "22: steps.publish.workflow.source: there is no file `../publish.yaml` in the pipeline's folder; did you mean `publish.yaml`?"),
        ("pyspark: totals.py", "spark_sql: report.sql", "19: steps.totals.dataproc.args: only `pyspark` takes `args`; put it into the body"),
        # names
        ("pipeline: weather", "pipeline: Weather", "1: pipeline: must be a name, not `Weather`; a letter, then up to 62 of a-z, 0-9, `-` and `_`"),
        ("  tell:", "  te ll:", "23: steps: `te ll` is not a name; a letter, then up to 62 of a-z, 0-9, `-` and `_`"),
        ("  limit:", "  li-mit:", None),
        ("  tell:", f"  a_b: {{{STEP}}}\n  a-b: {{{STEP}}}\n  tell:", "24: steps.a-b: the name differs from `a_b` by `-` and `_` only; rename one"),
        # parameters
        ("date: date", "date: day", "7: params.date: must be one of string, int, float, bool, date, datetime, list, not `day`"),
        ("date: date", "date: {type: dat}", "7: params.date.type: must be one of string, int, float, bool, date, datetime, list, not `dat`; did you mean `date`?"),
        ("default: 3", "default: three", "8: params.limit.default: must be a whole number, not `three`"),
        ("default: 3", "default: 3, required: true", "8: params.limit: is required and has a default; remove one of the two"),
        ("  limit:", "  run: string\n  limit:", None),
        # needs
        ("[publish]", "[tell]", "24: steps.tell.needs: a step can't need itself"),
        ("[publish]", "[publish, publish]", "24: steps.tell.needs: `publish` is here twice; keep one"),
        ("    resources:", "    needs: [publish]\n    resources:", "13: steps.clean.needs: the steps wait for each other: clean → publish → totals → clean"),
        ("idle_ttl: 10m", "idle_ttl: 1m", "28: clusters.etl.idle_ttl: 1m is outside of 5m to 14d"),
    ],
)
def test_each_mistake_has_its_own_message(old: str, new: str, problem: str | None) -> None:
    assert old in SOUND
    found = problems(SOUND.replace(old, new))
    if problem is not None:
        assert problem in found
        assert len(found) <= 2
