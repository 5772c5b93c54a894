"""Runs that start runs, and steps that nobody wrote, on a laptop."""

import json

from e2e.cli_harness import Project

INNER = """
pipeline: inner
params: {n: int}
steps:
  half:
    python: {call: "code.py:half", args: {n: "{{ n }}"}}
"""
OUTER = """
pipeline: outer
params: {n: int}
steps:
  inside:
    pipeline: {pipeline: inner, params: {n: "{{ n }}"}}
  after:
    needs: [inside]
    python: {call: "code.py:after", args: {run: "{{ steps.inside.output.run }}"}}
"""
CODE = """
def half(n):
    if int(n) % 2:
        raise ValueError(f"{n} is odd")
    return int(n) // 2

def after(run):
    return run
"""


def add(project: Project, *files: tuple[str, str]) -> None:
    for name, text in files:
        folder = project.folder / "workflows" / name
        folder.mkdir(parents=True)
        (folder / "pipeline.yaml").write_text(text)
        (folder / "code.py").write_text(CODE)


def test_a_step_can_be_a_run_of_another_pipeline_and_ends_with_it(project: Project) -> None:
    add(project, ("inner", INNER), ("outer", OUTER))
    done = project.command("run", "outer", "-p", "n=4", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    inside, after = json.loads(done.stdout)["steps"]
    child = json.loads(project.command("show", inside["job"], "--json").stdout)
    assert (child["pipeline"], child["state"], child["params"]) == ("inner", "succeeded", {"n": 4})
    assert child["steps"][0]["output"] == 2
    assert after["output"] == child["run"] == inside["job"]
    assert (
        f"by step inside of run {json.loads(done.stdout)['run']}"
        in project.command("show", child["run"]).stdout
    )


def test_a_sub_run_that_fails_fails_its_step_with_its_error(project: Project) -> None:
    add(project, ("inner", INNER), ("outer", OUTER))
    done = project.command("run", "outer", "-p", "n=3", "--json")
    assert done.returncode == 1
    inside, after = json.loads(done.stdout)["steps"]
    assert inside["error"] == f"run {inside['job']} failed: step half did not succeed"
    assert after["state"] == "upstream_failed"
    shown = project.command("show", json.loads(done.stdout)["run"]).stdout
    assert f"onward show {inside['job']}" in shown


def test_a_sub_run_that_can_not_be_started_is_refused_with_a_sentence(project: Project) -> None:
    add(project, ("outer", OUTER))
    done = project.command("run", "outer", "-p", "n=3", "--json")
    (inside, _) = json.loads(done.stdout)["steps"]
    assert "inner" in inside["error"]
    assert "Traceback" not in done.stdout + done.stderr


CLUSTER = """
pipeline: lake
params: {n: int}
steps:
  half:
    python: {call: "code.py:half", args: {n: "{{ n }}"}}
  spark:
    needs: [half]
    dataproc: {spark_sql: day.sql, cluster: etl}
clusters:
  etl: {workers: 2}
"""


def test_what_cleans_up_runs_although_what_it_cleans_up_after_never_did(project: Project) -> None:
    add(project, ("lake", CLUSTER))
    (project.folder / "workflows" / "lake" / "day.sql").write_text("SELECT 1;")
    done = project.command("run", "lake", "-p", "n=3", "--json")
    assert done.returncode == 1
    states = {step["name"]: step["state"] for step in json.loads(done.stdout)["steps"]}
    assert states == {"half": "failed", "spark": "upstream_failed", "~delete-etl": "succeeded"}
