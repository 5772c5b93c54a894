"""Backfills by the real command: here, through a runtime elsewhere, killed in the middle, stopped."""

import json
import re
import signal

from e2e.cli_harness import Project, let_go

DAYS = ("--from", "2026-11-01", "--to", "2026-11-05")


def plan(shown: str) -> dict[str, str]:
    """By partition, how it is."""
    return dict(re.findall(r"^. (\d{4}-\d\d-\d\d) +(\w+)", shown, re.MULTILINE))


def dated(project: Project) -> None:
    pipeline = project.folder / "workflows" / "gated" / "pipeline.yaml"
    pipeline.write_text(pipeline.read_text().replace("{gate: string}", "{gate: string, day: date}"))


def test_it_shows_first_what_it_would_start_and_starts_nothing_without_a_yes(project: Project) -> None:
    done = project.command("backfill", "double", *DAYS, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert plan(done.stdout) == {f"2026-11-0{n}": "missing" for n in range(1, 6)}
    assert "5 partitions: 5 missing\n5 to start, at most 4 at a time\n" in done.stdout
    asked = project.command("backfill", "double", *DAYS, input="n\n")
    assert asked.returncode == 130
    assert "Start 5 runs, at most 4 at a time? [y/N]" in asked.stdout + asked.stderr
    assert project.json("backfills") == []


def test_it_carries_its_runs_to_their_end_and_a_repeat_starts_nothing(project: Project) -> None:
    done = project.command("backfill", "double", *DAYS, "--parallel", "2", "--yes")
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^\S+ \d\. run \w+ succeeded: day=2026-11-0\d", done.stdout, re.MULTILINE)) == 5
    assert "ended: 5 started, 0 of them failed, 0 passed over\n" in done.stdout
    again = project.command("backfill", "double", *DAYS, "--yes")
    assert again.returncode == 0
    assert plan(again.stdout) == {f"2026-11-0{n}": "done" for n in range(1, 6)}
    assert "nothing to start" in again.stdout
    (listed,) = project.json("backfills")
    assert (listed["state"], listed["started"], listed["passed"]) == ("succeeded", 5, 5)
    assert len(project.json("runs", "--pipeline", "double")) == 5


def test_objects_that_had_no_run_are_started_and_json_says_what_was_done(project: Project) -> None:
    project.drop("2026-11-01/a.csv")
    project.drop("2026-11-02/b.csv")
    project.drop("someday/c.csv")
    done = project.json("backfill", "double", "--objects", "gs://landing/**", "--yes")
    assert [row["state"] for row in done["plan"]] == ["missing", "missing", "refused"]
    assert [row["starts"] for row in done["plan"]] == [True, True, False]
    assert (done["state"], done["started"]) == ("succeeded", 2)
    up = project.start("up")
    up.until("answers at")
    up.signal(signal.SIGTERM)
    assert up.end() == 0
    assert len(project.json("runs")) == 2, "the arrivals have found the runs of the backfill"


def test_a_runtime_that_is_killed_in_the_middle_loses_nothing(project: Project) -> None:
    """And starts nothing twice."""
    gate = project.gate()
    dated(project)
    first = project.start("up")
    first.until("answers at")
    begun = project.command("backfill", "gated", *DAYS, "-p", f"gate={gate}", "--parallel", "2", "--yes")
    assert begun.returncode == 0, begun.stderr
    first.until("started by hand")
    first.until("started by hand")
    first.signal(signal.SIGKILL)
    first.end()
    assert "goes on" not in first.seen
    assert first.seen.count("started by hand") == 2, "never more than two at a time"
    up = project.start("up")
    up.until("answers at")
    let_go(gate)
    for _ in range(5):
        up.until("succeeded in")
    runs = project.json("runs", "--pipeline", "gated")
    assert sorted(run["params"]["day"] for run in runs) == [f"2026-11-0{n}" for n in range(1, 6)]
    assert {run["state"] for run in runs} == {"succeeded"}


def test_one_that_is_stopped_with_what_runs_starts_nothing_more(project: Project) -> None:
    dated(project)
    up = project.start("up")
    up.until("answers at")
    begun = project.command(
        "backfill", "gated", *DAYS, "-p", f"gate={project.gate()}", "--parallel", "2", "--yes"
    )
    assert begun.returncode == 0, begun.stderr
    name = re.findall(r"backfill (\w+) has begun", begun.stdout)[0]
    stopped = project.command("stop-backfill", name[:6], "--running")
    assert stopped.returncode == 0, stopped.stderr
    for _ in range(2):
        up.until("cancelled in")
    (listed,) = project.json("backfills")
    assert listed["state"] in ("stopping", "stopped")
    assert len(project.json("runs", "--pipeline", "gated")) == 2


def test_what_is_wrong_is_said_in_a_sentence(project: Project) -> None:
    for args, said in (
        (("double", "--from", "2026-11-05", "--to", "2026-11-01"), "the range begins after its end"),
        (("double", "--from", "soon", "--to", "2026-11-01"), "must be a date such as"),
        (("double",), "--from, --to"),
        (("broken", *DAYS), "neither a schedule nor a date parameter"),
        (("broken", "--objects", "gs://landing/**"), "has no object trigger"),
    ):
        done = project.command("backfill", *args, "--yes")
        assert done.returncode == 2
        assert done.stderr.startswith("onward: ")
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert project.command("stop-backfill", "ffff").returncode == 2


def test_the_json_of_a_dry_run_has_a_plan_and_no_backfill(project: Project) -> None:
    done = json.loads(project.command("backfill", "double", *DAYS, "--dry-run", "--json").stdout)
    assert done["backfill"] is None
    assert len(done["plan"]) == 5
