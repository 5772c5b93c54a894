"""Where that goes which a call prints."""

from __future__ import annotations

import asyncio

import pytest
from onward.local.pool import Call, Died, Outcome, Returned
from pool_harness import Files, pooling

CUT = b"\n[output cut here: a log keeps 16 MiB]\n"


def make(*calls: Call, workers: int = 1) -> list[Outcome]:
    async def make_all() -> list[Outcome]:
        async with pooling(workers=workers, max_workers=workers) as pooled:
            return await pooled.make(*calls)

    return asyncio.run(make_all())


def test_everything_a_call_prints_is_in_its_log_in_order(files: Files) -> None:
    files.write(
        "steps.py",
        """
        import os, subprocess, sys
        def f():
            print("print")
            print("stderr", file=sys.stderr)
            subprocess.run(["echo", "child"])
            subprocess.run("echo child of a shell >&2", shell=True)
            os.write(1, b"descriptor\\xff\\n")
            print("no newline \\udcff", end="")
        """,
    )
    make(files.call("a", "steps.py:f"))
    expected = b"print\nstderr\nchild\nchild of a shell\ndescriptor\xff\nno newline \\udcff"
    assert files.log_of("a").read_bytes() == expected


def test_a_silent_call_has_no_log(files: Files) -> None:
    files.write("steps.py", "def f(): pass")
    make(files.call("a", "steps.py:f"))
    assert not files.log_of("a").exists()


def test_the_prints_of_many_quick_calls_are_not_mixed(files: Files) -> None:
    files.write("steps.py", "import os\ndef f(n): print(n); os.system(f'echo {n}') if n % 20 == 0 else None")
    make(*(files.call(str(n), "steps.py:f", n=n) for n in range(300)), workers=2)
    for n in range(300):
        assert files.log_of(str(n)).read_text() == f"{n}\n" * (2 if n % 20 == 0 else 1)


def test_the_log_can_be_read_while_the_call_runs(files: Files) -> None:
    printed, end = files.pipe("printed"), files.pipe("end")
    files.write(
        "steps.py",
        f"""
        def f():
            print("x" * 200_000)
            with open({printed.path!r}, "w") as pipe: pipe.write("x")
            open({end.path!r}).read(1)
        """,
    )

    async def watch() -> None:
        async with pooling() as pooled:
            pooled.pool.call([files.call("a", "steps.py:f")])
            await printed.read()
            so_far = files.log_of("a").read_bytes()
            assert len(so_far) >= 200_000 - (64 << 10)
            end.write("x")
            await pooled.outcomes("a")
        assert files.log_of("a").read_bytes() == b"x" * 200_000 + b"\n"

    asyncio.run(watch())


def test_a_log_keeps_16_mib_and_says_that_it_was_cut(files: Files) -> None:
    files.write("steps.py", "def f():\n    for _ in range(100): print('x' * 999_999)\n    return 1")
    assert make(files.call("a", "steps.py:f")) == [Returned("a", b"1")]
    log = files.log_of("a").read_bytes()
    assert len(log) == (16 << 20) + len(CUT)
    assert log.endswith(CUT)


@pytest.mark.parametrize("end", ["os._exit(1)", "sys.exit('out')", "os.kill(os.getpid(), 9)"])
def test_what_was_printed_before_a_death_is_in_the_log(files: Files, end: str) -> None:
    files.write("steps.py", f"import os, sys\ndef f(): print('last words'); {end}")
    assert isinstance(make(files.call("a", "steps.py:f"))[0], Died)
    assert files.log_of("a").read_text().startswith("last words\n")


@pytest.mark.parametrize(
    "harm",
    [
        "os.close(1)",
        "os.dup2(os.open('/dev/null', os.O_WRONLY), 1)",
        "sys.stdout = None",
        "sys.stdout.close()",
    ],
)
def test_a_call_cannot_silence_those_after_it(files: Files, harm: str) -> None:
    files.write("steps.py", f"import os, sys\ndef harm(): {harm}\ndef f(): print('heard')")

    async def make_both() -> None:
        async with pooling(max_workers=1) as pooled:
            await pooled.make(files.call("a", "steps.py:harm"))
            await pooled.make(files.call("b", "steps.py:f"))

    asyncio.run(make_both())
    assert files.log_of("b").read_text() == "heard\n"


def test_a_log_that_cannot_be_written_does_not_fail_the_call(files: Files) -> None:
    files.write("steps.py", "def f(): print('x' * 500_000); return 1")
    for log in ("/dev/full", "/proc/none/log", str(files.folder), "nul\0"):
        call = Call("a", str(files.folder), "steps.py:f", b"{}", log)
        assert make(call) == [Returned("a", b"1")]
