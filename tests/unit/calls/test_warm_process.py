from __future__ import annotations

import json
import os
import select
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from onward.calls.call import Call, Died, Outcome, Raised, Returned
from onward.calls.warm import Overdue, WarmProcess

SOURCE = """
import os, signal, sys, time
from helper import double

calls = []

def count(name):
    calls.append(name)
    return len(calls)

def fail():
    raise KeyError("humidity")

def die(mark):
    if os.path.exists(mark):
        return "the second time"
    open(mark, "w").close()
    os._exit(3)

def hang():
    signal.pause()

def twice(n):
    return double(n)

def environ():
    return dict(os.environ)

def talk(fifo):
    print("started", flush=True)
    with open(fifo) as said:
        print(said.read(), file=sys.stderr)
    return "said"

def garbage():
    for descriptor in range(3, 100):
        try: os.write(descriptor, b"\\xff" * 100)
        except OSError: pass
    signal.pause()

def close_output():
    for descriptor in range(1, 100):
        try: os.close(descriptor)
        except OSError: pass
    signal.pause()
"""
LONG = 20.0
"""Seconds after which a test counts as hanging."""


class World:
    """A pipeline's folder, and this thread's process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.add(folder)
        self.warm = WarmProcess({"PATH": os.environ["PATH"], "MINE": "1"})
        self.said: list[bytes] = []

    def add(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "steps.py").write_text(textwrap.dedent(SOURCE))
        (folder / "helper.py").write_text("def double(n): return 2 * n\n")

    def make(self, target: str, seconds: float = LONG, folder: Path | None = None, **args: Any) -> Outcome:
        call = Call("job", str(folder or self.folder), f"steps.py:{target}", json.dumps(args).encode(), "job")
        return self.warm.make(call, seconds, self.said.append)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "sales")
    yield world
    world.warm.close()


def test_calls_of_a_folder_are_made_in_one_warm_process(world: World) -> None:
    assert world.make("count", name="a") == Returned("job", b"1")
    assert world.make("count", name="b") == Returned("job", b"2")


def test_two_folders_never_share_a_process(world: World) -> None:
    other = world.folder.parent / "other"
    world.add(other)
    assert world.make("count", name="a") == Returned("job", b"1")
    assert world.make("count", name="b", folder=other) == Returned("job", b"1")


def test_two_threads_never_share_a_process(world: World) -> None:
    world.make("count", name="a")
    found: list[Outcome] = []

    def elsewhere() -> None:
        found.append(world.make("count", name="b"))
        world.warm.close()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [Returned("job", b"1")]


def test_a_file_may_import_its_siblings(world: World) -> None:
    assert world.make("twice", n=4) == Returned("job", b"8")


def test_an_exception_is_told_in_one_line_and_traced_to_the_users_code(world: World) -> None:
    assert world.make("fail") == Raised("job", "KeyError: 'humidity'")
    trace = b"".join(world.said).decode()
    assert trace.startswith("Traceback (most recent call last):\n")
    assert 'steps.py", line 12, in fail' in trace
    assert "worker.py" not in trace


def test_a_call_that_ends_its_process_is_lost_and_the_next_has_a_new_one(world: World) -> None:
    mark = str(world.folder / "mark")
    assert world.make("die", mark=mark) == Died("job", "exited with code 3")
    assert world.make("die", mark=mark) == Returned("job", b'"the second time"')


def test_a_process_that_died_between_two_calls_costs_neither(world: World) -> None:
    world.make("count", name="a")
    process = world.warm._process
    assert process is not None
    process.kill()
    assert select.select([process.ended], [], [], LONG)[0]
    assert world.make("count", name="b") == Returned("job", b"1")


def test_a_call_over_its_time_is_killed(world: World) -> None:
    with pytest.raises(Overdue):
        world.make("hang", seconds=0.3)
    assert world.make("count", name="a") == Returned("job", b"1")


def test_a_call_that_closes_all_it_can_close_is_killed_all_the_same(world: World) -> None:
    with pytest.raises(Overdue):
        world.make("close_output", seconds=0.3)


def test_a_call_that_writes_into_the_processs_own_pipes_is_lost(world: World) -> None:
    assert world.make("garbage") == Died("job", "killed by signal 9")
    assert world.make("count", name="a") == Returned("job", b"1")


def test_what_a_call_prints_is_said_while_it_runs(world: World) -> None:
    fifo = world.folder / "fifo"
    os.mkfifo(fifo)

    def answer(data: bytes) -> None:
        world.said.append(data)
        if b"started" in data:
            fifo.write_text("heard")

    call = Call("job", str(world.folder), "steps.py:talk", json.dumps({"fifo": str(fifo)}).encode(), "job")
    assert world.warm.make(call, LONG, answer) == Returned("job", b'"said"')
    assert b"".join(world.said) == b"started\nheard\n"


def test_a_call_sees_the_environment_that_it_is_given_and_no_more(world: World) -> None:
    outcome = world.make("environ")
    assert isinstance(outcome, Returned)
    assert json.loads(outcome.output).keys() - {"LC_CTYPE"} == {"PATH", "MINE"}


def test_a_process_that_can_not_be_started_loses_the_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/no/such")
    outcome = world.make("count", name="a")
    assert outcome == Died("job", "no process could take it: [Errno 2] No such file or directory: '/no/such'")
