"""What becomes of a call that fails, and of its neighbours."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from onward.local.pool import Call, Died, Outcome, Raised, Returned
from pool_harness import Files, pooling

SOURCE = """
import ctypes, os, signal, sys

number = 5
class Odd(Exception):
    def __str__(self): raise RuntimeError
def fine(n=0): return n
def no_message(): raise ValueError
def message(): raise KeyError("käse")
def broken_error(): raise Odd
def lone_surrogate(): raise ValueError("\\udcff")
def interrupt(): raise KeyboardInterrupt
def recursion(): return recursion()
def needs(x): pass
def a_set(): return {1}
def a_key(): return {(1, 2): 3}
def not_a_number(): return float("nan")
def a_circle():
    circle = []
    circle.append(circle)
    return circle
def surrogate_value(): return "\\udcff"
def bare_exit(): sys.exit()
def number_exit(): sys.exit(3)
def text_exit(): sys.exit("no such station")
def hard_exit(): os._exit(4)
def segfault(): ctypes.string_at(0)
def kill(): os.kill(os.getpid(), signal.SIGKILL)
def close_all(): os.closerange(3, 1 << 20)
def close_stdout(): sys.stdout.close()
def garbage():
    for descriptor in range(3, 1_000):
        try: os.write(descriptor, b"\\xff" * 100)
        except OSError: pass
def fork():
    child = os.fork()
    if child: os.waitpid(child, 0)
    return "parent" if child else "child"
"""

EITHER = """
def either(n, fate):
    return fine(n) if fate == "fine" else globals()[fate]()
"""


def outcome_of(files: Files, target: str) -> Outcome:
    files.write("steps.py", SOURCE)

    async def make() -> Outcome:
        async with pooling() as pooled:
            return (await pooled.make(files.call("a", target)))[0]

    return asyncio.run(make())


def log_of(files: Files) -> str:
    return files.log_of("a").read_text() if files.log_of("a").exists() else ""


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("none.py:f", "there is no file 'none.py' in the pipeline's folder {folder}"),
        ("../steps.py:f", "'../steps.py' is not the name of a Python file in the pipeline's folder"),
        ("/etc/passwd:f", "'/etc/passwd' is not the name of a Python file in the pipeline's folder"),
        ("steps:f", "'steps' is not the name of a Python file in the pipeline's folder"),
        ("steps.py", "steps.py has no function ''"),
        ("steps.py:nothing", "steps.py has no function 'nothing'"),
        ("steps.py:number", "'number' in steps.py is not a function but of type int"),
        ("steps.py:no_message", "ValueError"),
        ("steps.py:message", "KeyError: 'käse'"),
        ("steps.py:broken_error", "Odd: (its __str__ raised RuntimeError)"),
        ("steps.py:lone_surrogate", "ValueError: \\udcff"),
        ("steps.py:interrupt", "KeyboardInterrupt"),
        ("steps.py:recursion", "RecursionError: maximum recursion depth exceeded"),
        ("steps.py:needs", "TypeError: needs() missing 1 required positional argument: 'x'"),
    ],
)
def test_a_call_that_fails_says_why_in_one_line(files: Files, target: str, error: str) -> None:
    assert outcome_of(files, target) == Raised("a", error.format(folder=files.folder))


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("a_set", "Object of type set is not JSON serializable"),
        ("a_key", "keys must be str, int, float, bool or None, not tuple"),
        ("not_a_number", "Out of range float values are not JSON compliant"),
        ("a_circle", "Circular reference detected"),
        ("surrogate_value", "surrogates not allowed"),
    ],
)
def test_a_value_that_json_cannot_hold_is_named(files: Files, function: str, reason: str) -> None:
    outcome = outcome_of(files, f"steps.py:{function}")
    assert isinstance(outcome, Raised)
    assert outcome.error.startswith(f"steps.py:{function} returned what JSON cannot hold: ")
    assert reason in outcome.error


@pytest.mark.parametrize("args", [b"[1]", b"nonsense", b"", b"\xff"])
def test_arguments_that_are_no_json_object_are_refused(files: Files, args: bytes) -> None:
    files.write("steps.py", SOURCE)

    async def make() -> None:
        async with pooling() as pooled:
            call = Call("a", str(files.folder), "steps.py:fine", args, str(files.log_of("a")))
            (outcome,) = await pooled.make(call)
            assert isinstance(outcome, Raised)
            assert outcome.error.startswith("steps.py:fine: the arguments are not ")

    asyncio.run(make())


def test_a_file_that_does_not_parse_is_named_with_its_line(files: Files) -> None:
    files.write("broken.py", "\n\ndef f(:\n")
    outcome = outcome_of(files, "broken.py:f")
    assert outcome == Raised("a", "SyntaxError: invalid syntax (broken.py, line 3)")


def test_a_file_that_fails_to_import_fails_each_call_alike(files: Files) -> None:
    files.write("broken.py", "import nothing_of_that_name")

    async def make() -> None:
        async with pooling(max_workers=1) as pooled:
            error = "ModuleNotFoundError: No module named 'nothing_of_that_name'"
            for id_ in "ab":
                assert await pooled.make(files.call(id_, "broken.py:f")) == [Raised(id_, error)]

    asyncio.run(make())


def test_the_traceback_in_the_log_begins_with_the_users_own_code(files: Files) -> None:
    outcome_of(files, "steps.py:message")
    lines = log_of(files).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith('steps.py", line 9, in message')
    assert lines[-1] == "KeyError: 'käse'"


@pytest.mark.parametrize(
    ("function", "how", "said"),
    [
        ("bare_exit", "exited with code 0", ""),
        ("number_exit", "exited with code 3", ""),
        ("text_exit", "exited with code 1", "no such station\n"),
        ("hard_exit", "exited with code 4", ""),
        ("segfault", "killed by signal 11", "Segmentation fault"),
        ("kill", "killed by signal 9", ""),
        (
            "close_all",
            "exited with code 70",
            "The call closed descriptors or streams that its process needs.\n",
        ),
        (
            "close_stdout",
            "exited with code 70",
            "The call closed descriptors or streams that its process needs.\n",
        ),
    ],
)
def test_a_call_that_ends_its_process_says_how(files: Files, function: str, how: str, said: str) -> None:
    assert outcome_of(files, f"steps.py:{function}") == Died("a", how)
    assert said in log_of(files)


@pytest.mark.parametrize("function", ["hard_exit", "segfault", "kill", "close_all", "text_exit"])
def test_a_lost_process_loses_only_the_call_that_it_ran(files: Files, function: str) -> None:
    files.write("steps.py", SOURCE + EITHER)

    async def make() -> None:
        async with pooling(workers=1, max_workers=1) as pooled:
            await pooled.make(files.call("first", "steps.py:either", n=0, fate="fine"))
            fates = {str(n): function if n == 20 else "fine" for n in range(60)}
            calls = [files.call(id_, "steps.py:either", n=int(id_), fate=fate) for id_, fate in fates.items()]
            outcomes = await pooled.make(*calls)
            assert isinstance(outcomes.pop(20), Died)
            assert outcomes == [Returned(id_, id_.encode()) for id_ in fates if id_ != "20"]
            assert len(pooled.told) == 61

    asyncio.run(make())


def test_a_call_that_writes_into_the_pools_own_pipes_leaves_each_call_one_outcome(files: Files) -> None:
    files.write("steps.py", SOURCE + EITHER)

    async def make() -> None:
        async with pooling(workers=1, max_workers=1) as pooled:
            await pooled.make(files.call("first", "steps.py:either", n=0, fate="fine"))
            fates = {str(n): "garbage" if n == 20 else "fine" for n in range(100)}
            calls = [files.call(id_, "steps.py:either", n=int(id_), fate=fate) for id_, fate in fates.items()]
            outcomes = await pooled.make(*calls)
            assert outcomes[20] == Died("20", "killed by signal 9")
            assert outcomes[:20] == [Returned(str(n), str(n).encode()) for n in range(20)]
            assert outcomes[-1] == Returned("99", b"99")
            assert len(pooled.told) == 101

    asyncio.run(make())


def test_a_forked_child_that_returns_out_of_the_call_does_not_answer(files: Files) -> None:
    files.write("steps.py", SOURCE)

    async def make() -> None:
        async with pooling(max_workers=1) as pooled:
            for turn in range(5):
                (outcome,) = await pooled.make(files.call(str(turn), "steps.py:fork"))
                assert isinstance(outcome, Returned)
                assert json.loads(outcome.output) == "parent"
            assert len(pooled.told) == 5

    asyncio.run(make())


@pytest.mark.parametrize(
    ("python", "how"),
    [
        ("/bin/false", "exited with code 1"),
        ("/no/such", "no process could take it: [Errno 2] No such file or directory: '/no/such'"),
    ],
)
def test_when_no_process_can_start_each_call_is_told_so_once(
    files: Files, monkeypatch: pytest.MonkeyPatch, python: str, how: str
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    files.write("steps.py", SOURCE)

    async def make() -> None:
        async with pooling() as pooled:
            ids = [str(n) for n in range(5)]
            outcomes = await pooled.make(*(files.call(id_, "steps.py:fine") for id_ in ids))
            assert outcomes == [Died(id_, how) for id_ in ids]

    asyncio.run(make())


def test_no_descriptor_is_left_open_by_processes_that_ended(files: Files) -> None:
    files.write("steps.py", SOURCE)

    async def make() -> None:
        before = set(Path("/proc/self/fd").iterdir())
        async with pooling() as pooled:
            for turn in range(3):
                await pooled.make(files.call(str(turn), "steps.py:hard_exit"))
        assert len(set(Path("/proc/self/fd").iterdir())) == len(before)

    asyncio.run(make())
