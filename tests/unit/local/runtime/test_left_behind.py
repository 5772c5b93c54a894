"""What the calls of a killed runtime had started does not run on beside their repeats."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

from onward.local.pool import Call, Outcome, Pool, Returned
from onward.local.runtime import Runtime

STEPS = """
import os, subprocess

def marked():
    shown = subprocess.run(["sh", "-c", "echo $ONWARD_CALLS"], stdout=subprocess.PIPE, text=True)
    return shown.stdout.strip()
"""


def test_a_runtime_that_starts_kills_what_earlier_calls_left(tmp_path: Path) -> None:
    mark = {"ONWARD_CALLS": str(tmp_path / "state" / "files")}
    left = subprocess.Popen(
        ["cat"], stdin=subprocess.PIPE, env={**os.environ, **mark}, start_new_session=True
    )
    other = subprocess.Popen(["cat"], stdin=subprocess.PIPE, start_new_session=True)

    async def main() -> None:
        runtime = Runtime(tmp_path / "workflows", tmp_path / "state", asyncio.get_running_loop(), print)
        await runtime.close()

    asyncio.run(main())
    assert left.wait(60) == -9
    assert other.poll() is None
    other.kill()
    other.communicate()
    left.communicate()


def test_all_that_a_call_starts_carries_the_mark(tmp_path: Path) -> None:
    folder = tmp_path / "files" / "abc"
    folder.mkdir(parents=True)
    (folder / "steps.py").write_text(STEPS)

    async def main() -> list[Outcome]:
        told: asyncio.Queue[list[Outcome]] = asyncio.Queue()
        pool = Pool(asyncio.get_running_loop(), told.put_nowait)
        pool.call([Call("a", str(folder), "steps.py:marked", b"{}", str(tmp_path / "log"))])
        outcomes = await asyncio.wait_for(told.get(), 60)
        pool.close()
        return outcomes

    assert asyncio.run(main()) == [Returned("a", f'"{tmp_path}/files"'.encode())]
