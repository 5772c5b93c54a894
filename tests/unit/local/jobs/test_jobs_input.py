"""Names, arguments and environments are anybody's: they arrive unchanged, or are refused."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jobs_harness import Runtime, command, runtime
from onward.core.errors import BadParameter, Refused
from onward.local.jobs import Missing

ANYTHING = st.binary(max_size=50).filter(lambda value: b"\0" not in value).map(os.fsdecode)
TELL = "import os, sys; print(*[os.environ['V'], os.getcwd(), *sys.argv[1:]], sep='\\0', end='')"


@settings(max_examples=15)
@given(arguments=st.lists(ANYTHING, max_size=5), value=ANYTHING)
@example(arguments=["", "a\nb", "'\"$(reboot)`", "-c", "--", "\u2028é", "\udcff"], value="x\ny='\"\udc80")
def test_arguments_environment_and_folder_arrive_unchanged(arguments: list[str], value: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cwd = Path(folder, "a \n'\"b\udcfe")
        cwd.mkdir()
        argv = (sys.executable, "-S", "-X", "utf8", "-c", TELL, *arguments)
        env = {"V": value, "PYTHONIOENCODING": "utf8:surrogateescape"}
        with runtime(Path(folder, "jobs")) as life:
            assert life.run("a", *argv, env=env, cwd=str(cwd)).exit_code == 0
            told = life.jobs.log_path("a").read_bytes().split(b"\0")
        assert told == [os.fsencode(part) for part in (value, str(cwd), *arguments)]


def test_the_environment_is_added_to_the_runtimes_own(life: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("CHANGED", "1")
    result = life.run("a", "sh", "-c", "echo $KEPT $CHANGED $NEW", env={"CHANGED": "2", "NEW": "3"})
    assert result.last_lines == "1 2 3"


@pytest.mark.parametrize(
    "spec",
    [
        {"argv": ()},
        {"argv": ("echo", "a\0b")},
        {"argv": ("true",), "env": {"A": "a\0b"}},
        {"argv": ("true",), "env": {"A=B": "c"}},
        {"argv": ("true",), "cwd": "/\0"},
        {"argv": ("echo", "\ud800")},
    ],
)
def test_what_no_process_can_be_given_is_refused(life: Runtime, spec: dict[str, object]) -> None:
    argv = spec.pop("argv")
    assert isinstance(argv, tuple)
    with pytest.raises(BadParameter, match="job a: "):
        life.jobs.start("a", command(*argv, **spec))
    assert life.jobs.look("a") == Missing()


def test_arguments_too_long_for_the_system_are_refused(life: Runtime) -> None:
    with pytest.raises(Refused, match="job a: "):
        life.jobs.start("a", command("echo", "x" * 10_000_000))
    assert life.jobs.look("a") == Missing()


@given(name=st.text())
@example("")
@example("..")
@example("a/b")
@example("a\n")
@example("A")
@example("é")
@example("a" * 101)
def test_a_name_that_is_no_job_name_is_refused(name: str) -> None:
    if len(name) in range(1, 101) and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-"):
        return
    with runtime(Path("/nowhere")) as life:
        jobs = life.jobs
        for refused in (jobs.look, jobs.watch, jobs.cancel, jobs.forget, jobs.log_path):
            with pytest.raises(BadParameter, match="is no job name"):
                refused(name)
        with pytest.raises(BadParameter, match="is no job name"):
            jobs.start(name, command("true"))


def test_the_longest_name_will_do(life: Runtime) -> None:
    assert life.run("-" * 100, "true").exit_code == 0
