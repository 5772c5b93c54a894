"""Whatever dies, a job runs once at a time, is found again, or is known to be lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from jobs_harness import Line, Runtime, command, gone, runtime, supervisor
from onward.core.errors import Conflict
from onward.local.jobs import Alive, Ended, Lost, Missing, lock
from onward.local.jobs.processes import open_process

RUNTIME = """
import signal, sys
from pathlib import Path
from jobs_harness import command, runtime
with runtime(Path(sys.argv[1])) as life:
    life.jobs.start("a", command("sh", "-c", sys.argv[2]))
    life.jobs.watch("a")
    print("started", flush=True)
    life.ring()
"""


def test_kill_9_of_the_runtime_and_all_its_group_leaves_the_job_running(
    root: Path, heard: Line, gate: Line
) -> None:
    script = f"echo $$ >{heard}; read x <{gate}; exit 9"
    first = subprocess.Popen(
        [sys.executable, "-c", RUNTIME, str(root), script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"started\n"
        job = os.pidfd_open(int(heard.hear()))
        os.killpg(first.pid, signal.SIGKILL)
    with runtime(root) as second:
        assert second.jobs.look("a") == Alive()
        second.jobs.start("a", command("false"))
        second.jobs.watch("a")
        assert not gone(job, patience=0)
        gate.say()
        assert second.result("a").exit_code == 9
        assert second.ended == ["a"]


def test_a_job_whose_runtime_dies_right_after_starting_it_is_found(root: Path) -> None:
    """Before its supervisor has written its pid, too: most of these supervisors have not."""
    names = [f"a-{n}" for n in range(5)]

    def start(life: Runtime) -> None:
        for name in names:
            life.jobs.start(name, command("sh", "-c", "exit 3"))

    assert in_a_child(root, start).wait() == 0
    with runtime(root) as second:
        for name in reversed(names):
            second.jobs.watch(name)
        assert sorted(second.ring() for _ in names) == names
        assert all(isinstance(second.jobs.look(name), Ended) for name in names)


def test_a_job_that_ended_while_no_runtime_was_there_rings_soon(root: Path, heard: Line) -> None:
    def start(life: Runtime) -> None:
        life.jobs.start("a", command("sh", "-c", f"echo hi >{heard}"))
        assert gone(life.jobs._supervisors["a"].pidfd)

    assert in_a_child(root, start).wait() == 0
    with runtime(root) as second:
        assert second.result("a").exit_code == 0


def test_starts_of_one_name_at_once_run_one_job(root: Path, tmp_path: Path, life: Runtime) -> None:
    """Eight processes start the same 20 jobs in the same order, while others keep looking at them."""
    names = [f"a-{n}" for n in range(20)]
    count, (barrier, release) = tmp_path / "count", os.pipe()

    def start(life: Runtime) -> None:
        os.close(release)
        os.read(barrier, 1)
        for name in names:
            life.jobs.look(name)
            life.jobs.start(name, command("sh", "-c", f"echo {name} >>{count}"))
            life.jobs.look(name)

    starters = [in_a_child(root, start) for _ in range(8)]
    os.close(release)
    os.close(barrier)
    assert [starter.wait() for starter in starters] == [0] * 8
    for name in names:
        life.result(name)
    assert sorted(count.read_text().split()) == sorted(names)


def test_a_start_is_not_disturbed_by_somebody_who_asks(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    ask = threading.Thread(target=lambda: [lock.held(path) for _ in range(5_000)])
    ask.start()
    for _ in range(5_000):
        with path.open("r+b") as file:
            assert lock.take(file.fileno())
    ask.join()


def test_kill_9_of_the_supervisor_takes_the_command_with_it(life: Runtime, root: Path, heard: Line) -> None:
    life.jobs.start("a", command("sh", "-c", f"echo $$ >{heard}; read x <{heard}.never"))
    os.mkfifo(f"{heard}.never")
    job = os.pidfd_open(int(heard.hear()))
    os.kill(supervisor(root, "a"), signal.SIGKILL)
    assert gone(job)


@pytest.mark.parametrize("act", ["look", "cancel", "forget"])
def test_a_lost_job_is_dead_with_all_its_descendants(
    life: Runtime, root: Path, heard: Line, gate: Line, act: str
) -> None:
    stays = f"trap '' TERM HUP; echo $$ >{heard}; read x <{gate}"
    life.jobs.start("a", command("sh", "-c", 'sh -c "$0" & setsid sh -c "$0" & wait', stays))
    left = [os.pidfd_open(int(heard.hear())) for _ in range(2)]
    life.jobs.watch("a")
    os.kill(supervisor(root, "a"), signal.SIGKILL)
    assert life.ring() == "a"
    assert not any(gone(pidfd, patience=0) for pidfd in left)
    getattr(life.jobs, act)("a")
    assert all(gone(pidfd) for pidfd in left)


def test_a_lost_job_stays_lost_until_it_is_forgotten(
    life: Runtime, root: Path, heard: Line, gate: Line
) -> None:
    life.jobs.start("a", command("sh", "-c", f"echo hi >{heard}; read x <{gate}"))
    heard.hear()
    life.jobs.watch("a")
    os.kill(supervisor(root, "a"), signal.SIGKILL)
    life.ring()
    assert life.jobs.look("a") == Lost()
    life.jobs.start("a", command("true"))
    assert life.jobs.look("a") == Lost()
    life.jobs.forget("a")
    assert life.jobs.look("a") == Missing()
    assert life.run("a", "true").exit_code == 0


def test_the_death_of_one_supervisor_harms_no_other_job(
    life: Runtime, root: Path, tmp_path: Path, heard: Line, gate: Line
) -> None:
    for name, door in (("a", Line(tmp_path / "never")), ("a-1", gate)):
        life.jobs.start(name, command("sh", "-c", f"echo hi >{heard}; read x <{door}"))
        heard.hear()
    life.jobs.watch("a")
    os.kill(supervisor(root, "a"), signal.SIGKILL)
    life.ring()
    assert (life.jobs.look("a"), life.jobs.look("a-1")) == (Lost(), Alive())
    gate.say()
    assert life.result("a-1").exit_code == 0


def test_a_result_that_cannot_be_read_is_as_good_as_none(life: Runtime, root: Path) -> None:
    life.run("a", "true")
    (root / "a" / "result.json").write_text('{"exit_code": 0')
    assert life.jobs.look("a") == Lost()


def test_a_running_job_cannot_be_forgotten(life: Runtime, gate: Line) -> None:
    life.jobs.start("a", command("sh", "-c", f"read x <{gate}"))
    with pytest.raises(Conflict, match="job a is running"):
        life.jobs.forget("a")
    gate.say()
    assert life.result("a").exit_code == 0


def test_what_was_never_started_is_missing_and_may_be_forgotten_or_cancelled(life: Runtime) -> None:
    assert life.jobs.look("a") == Missing()
    life.jobs.forget("a")
    life.jobs.cancel("a")
    life.jobs.watch("a")
    assert life.ring() == "a"
    assert life.jobs.look("a") == Missing()


def test_a_pid_that_was_used_again_is_nobody() -> None:
    start = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    pidfd = open_process(os.getpid(), start)
    assert pidfd is not None
    os.close(pidfd)
    assert open_process(os.getpid(), start + 1) is None


class in_a_child:  # noqa: N801  (reads as what it does)
    """Do something with a runtime of its own in a forked process, which then dies without any farewell."""

    def __init__(self, root: Path, act: Callable[[Runtime], None]) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                act(Runtime(root))
                code = 0
            finally:
                os._exit(code)

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
