"""`onward run`: what it shows, and what scripts may rely on."""

import json
import re

import pytest

from e2e.cli_harness import Project

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def test_a_run_that_succeeds_exits_with_0_and_says_so(project: Project) -> None:
    done = project.command("run", "double", "-p", "n=4")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d run [0-9a-z]{20} of double started", lines[0])
    assert re.fullmatch(r"\d\d:\d\d:\d\d twice running \(attempt 1\)", lines[1])
    assert re.fullmatch(r"\d\d:\d\d:\d\d twice succeeded in .* s", lines[2])
    assert re.fullmatch(r"✔ double  [0-9a-z]{20}  succeeded in .* s", lines[-1])


def test_json_is_one_object_on_the_last_line_in_the_promised_spelling(project: Project) -> None:
    done = project.command("run", "double", "-p", "n=4", "--json")
    assert done.returncode == 0
    [line] = done.stdout.splitlines()
    run = json.loads(line)
    assert list(run) == ["run", "pipeline", "state", "params", "started", "ended", "steps"]
    assert (run["pipeline"], run["state"], run["params"]) == (
        "double",
        "succeeded",
        {"day": "2026-11-22", "n": 4},
    )
    fields = ["name", "state", "attempts", "started", "ended", "job", "error", "output"]
    assert [list(step) for step in run["steps"]] == [fields, fields]
    times = [thing[field] for thing in (run, *run["steps"]) for field in ("started", "ended")]
    assert all(TIME.fullmatch(time) for time in times)
    twice, tell = run["steps"]
    assert (twice["name"], twice["state"], twice["attempts"], twice["output"]) == ("twice", "succeeded", 1, 8)
    assert (tell["state"], tell["output"], tell["error"]) == ("succeeded", {"n": 8}, None)
    assert "twice succeeded" in done.stderr


def test_a_run_that_fails_exits_with_1_and_tells_the_error_and_what_to_do(project: Project) -> None:
    done = project.command("run", "broken")
    assert done.returncode == 1
    assert "bad failed: " in done.stdout
    assert "never upstream_failed" in done.stdout
    assert re.search(r"✘ broken  [0-9a-z]{20}  failed in", done.stdout)
    assert re.search(r"\n  onward logs [0-9a-z]{20} bad\n", done.stdout)
    assert re.search(r"\n  onward retry [0-9a-z]{20}\n", done.stdout)
    assert "Traceback" not in done.stdout + done.stderr


def test_the_hints_carry_the_options_that_the_command_had(project: Project) -> None:
    done = project.command("--state", "my state", "run", "broken")
    assert "  onward --state 'my state' retry " in done.stdout


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["run", "doubel"], "did you mean `double`?"),
        (["run", "double", "-p", "n=many"], "`n` must be a whole number, not `many`"),
        (["run", "double", "-p", "m=1"], "no parameter is named `m`"),
        (["run", "double", "-p", "n"], "NAME=VALUE"),
        (["run", "double", "-p", "n=1", "-p", "n=2"], "twice"),
        (["run", "gated"], "`gate` (string) is missing"),
        (["run"], "Missing argument 'PIPELINE'"),
        (["run", "double", "--fast"], "No such option"),
        (["runs", "--state", "x"], "It stands before the command: onward --state FOLDER"),
        (["runn"], "No such command"),
        (["--state", "workflows/double/code.py", "run", "double"], "can't be used"),
        (["--workflows", "nowhere", "run", "double"], "no pipeline is named"),
        (["up", "--port", "99999"], "99999"),
        (["publish", "nowhere"], "no topic `nowhere`"),
        (["publish", "onward-start", "--data", "{"], "JSON"),
        (["publish", "onward-start", "--data", "@missing.json"], "missing.json"),
        (["show", "nope"], "no runs"),
        (["cancel", "nope"], "no runs"),
        (["logs", "nope"], "no runs"),
        (["graph", "doubel"], "did you mean `double`?"),
    ],
)
def test_wrong_use_exits_with_2_and_one_clear_sentence(project: Project, args: list[str], told: str) -> None:
    done = project.command(*args)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_invalid_pipeline_is_refused_with_all_its_problems(project: Project) -> None:
    file = project.folder / "workflows" / "double" / "pipeline.yaml"
    text = file.read_text().replace("needs: [twice]", "needs: [twiec]").replace("type: int", "type: itn")
    file.write_text(text)
    done = project.command("run", "double")
    assert done.returncode == 2
    assert done.stderr.count("did you mean `twice`?") == 1
    assert "did you mean `int`?" in done.stderr


def test_the_same_key_is_the_same_run(project: Project) -> None:
    first, second = (project.json("run", "double", "--key", "once") for _ in range(2))
    assert first == second
    assert project.json("run", "double")["run"] != first["run"]
    assert len(project.json("runs")) == 2


def test_folders_may_come_from_the_environment(project: Project) -> None:
    (project.folder / "workflows").rename(project.folder / "w")
    done = project.shell("ONWARD_WORKFLOWS=w ONWARD_STATE=s onward run broken")
    assert done.returncode == 1
    assert "\n  onward retry " in done.stdout, "a hint needs no options where the environment has them"
    assert (project.folder / "s" / "state.db").is_file()


def test_what_is_hostile_in_a_value_can_not_steer_the_terminal(project: Project) -> None:
    hostile = "\x1b]0;title\x07[red]x[/red]\u202e\r"
    code, shown = project.in_terminal("run", "broken", "-p", f"flag={hostile}")
    assert code == 1
    assert "\x1b]0;" not in shown
    assert "no [bold]flag[/bold] \\x1b]0;gotcha\\x07" in shown
    for command in (["runs"], ["show", project.json("runs")[0]["run"]]):
        code, shown = project.in_terminal(*command)
        assert (code, "\x1b]0;" in shown, "\u202e" in shown) == (0, False, False)
        assert "\\x1b]0;title\\x07[red]x" in shown


def test_in_a_terminal_the_steps_are_a_table(project: Project) -> None:
    code, shown = project.in_terminal("run", "double")
    assert code == 0
    assert all(word in shown for word in ("twice", "tell", "succeeded", "attempt", '{"n"'))
    hides, shows = shown.rindex("\x1b[?25l"), shown.rindex("\x1b[?25h")
    assert hides < shows, "the cursor is back"


def test_a_reader_that_goes_away_is_no_error(project: Project) -> None:
    done = project.shell("onward schema | true; onward run double | true; onward --help | true")
    assert (done.stdout, done.stderr) == ("", "")
