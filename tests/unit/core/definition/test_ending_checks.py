"""What is refused of how runs end: limits that can't be reached, handlers that can't run, names that are not there."""

# ruff: noqa: E501 - a message is easier to read in one piece
# fmt: off

import pytest
from unit.core.definition.loading import SOUND, problems, read

TELL = 'python: {call: "tools.py:tell"'


def with_line(line: str) -> str:
    return SOUND.replace("params:\n", f"{line}\nparams:\n", 1)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("deadline: 1h", "6: deadline: is shorter than the `timeout` of `clean`, 1h30m; raise it, or lower that"),
        ("deadline: soon", '6: deadline: must be a duration, not `soon`; such as "30s", "10m", "2h", "1d" or "1h30m"'),
        ("deadline: 2h\nexpect_within: 2h", "7: expect_within: a run that is late has been stopped before, by its `deadline` of 2h; lower it"),
        ("announce: [run_over]", "6: announce: must be one of run_started, run_ended, run_late, step_failed, step_late, object_absent, not `run_over`"),
        ("announce: run_late", "6: announce: `run_late` is never announced: the run says not when it is; add `expect_within`"),
        ("announce: [step_late]", "6: announce: `step_late` is never announced: no step says when it is; add `expect_within` to a step"),
        ("announce: [object_absent]", "6: announce: `object_absent` is never announced: no object is expected by a time; add an `absent_by` trigger"),
        (f"on_failure:\n  {TELL}}}\n  needs: [clean]", "8: on_failure: unknown key `needs`"),
        (f"on_failure:\n  {TELL}}}\n  when: always", "8: on_failure: unknown key `when`"),
        ("on_success:\n  timeout: 1m", "6: on_success: needs exactly one of "),
        ("on_success:\n  dataproc: {pyspark: totals.py, cluster: etl}", "7: on_success.dataproc.cluster: the cluster `etl` is deleted before a handler runs; use a serverless batch, or another cluster"),
        ("on_failure:\n  dataflow: {main: clean.py, until: clean}", "7: on_failure.dataflow: a handler can't be a streaming job; nothing comes after it"),
        (f"on_failure:\n  {TELL}}}\n  retry: {{attempts: 2, backoff: 1h, max_backoff: 1m}}", "8: on_failure.retry: `backoff` is longer than `max_backoff`; raise `max_backoff`"),
        (f'on_failure:\n  {TELL}, args: {{who: "{{{{ steps.cleen.output }}}}"}}}}', "7: on_failure.python.args.who: no step is named `cleen`; did you mean `clean`?"),
        (f'on_failure:\n  {TELL}, args: {{who: "{{{{ run.fails }}}}"}}}}', "7: on_failure.python.args.who: no fact of the run is named `fails`; did you mean `failed`?"),
    ],
)
def test_a_mistake_about_how_runs_end_says_how_to_mend_it(line: str, problem: str) -> None:
    found = problems(with_line(line))
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_a_handler_may_name_every_step_and_what_became_of_the_run() -> None:
    args = 'args: {who: "{{ run.failed }} {{ run.error }} {{ steps.tell.output | default(0) }} {{ date }}"}'
    pipeline = read(with_line(f"on_failure:\n  {TELL}, {args}}}\n  retry: {{attempts: 3}}\ndeadline: 3h\nexpect_within: 2h"))
    assert [step.name for step in pipeline.handlers] == ["~on-failure"]


def test_only_a_handler_may_name_what_became_of_the_run() -> None:
    (found,) = problems(SOUND.replace('args: {who: all}', 'args: {who: "{{ run.error }}"}'))
    assert "no fact of the run is named `error`" in found
