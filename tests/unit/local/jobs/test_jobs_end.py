"""How a job ends is known exactly, and nothing of it stays behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from jobs_harness import Line, Runtime, command, gone, supervisor
from onward.local.jobs import Alive, Ended, Missing


def test_the_exit_code_and_the_times_are_kept(life: Runtime) -> None:
    result = life.run("a", "sh", "-c", "exit 3")
    assert (result.exit_code, result.signal, result.cancelled) == (3, None, False)
    assert 1.7e15 < result.started <= result.ended


def test_a_signal_that_ends_the_job_is_told_from_an_exit_code(life: Runtime) -> None:
    result = life.run("a", "sh", "-c", "kill -9 $$")
    assert (result.exit_code, result.signal) == (None, signal.SIGKILL)


def test_a_command_that_is_not_there_ends_with_127_and_says_so(life: Runtime) -> None:
    result = life.run("a", "no-such\ncommand")
    assert result.exit_code == 127
    assert result.last_lines == r"cannot run 'no-such\ncommand': No such file or directory"


def test_a_folder_that_is_not_there_ends_the_job_and_says_so(life: Runtime) -> None:
    result = life.run("a", "true", cwd="/no/such/folder")
    assert result.exit_code == 127
    assert result.last_lines == "cannot run in '/no/such/folder': No such file or directory"


def test_a_file_that_may_not_be_run_ends_with_126(life: Runtime) -> None:
    assert life.run("a", "/etc/passwd").exit_code == 126


def test_on_end_is_called_once(life: Runtime) -> None:
    life.jobs.start("a", command("true"))
    life.jobs.watch("a")
    life.jobs.watch("a")
    life.ring()
    life.turn()
    assert life.ended == ["a"]


def test_a_job_that_ended_before_it_was_watched_rings_soon(life: Runtime) -> None:
    life.run("a", "true")
    life.jobs.watch("a")
    assert life.ended == ["a"]  # not from inside watch
    life.ring()
    assert life.ended == ["a", "a"]


def test_what_outlives_the_command_is_killed_even_in_a_session_of_its_own(
    life: Runtime, heard: Line, gate: Line
) -> None:
    stays = f"trap '' TERM HUP; echo $$ >{heard}; read x <{gate}.never"
    os.mkfifo(f"{gate}.never")
    life.jobs.start("a", command("sh", "-c", f'sh -c "$0" & setsid sh -c "$0" & read x <{gate}', stays))
    left = [os.pidfd_open(int(heard.hear())) for _ in range(2)]
    gate.say()
    assert life.result("a").exit_code == 0
    assert all(gone(pidfd, patience=0) for pidfd in left)


def test_an_orphan_that_ends_while_the_job_runs_is_no_end(life: Runtime, heard: Line, gate: Line) -> None:
    life.jobs.start("a", command("sh", "-c", f"(true &); (true &); echo go >{heard}; read x <{gate}; exit 4"))
    heard.hear()
    assert life.jobs.look("a") == Alive()
    gate.say()
    assert life.result("a").exit_code == 4


@pytest.mark.parametrize("watched", [True, False])
def test_a_supervisor_that_ended_is_no_zombie(life: Runtime, watched: bool) -> None:
    life.jobs.start("a", command("true"))
    if watched:
        life.jobs.watch("a")
    pidfd = life.jobs._supervisors["a"].pidfd
    child = life.jobs._supervisors["a"].child
    assert child is not None
    assert gone(pidfd)
    life.turn()
    with pytest.raises(ChildProcessError):
        os.waitpid(child.pid, os.WNOHANG)


def test_the_last_lines_are_the_last_twenty_within_4_kib_whatever_bytes_they_are(life: Runtime) -> None:
    lines = life.run("a", "seq", "100").last_lines
    assert lines == "\n".join(map(str, range(81, 101)))
    lines = life.run("b", "sh", "-c", r"printf 'a\377\000b\n'").last_lines
    assert lines == "a\ufffd\0b"
    lines = life.run("c", "sh", "-c", "head -c 100000 /dev/zero").last_lines
    assert lines == "\0" * 4096


def test_output_and_errors_go_to_one_log(life: Runtime) -> None:
    life.run("a", "sh", "-c", "echo out; echo err >&2")
    assert life.jobs.log_path("a").read_text() == "out\nerr\n"


def test_a_job_can_be_run_again_only_when_it_is_forgotten_and_its_log_goes_on(life: Runtime) -> None:
    first = life.run("a", "echo", "first")
    assert life.run("a", "echo", "second") == first
    life.jobs.forget("a")
    assert life.jobs.look("a") == Missing()
    assert life.run("a", "echo", "third").last_lines == "third"
    assert life.jobs.log_path("a").read_text() == "first\n\n[started again]\nthird\n"


def test_two_jobs_do_not_touch_each_other(life: Runtime, gate: Line) -> None:
    life.jobs.start("slow", command("sh", "-c", f"read x <{gate}"))
    life.run("quick", "true")
    assert life.jobs.look("slow") == Alive()
    gate.say()
    life.result("slow")
    assert isinstance(life.jobs.look("quick"), Ended)


def test_the_job_inherits_nothing_but_its_output(life: Runtime) -> None:
    """No lock, no descriptor of the runtime, no ignored or blocked signal, no terminal."""
    leak = os.open("/", os.O_RDONLY)
    os.set_inheritable(leak, True)
    own = "while read -r line; do case $line in SigBlk*|SigIgn*) echo $line;; esac; done </proc/$$/status"
    show = f"readlink /proc/self/fd/0; ls /proc/self/fd; {own}"
    result = life.run("a", "sh", "-c", show)
    os.close(leak)
    *descriptors, _, blocked, _, ignored = result.last_lines.split()
    assert descriptors == ["/dev/null", "0", "1", "2", "3"]  # 3 is the folder that ls reads
    libc_own = 0b11 << 31  # signals 32 and 33: nobody else can set them
    assert [int(blocked, 16), int(ignored, 16) & ~libc_own] == [0, 0]


def test_the_job_and_its_supervisor_have_sessions_of_their_own(
    life: Runtime, root: Path, heard: Line, gate: Line
) -> None:
    life.jobs.start("a", command("sh", "-c", f"echo $$ >{heard}; read x <{gate}"))
    job = int(heard.hear())
    assert os.getsid(job) == job
    assert os.getsid(supervisor(root, "a")) == supervisor(root, "a")
    gate.say()
    life.result("a")
