"""`onward runs`, `show` and `logs`."""

import re
import signal

from e2e.cli_harness import Project


def test_runs_are_listed_the_newest_first(project: Project) -> None:
    assert project.json("runs") == []
    assert project.command("runs").stdout == "no runs in .onward\n"
    runs = [project.json("run", "double")["run"], project.json("run", "broken", code=1)["run"]]
    assert [run["run"] for run in project.json("runs")] == runs[::-1]
    assert [run["run"] for run in project.json("runs", "--pipeline", "double")] == runs[:1]
    assert [run["run"] for run in project.json("runs", "--limit", "1")] == runs[1:]
    lines = project.command("runs").stdout.splitlines()
    assert lines == [line.rstrip() for line in lines]
    assert re.match(rf"✘ {runs[1]} +broken +failed +\d{{4}}-", lines[1])
    assert re.match(rf"✔ {runs[0]} +double +succeeded .*day=2026-11-22 n=3", lines[2])


def test_the_first_letters_of_a_run_are_enough(project: Project) -> None:
    run = project.json("run", "double")["run"]
    assert project.json("show", run[:3])["run"] == run
    done = project.command("show", run[:5])
    assert done.returncode == 0
    assert all(word in done.stdout for word in (run, "succeeded in", "by hand", "n=3", "twice", '{"n": 6}'))


def test_letters_that_several_runs_share_are_refused_with_the_runs(project: Project) -> None:
    runs: dict[str, str] = {}
    while (run := project.json("run", "double")["run"])[0] not in runs:  # at most 37 times
        runs[run[0]] = run
    done = project.command("show", run[0])
    assert done.returncode == 2
    assert run in done.stderr
    assert runs[run[0]] in done.stderr


def test_a_shortened_run_is_its_newest_try(project: Project) -> None:
    run = project.json("run", "broken", code=1)["run"]
    again = project.json("retry", run[:6], code=1)["run"]
    assert again == f"{run}~2"
    assert project.json("show", run[:6])["run"] == again
    assert project.json("show", run)["run"] == run


def test_show_tells_why_a_run_failed(project: Project) -> None:
    run = project.json("run", "broken", code=1)["run"]
    shown = project.command("show", run).stdout
    assert "bad failed in attempt 1" in shown
    assert "step bad did not succeed" in shown
    assert "no [bold]flag[/bold] \\x1b]0;gotcha\\x07" in shown


def test_logs_of_a_step_are_what_it_printed(project: Project) -> None:
    run = project.json("run", "broken", code=1)["run"]
    logged = project.command("logs", run, "bad")
    assert logged.returncode == 0
    assert logged.stdout.startswith("\x1b[2Jabout \x1b[31mto\x1b[0m break\n")
    assert project.command("logs", run, "bad", "--attempt", "1").stdout == logged.stdout


def test_logs_in_a_terminal_keep_their_colours_and_nothing_else(project: Project) -> None:
    run = project.json("run", "broken", code=1)["run"]
    _, shown = project.in_terminal("logs", run, "bad")
    assert shown.startswith("\\x1b[2Jabout \x1b[31mto\x1b[0m break\r\n")


def test_logs_of_a_run_are_those_of_its_steps_each_with_a_title(project: Project) -> None:
    run = project.json("run", "broken", code=1)["run"]
    shown = project.command("logs", run).stdout
    assert shown.startswith("==> fine, attempt 1 <==\ncalled\n\n==> bad, attempt 1 <==\n")


def test_logs_of_a_step_that_was_taken_over_are_those_of_the_try_in_which_it_ran(project: Project) -> None:
    run = project.json("run", "broken", code=1)["run"]
    project.json("retry", run, code=1)
    assert project.command("logs", f"{run}~2", "fine").stdout == "called\n"


def test_a_log_that_is_not_there_is_one_clear_sentence(project: Project) -> None:
    run = project.json("run", "broken", code=1)["run"]
    for args, told in (
        ((run, "never"), "no log of step never"),
        ((run, "bda"), "did you mean `bad`?"),
        ((run, "bad", "--attempt", "7"), "in attempt 7"),
    ):
        done = project.command("logs", *args)
        assert (done.returncode, done.stdout) == (2, "")
        assert told in done.stderr


def test_logs_can_be_followed_to_the_end_of_the_run(project: Project) -> None:
    gate = project.gate()
    running = project.start("run", "gated", "-p", f"gate={gate}")
    run = running.until("started").split()[2]
    running.until("wait running")
    following = project.start("logs", run, "wait", "--follow")
    following.until("at the gate")
    gate.write_text("open")
    assert following.end() == 0
    assert running.end() == 0


def test_following_ends_with_the_run_that_up_carries(project: Project) -> None:
    gate = project.gate()
    up = project.start("up")
    up.until("answers at")
    running = project.start("run", "gated", "-p", f"gate={gate}")
    run = running.until("started").split()[2]
    running.until("wait running")
    following = [project.start("logs", run, *step, "--follow") for step in ([], ["wait"])]
    for one in following:
        one.until("at the gate")
    gate.write_text("open")
    assert [one.end() for one in following] == [0, 0]
    assert running.end() == 0


def test_a_step_that_printed_nothing_is_said_to_have(project: Project) -> None:
    run = project.json("run", "double")["run"]
    for args in ((run, "tell"), (run, "tell", "--follow")):
        done = project.command("logs", *args)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == f"onward: step tell has printed nothing (run {run})\n"


def test_the_job_of_a_step_is_that_of_its_last_attempt(project: Project) -> None:
    run = project.json("run", "broken", code=1)
    assert [step["job"] for step in run["steps"]] == [
        f"fine-{run['run']}-1-0-1",
        f"bad-{run['run']}-1-1-1",
        None,
    ]


def test_following_can_be_interrupted(project: Project) -> None:
    gate = project.gate()
    running = project.start("run", "gated", "-p", f"gate={gate}")
    run = running.until("started").split()[2]
    running.until("wait running")
    following = project.start("logs", run, "--follow")
    following.until("at the gate")
    following.signal(signal.SIGINT)
    assert following.end() == 130
    assert "Traceback" not in following.seen


def test_a_step_over_a_list_is_one_line_and_its_items_are_listed_and_have_logs(project: Project) -> None:
    run = project.json("run", "listed")["run"]
    (step,) = project.json("show", run)["steps"]
    assert step["items"] == {"count": 3, "succeeded": 2, "failed": 1, "running": 0}
    assert "2 of 3 succeeded, 1 failed" in project.command("show", run).stdout
    items = project.json("show", run, "--step", "each", "--from", "1")
    assert [(item["name"], item["state"], item["output"]) for item in items] == [
        ("each[1]", "failed", None),
        ("each[2]", "succeeded", "cc"),
    ]
    assert "ValueError: not b" in project.command("show", run, "--step", "each").stdout
    assert project.command("logs", run, "each[2]").stdout == "this is c\n"
    refused = project.command("show", run, "--step", "eahc")
    assert refused.returncode == 2
    assert "has no step `eahc`" in refused.stderr
