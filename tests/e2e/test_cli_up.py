"""`onward up`: files that arrive start runs, until it is told to stop."""

import re
import signal

import pytest

from e2e.cli_harness import Project, let_go


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_file_that_arrives_starts_a_run_and_a_signal_stops_it_cleanly(
    project: Project, number: signal.Signals
) -> None:
    up = project.start("up")
    up.until("landing/{day}/*.csv starts double")
    up.until("answers at http://127.0.0.1:")
    project.drop("2026-01-02/x.csv")
    started = up.until("of double started")
    assert "by gs://landing/2026-01-02/x.csv" in started
    up.until("of double succeeded in")
    up.signal(number)
    assert up.end() == 0
    assert up.seen.splitlines()[-1] == "stopped; no run was open"
    assert not (project.state / "endpoint").exists()
    [run] = project.json("runs")
    assert run["params"] == {"day": "2026-01-02", "n": 3}


def test_a_file_that_is_there_at_the_start_starts_a_run(project: Project) -> None:
    project.drop("2026-01-02/x.csv")
    up = project.start("up")
    assert "started by gs://landing/2026-01-02/x.csv" in up.until("started by")
    up.until("of double succeeded")


def test_a_pipeline_without_a_trigger_is_suggested_with_what_it_needs(project: Project) -> None:
    up = project.start("up")
    up.until("`onward run gated -p gate=STRING` starts gated")


def test_a_signal_stops_it_without_a_word_of_staying(project: Project) -> None:
    up = project.start("up")
    up.until("answers at")
    running = project.start("run", "gated", "-p", f"gate={project.gate()}")
    running.until("wait running")
    up.signal(signal.SIGTERM)
    assert up.end() == 0
    assert "staying" not in up.seen
    assert "stopped with 1 open run" in up.seen


def test_what_matches_nothing_and_what_does_not_parse_is_reported(project: Project) -> None:
    up = project.start("up")
    up.until("answers at")
    project.drop("other/deep/x.csv")
    assert "matches no pipeline" in up.until("other/deep/x.csv")
    project.drop("not\x1b[2Ja\ndate/x.csv")
    line = up.until("does not start double")
    assert "\x1b" not in line
    project.drop("2026-01-03/x.csv")
    up.until("of double succeeded")


def test_it_says_what_it_leaves_open_and_takes_it_up_again(project: Project) -> None:
    gate = project.gate()
    up = project.start("up")
    up.until("answers at")
    running = project.start("run", "gated", "-p", f"gate={gate}")
    run = running.until("started").split()[2]
    running.until("wait running")
    running.signal(signal.SIGINT)
    running.end()
    up.signal(signal.SIGINT)
    assert up.end() == 0
    assert "stopped with 1 open run" in up.seen
    again = project.start("up")
    again.until(f"run {run} goes on")
    let_go(gate)
    again.until(f"run {run} of gated succeeded")


def test_a_second_one_on_the_same_state_is_refused_in_a_sentence(project: Project) -> None:
    up = project.start("up")
    up.until("answers at")
    done = project.command("up")
    assert done.returncode == 1
    assert re.fullmatch(r"onward: another runtime uses .*\n", done.stderr)


def test_a_port_can_be_fixed_and_one_that_is_taken_is_refused(project: Project) -> None:
    up = project.start("up")
    port = up.until("answers at").strip().rpartition(":")[2]
    done = project.command("--state", "other", "up", "--port", port)
    assert done.returncode == 2
    assert f"port {port}" in done.stderr


def test_a_pipeline_with_a_problem_is_reported_and_keeps_no_other_from_starting(project: Project) -> None:
    (project.folder / "workflows" / "broken" / "pipeline.yaml").write_text("pipeline: broken\n")
    up = project.start("up")
    up.until("workflows/broken/pipeline.yaml")
    up.until("answers at")
    project.drop("2026-01-02/x.csv")
    up.until("of double succeeded")


@pytest.mark.parametrize("faults", ["x", '{"lots": 1}', '{"lost": 2}', '{"doubled": -1}', '{"seed": "a"}'])
def test_faults_that_mean_nothing_are_refused_before_anything_starts(project: Project, faults: str) -> None:
    done = project.command("up", "--emulators", "--faults", faults)
    assert done.returncode == 2
    assert done.stderr.startswith('onward: faults must be JSON such as {"seed": 7, "lost": 0.2}: ')
    assert done.stderr.count("\n") == 1
