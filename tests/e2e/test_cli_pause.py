"""Pause, resume and pipelines; with a runtime elsewhere and without."""

import signal

from e2e.cli_harness import Project

PAUSED = "double is paused: its next runs wait for `onward resume double`\n"


def line_of(project: Project, pipeline: str) -> list[str]:
    """What the table says of a pipeline: its state, how many runs are under way, how many wait."""
    lines = project.command("pipelines").stdout.splitlines()
    (found,) = (line.split() for line in lines if line.startswith(f"{pipeline} "))
    return found[1:4]


def states(project: Project) -> list[str]:
    return [run["state"] for run in project.json("runs")]


def test_a_pause_without_a_runtime_is_found_by_those_that_start_later(project: Project) -> None:
    assert line_of(project, "double") == ["active", "0", "0"]
    assert project.command("pause", "double").stdout == PAUSED
    assert line_of(project, "double") == ["paused", "0", "0"]
    assert line_of(project, "gated") == ["active", "0", "0"]
    running = project.start("run", "double")
    run = running.until("waits to start: double is paused").split()[2]
    assert "queued" in (shown := project.command("show", run).stdout)
    assert ": double is paused" in shown
    assert line_of(project, "double") == ["paused", "0", "1"]
    running.signal(signal.SIGINT)
    assert running.end() == 130
    assert "started" not in running.seen
    resumed = project.command("resume", "double").stdout
    assert resumed == "double is resumed; 1 run waits for a runtime or for room\n"
    up = project.start("up")
    up.until("of double succeeded")
    assert states(project) == ["succeeded"]
    assert line_of(project, "double") == ["active", "0", "0"]


def test_a_pause_reaches_the_runtime_at_work_and_what_came_meanwhile_begins_when_it_is_resumed(
    project: Project,
) -> None:
    up = project.start("up")
    up.until("answers at")
    assert project.command("pause", "double").stdout == PAUSED
    project.drop("2026-11-21/a.csv")
    up.until("of double waits to start")
    running = project.start("run", "double")
    running.until("waits to start")
    (told,) = (each for each in project.json("pipelines") if each["pipeline"] == "double")
    assert (told["paused"], told["waiting"], told["active"]) == (True, 2, 0)
    assert told["triggers"] == ["gs://landing/{day}/*.csv"]
    assert project.command("resume", "double").stdout.startswith("double is resumed")
    assert running.end() == 0
    assert "started" in running.seen
    up.until("of double succeeded")
    up.until("of double succeeded")
    assert states(project) == ["succeeded"] * 2


def test_pausing_or_resuming_twice_is_no_mistake_and_changes_nothing(project: Project) -> None:
    for _ in range(2):
        done = project.command("pause", "double")
        assert (done.returncode, done.stdout) == (0, PAUSED)
        assert line_of(project, "double")[0] == "paused"
    for _ in range(2):
        done = project.command("resume", "double")
        assert (done.returncode, done.stdout) == (0, "double is resumed\n")
        assert line_of(project, "double")[0] == "active"


def test_a_run_that_waits_can_be_cancelled_and_has_never_begun(project: Project) -> None:
    project.command("pause", "double")
    running = project.start("run", "double")
    run = running.until("waits to start").split()[2]
    assert project.json("cancel", run)["state"] == "cancelled"
    assert running.end() == 1
    assert "started" not in running.seen
    assert [step["attempts"] for step in project.json("show", run)["steps"]] == [0, 0]


def test_a_pipeline_that_is_not_there_is_refused_with_a_hint(project: Project) -> None:
    for command in ("pause", "resume"):
        wrong = project.command(command, "duble")
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert wrong.stderr == "onward: no pipeline is named 'duble' in workflows; did you mean `double`?\n"
        none = project.command(command, "ledger")
        assert none.stderr.endswith("in workflows; `onward pipelines` lists them\n")
    assert not project.state.exists()
