"""A cancelled job ends, with all that it started, and says that it was cancelled."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from jobs_harness import Line, Runtime, command, gone, runtime
from onward.local.jobs import Ended


def test_cancel_kills_the_whole_family_even_who_ignores_sigterm(
    life: Runtime, heard: Line, gate: Line
) -> None:
    stays = f"trap '' TERM; echo $$ >{heard}; read x <{gate}"
    script = f'sh -c "$0" & setsid sh -c "$0" & echo $$ >{heard}; read x <{gate}'
    life.jobs.start("a", command("sh", "-c", script, stays, grace_seconds=0.1))
    family = [os.pidfd_open(int(heard.hear())) for _ in range(3)]
    life.jobs.cancel("a")
    result = life.result("a")
    assert (result.cancelled, result.exit_code, result.signal) == (True, None, signal.SIGTERM)
    assert all(gone(pidfd, patience=0) for pidfd in family)


def test_a_head_that_ignores_sigterm_is_killed_after_the_grace(
    life: Runtime, heard: Line, gate: Line
) -> None:
    script = f"trap '' TERM; echo hi >{heard}; read x <{gate}"
    life.jobs.start("a", command("sh", "-c", script, grace_seconds=0.1))
    heard.hear()
    life.jobs.cancel("a")
    result = life.result("a")
    assert (result.cancelled, result.signal) == (True, signal.SIGKILL)


def test_a_cancelled_job_may_clean_up(life: Runtime, heard: Line, gate: Line) -> None:
    script = f"trap 'echo bye; exit 7' TERM; echo hi >{heard}; read x <{gate}"
    life.jobs.start("a", command("sh", "-c", script, grace_seconds=3600))
    heard.hear()
    life.jobs.cancel("a")
    life.jobs.cancel("a")
    result = life.result("a")
    assert (result.cancelled, result.exit_code, result.last_lines) == (True, 7, "bye")


def test_the_children_of_a_head_that_ended_at_once_may_clean_up_too(
    life: Runtime, tmp_path: Path, heard: Line, gate: Line
) -> None:
    never = Line(tmp_path / "never")
    clean = f"for n in $(seq 200); do echo $n >{heard}; read x <{gate}; done; echo cleaned; exit"
    worker = f"trap '{clean}' TERM; echo hi >{heard}; read x <{never}"
    script = f'echo $$ >{heard}; trap "exit 1" TERM; sh -c "$0" & wait'
    life.jobs.start("a", command("sh", "-c", script, worker, grace_seconds=3600))
    head = os.pidfd_open(int(heard.hear()))
    assert heard.hear() == "hi"
    life.jobs.cancel("a")
    assert gone(head)
    for n in range(200):
        assert heard.hear() == str(n + 1)
        gate.say()
    result = life.result("a")
    assert (result.cancelled, result.exit_code, result.last_lines) == (True, 1, "cleaned")


def test_a_cancel_that_comes_before_the_supervisor_can_listen_is_not_lost(life: Runtime, gate: Line) -> None:
    life.jobs.start("a", command("sh", "-c", f"read x <{gate}"))
    life.jobs.cancel("a")
    result = life.result("a")
    assert (result.cancelled, result.signal) == (True, signal.SIGTERM)


def test_a_job_found_after_a_restart_can_be_cancelled(root: Path, life: Runtime, gate: Line) -> None:
    life.jobs.start("a", command("sh", "-c", f"read x <{gate}"))
    with runtime(root) as second:
        second.jobs.cancel("a")
        assert second.result("a").cancelled


def test_a_job_that_has_ended_stays_as_it_is(life: Runtime) -> None:
    result = life.run("a", "true")
    life.jobs.cancel("a")
    assert life.jobs.look("a") == Ended(result)
    assert not result.cancelled
