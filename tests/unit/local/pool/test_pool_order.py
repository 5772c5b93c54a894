"""Who waits for whom, and what a cancel ends."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from onward.local.pool import Died, Outcome, Returned
from onward.local.pool.pool import STALL_TICKS
from pool_harness import HANG_SECONDS, Clock, Files, Pooled, pooling

SOURCE = """
import os
def f(started=None, end=None):
    if started:
        with open(started, "w") as pipe: pipe.write("x")
    if end: open(end).read(1)
    return os.getpid()
"""


class Gate:
    """Holds a call of `f` until it is opened."""

    def __init__(self, files: Files, name: str) -> None:
        self._started, self._end = files.pipe(f"{name}.started"), files.pipe(f"{name}.end")
        self.args = {"started": self._started.path, "end": self._end.path}

    def wait_here(self) -> None:
        """Stop this thread, and its loop, until the call runs."""
        self._started.read_here()

    async def started(self) -> None:
        await self._started.read()

    def open(self) -> None:
        self._end.write("x")


@pytest.fixture
def gate(files: Files) -> Callable[[str], Gate]:
    files.write("steps.py", SOURCE)
    return lambda name: Gate(files, name)


def value(outcome: Outcome) -> object:
    assert isinstance(outcome, Returned)
    return json.loads(outcome.output)


async def warm(pooled: Pooled, files: Files) -> int:
    """Let the pool know `f` as a quick function; the process that did it."""
    (outcome,) = await pooled.make(files.call("warm", "steps.py:f"))
    process = value(outcome)
    assert isinstance(process, int)
    return process


@pytest.mark.usefixtures("gate")
def test_a_chain_of_calls_stays_in_one_warm_process(files: Files) -> None:
    async def make() -> None:
        async with pooling(workers=2) as pooled:
            processes = {value((await pooled.make(files.call(str(n), "steps.py:f")))[0]) for n in range(30)}
            assert len(processes) == 1

    asyncio.run(make())


def test_quick_calls_do_not_wait_behind_a_long_one(files: Files, gate: Callable[[str], Gate]) -> None:
    async def make() -> None:
        async with pooling(workers=1, max_workers=2) as pooled:
            await warm(pooled, files)
            long = gate("long")
            ids = [str(n) for n in range(30)]
            pooled.pool.call([files.call("long", "steps.py:f", **long.args)])
            await pooled.make(*(files.call(id_, "steps.py:f") for id_ in ids))
            assert "long" not in {outcome.id for outcome in pooled.told}
            long.open()
            await pooled.outcomes("long")

    asyncio.run(make())


def test_long_calls_run_side_by_side_in_no_more_than_max_workers_processes(
    files: Files, gate: Callable[[str], Gate]
) -> None:
    async def make() -> None:
        async with pooling(workers=1, max_workers=3) as pooled:
            gates = {str(n): gate(str(n)) for n in range(6)}
            pooled.pool.call([files.call(id_, "steps.py:f", **each.args) for id_, each in gates.items()])
            first, second, third, *rest = gates.values()
            for each in (first, second, third):
                await each.started()
            for each in (first, second, third):
                each.open()
            for each in rest:
                each.open()
            assert len({value(outcome) for outcome in await pooled.outcomes(*gates)}) == 3

    asyncio.run(make())


def test_a_further_folder_does_not_wait_for_the_long_calls_of_another(
    files: Files, other_files: Files, gate: Callable[[str], Gate]
) -> None:
    other_files.write("steps.py", SOURCE)

    async def make() -> None:
        clock = Clock(asyncio.get_running_loop())  # it never rings: nothing has to be found out first
        async with pooling(workers=1, max_workers=2, loop=clock) as pooled:
            long = gate("long")
            pooled.pool.call([files.call("long", "steps.py:f", **long.args)])
            await long.started()
            await pooled.make(other_files.call("other", "steps.py:f"))
            long.open()
            await pooled.outcomes("long")

    asyncio.run(make())


def test_what_was_sent_behind_a_long_call_keeps_its_turn(files: Files, gate: Callable[[str], Gate]) -> None:
    async def make() -> None:
        clock = Clock(asyncio.get_running_loop())
        async with pooling(workers=1, max_workers=1, loop=clock) as pooled:
            await warm(pooled, files)
            long = gate("long")
            ids = ["long", *map(str, range(100))]  # some are sent, the others wait in the pool
            pooled.pool.call([files.call("long", "steps.py:f", **long.args)])
            pooled.pool.call([files.call(id_, "steps.py:f") for id_ in ids[1:]])
            await long.started()
            clock.tick()
            clock.tick()
            long.open()
            await pooled.outcomes(*ids)
            assert [outcome.id for outcome in pooled.told] == ["warm", *ids]

    asyncio.run(make())


@pytest.mark.parametrize("end", ["child.wait()", "os._exit(1)"])
def test_the_children_of_a_call_end_with_its_process(files: Files, end: str) -> None:
    child = files.pipe("child")
    files.write(
        "parent.py",
        f"""
        import os, subprocess
        def f():
            child = subprocess.Popen(["sleep", "infinity"])
            with open({child.path!r}, "w") as pipe: pipe.write(str(child.pid))
            {end}
        """,
    )

    async def make() -> None:
        async with pooling() as pooled:
            pooled.pool.call([files.call("a", "parent.py:f")])
            pid = os.pidfd_open(int(await child.read()))
            if end == "child.wait()":
                pooled.pool.cancel("a")
            (outcome,) = await pooled.outcomes("a")
            assert isinstance(outcome, Died)
            assert select.select([pid], [], [], HANG_SECONDS)[0]
            os.close(pid)

    asyncio.run(make())


def test_a_cancel_spares_the_calls_behind_the_one_it_kills(files: Files, gate: Callable[[str], Gate]) -> None:
    async def make() -> None:
        async with pooling(workers=1, max_workers=1) as pooled:
            process = await warm(pooled, files)
            long = gate("long")
            ids = [str(n) for n in range(20)]
            pooled.pool.call([files.call("long", "steps.py:f", **long.args)])
            pooled.pool.call([files.call(id_, "steps.py:f") for id_ in ids])
            long.wait_here()
            pooled.pool.cancel("long")
            assert await pooled.outcomes("long") == [Died("long", "killed by signal 9")]
            outcomes = await pooled.outcomes(*ids)
            assert process not in {value(outcome) for outcome in outcomes}
            assert len(pooled.told) == 22

    asyncio.run(make())


@pytest.mark.parametrize("sent", [False, True])
def test_a_call_that_has_not_started_never_starts_once_cancelled(
    files: Files, gate: Callable[[str], Gate], sent: bool
) -> None:
    files.write("mark.py", "import pathlib\ndef f(): pathlib.Path(__file__).with_suffix('.ran').touch()")

    async def make() -> None:
        async with pooling(workers=1, max_workers=1) as pooled:
            if sent:  # a call that is known as quick waits in the process, others in the pool
                await pooled.make(files.call("quick", "mark.py:f"))
                (files.folder / "mark.ran").unlink()
            process = await warm(pooled, files)
            long = gate("long")
            pooled.pool.call([files.call("long", "steps.py:f", **long.args), files.call("a", "mark.py:f")])
            long.wait_here()
            pooled.pool.cancel("a")
            assert await pooled.outcomes("a") == [Died("a", "cancelled before it started")]
            long.open()
            (outcome,) = await pooled.outcomes("long")
            assert value(outcome) == process

    asyncio.run(make())
    assert not (files.folder / "mark.ran").exists()


def test_a_cancel_that_comes_after_the_answer_does_not_kill_the_next_call(
    files: Files, gate: Callable[[str], Gate]
) -> None:
    async def make() -> None:
        async with pooling(workers=1, max_workers=1) as pooled:
            process = await warm(pooled, files)
            long = gate("long")
            pooled.pool.call([files.call("a", "steps.py:f"), files.call("long", "steps.py:f", **long.args)])
            long.wait_here()  # so "a" has answered, which the pool has not read
            pooled.pool.cancel("a")
            long.open()
            assert [value(outcome) for outcome in await pooled.outcomes("a", "long")] == [process] * 2

    asyncio.run(make())


@pytest.mark.usefixtures("gate")
def test_a_cancel_of_an_unknown_or_ended_call_does_nothing(files: Files) -> None:
    async def make() -> None:
        async with pooling(max_workers=1) as pooled:
            process = await warm(pooled, files)
            pooled.pool.cancel("warm")
            pooled.pool.cancel("nobody")
            assert [value(outcome) for outcome in await pooled.make(files.call("a", "steps.py:f"))] == [
                process
            ]

    asyncio.run(make())


def test_close_kills_what_runs_and_tells_nothing(files: Files, gate: Callable[[str], Gate]) -> None:
    async def make() -> None:
        async with pooling() as pooled:
            pid = os.pidfd_open(await warm(pooled, files))
            long = gate("long")
            pooled.pool.call([files.call("long", "steps.py:f", **long.args), files.call("a", "steps.py:f")])
            await long.started()
            pooled.pool.close()
            assert select.select([pid], [], [], 0)[0]
            os.close(pid)
            told = len(pooled.told)
        assert len(pooled.told) == told

    asyncio.run(make())


def test_the_terminals_signals_do_not_reach_a_call(files: Files) -> None:
    files.write("steps.py", "import os\ndef f(): return os.getsid(0) == os.getpgid(0) == os.getpid()")

    async def make() -> None:
        async with pooling() as pooled:
            assert await pooled.make(files.call("a", "steps.py:f")) == [Returned("a", b"true")]

    asyncio.run(make())


PARENT = """
import asyncio, sys
from onward.local.pool import Call, Pool
async def main():
    pool = Pool(asyncio.get_running_loop(), print)
    pool.call([Call("a", sys.argv[1], "pid.py:f", b"{}", "/dev/null")])
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_a_call_dies_with_the_process_that_owns_the_pool(files: Files) -> None:
    pid_of = files.pipe("pid")
    files.write(
        "pid.py",
        f"""
        import os, signal
        def f():
            with open({pid_of.path!r}, "w") as pipe: pipe.write(str(os.getpid()))
            signal.pause()
        """,
    )
    path = str(Path(__file__).parents[4] / "functions")
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(files.folder)], env={**os.environ, "PYTHONPATH": path}
    ) as owner:
        pid = os.pidfd_open(int(pid_of.read_here()))
        owner.send_signal(signal.SIGKILL)
        assert select.select([pid], [], [], HANG_SECONDS)[0]
        os.close(pid)


@pytest.mark.parametrize("waiting", [0, 3])
def test_a_long_call_wakes_nothing_once_it_is_known_as_such(
    files: Files, gate: Callable[[str], Gate], waiting: int
) -> None:
    async def make() -> None:
        clock = Clock(asyncio.get_running_loop())
        async with pooling(workers=1, max_workers=1, loop=clock) as pooled:
            long = gate("long")
            pooled.pool.call([files.call("long", "steps.py:f", **long.args)])
            pooled.pool.call([files.call(str(n), "steps.py:f") for n in range(waiting)])
            await long.started()
            for _ in range(2 + STALL_TICKS):
                if clock.ringing:
                    clock.tick()
            assert not clock.ringing
            long.open()
            await pooled.outcomes("long", *map(str, range(waiting)))

    asyncio.run(make())
