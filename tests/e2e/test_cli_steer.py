"""Cancel, retry, publish and interrupt; with a runtime elsewhere and without."""

import json
import re
import signal

import pytest

from e2e.cli_harness import Project, let_go


def test_a_retry_keeps_what_succeeded_and_shows_the_new_try_to_its_end(project: Project) -> None:
    flag = project.folder / "flag"
    first = project.json("run", "broken", "-p", f"flag={flag}", code=1)
    flag.touch()
    again = project.json("retry", first["run"])
    assert again["run"] == f"{first['run']}~2"
    assert [step["state"] for step in again["steps"]] == ["succeeded"] * 3
    assert again["steps"][1]["output"] == "mended"
    assert (again["steps"][0]["attempts"], again["steps"][0]["output"]) == (0, "fine")


def test_a_retry_uses_the_plan_of_the_run_unless_told_otherwise(project: Project) -> None:
    run = project.json("run", "broken", code=1)["run"]
    code = project.folder / "workflows" / "broken" / "code.py"
    code.write_text(code.read_text().replace("if not os.path.exists(flag)", "if False"))
    assert project.command("retry", run).returncode == 1
    assert project.command("retry", run, "--newest-plan").returncode == 0


def test_a_run_that_succeeded_can_not_be_tried_again(project: Project) -> None:
    run = project.json("run", "double")["run"]
    done = project.command("retry", run)
    assert done.returncode == 2
    assert "succeeded" in done.stderr


def test_a_run_that_is_carried_elsewhere_can_be_cancelled(project: Project) -> None:
    running = project.start("run", "gated", "-p", f"gate={project.gate()}")
    run = running.until("started").split()[2]
    running.until("wait running")
    done = project.command("cancel", run)
    assert done.returncode == 0
    assert re.search(rf"gated  {run}  cancelled in", done.stdout)
    assert running.end() == 1
    assert "cancelled" in running.seen


def test_a_cancel_that_comes_too_late_says_so_by_its_exit_code(project: Project) -> None:
    run = project.json("run", "double")["run"]
    done = project.command("cancel", run)
    assert (done.returncode, done.stdout) == (1, f"run {run} had ended before: succeeded\n")
    assert project.json("cancel", run, code=1)["state"] == "succeeded"


def test_a_step_that_a_retry_takes_over_says_so(project: Project) -> None:
    run = project.json("run", "broken", code=1)["run"]
    shown = project.command("retry", run).stdout
    assert "fine succeeded: adopted from the try before\n" in shown
    assert "never upstream_failed: step bad did not succeed\n" in shown


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_loses_nothing_and_says_how_to_go_on(
    project: Project, number: signal.Signals, code: int
) -> None:
    gate = project.gate()
    running = project.start("run", "gated", "-p", f"gate={gate}")
    run = running.until("started").split()[2]
    running.until("wait running")
    running.signal(number)
    assert running.end() == code
    assert "  onward up\n" in running.seen
    assert f"  onward cancel {run}\n" in running.seen
    assert not (project.state / "endpoint").exists()
    assert project.json("show", run)["state"] == "running"
    assert project.json("cancel", run)["state"] == "cancelled"


def test_looking_on_can_end_without_the_run(project: Project) -> None:
    gate = project.gate()
    up = project.start("up")
    up.until("answers at")
    running = project.start("run", "gated", "-p", f"gate={gate}")
    run = running.until("started").split()[2]
    running.signal(signal.SIGINT)
    assert running.end() == 130
    assert f"Left run {run} to the runtime that carries it." in running.seen
    let_go(gate)
    up.until(f"run {run} of gated succeeded")


def test_many_runs_at_once_share_one_runtime_and_none_loses_anything(project: Project) -> None:
    gates = [project.gate(f"gate{number}") for number in range(4)]
    running = [project.start("run", "gated", "-p", f"gate={gate}") for gate in gates]
    for one in running:
        one.until("wait running")
    for gate, one in zip(gates, running, strict=True):
        let_go(gate)
        one.until("gated  ")
    assert [one.end() for one in running] == [0, 0, 0, 0]
    assert [run["state"] for run in project.json("runs")] == ["succeeded"] * 4
    assert [run["steps"][0]["attempts"] for run in map(project.details, project.json("runs"))] == [1, 1, 1, 1]


def test_a_run_goes_on_here_when_the_runtime_that_carried_it_ends(project: Project) -> None:
    gate = project.gate()
    up = project.start("up")
    up.until("answers at")
    running = project.start("run", "gated", "-p", f"gate={gate}")
    running.until("wait running")
    up.signal(signal.SIGKILL)
    up.end()
    let_go(gate)
    assert running.end() == 0


def test_publish_returns_at_once_where_a_runtime_is_at_work(project: Project) -> None:
    gate = project.gate()
    up = project.start("up")
    up.until("answers at")
    body = json.dumps({"pipeline": "gated", "params": {"gate": str(gate)}})
    done = project.command("publish", "onward-start", "--data", body)
    assert done.returncode == 0
    found = re.fullmatch(r"message \d+: run ([0-9a-z]{20})\n", done.stdout)
    assert found
    let_go(gate)
    up.until(f"run {found[1]} of gated succeeded")
    up.signal(signal.SIGTERM)
    assert up.end() == 0


def test_publish_carries_the_run_where_no_runtime_is_at_work(project: Project) -> None:
    message = project.folder / "message.json"
    message.write_text(json.dumps({"n": 21}))
    done = project.command(
        "publish", "onward-start", "--data", "@message.json", "--attribute", "pipeline=double"
    )
    assert done.returncode == 0
    [run] = project.json("runs")
    assert f"run {run['run']}" in done.stdout
    assert (run["state"], run["params"]["n"]) == ("succeeded", 21)
