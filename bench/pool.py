"""Calls of warm processes beside a bare echo between two processes: `python -m bench.pool`.

The echo is what the operating system asks for: one process sends a byte over a socket pair, another sends it
back. A round trip of the pool adds to that the frames, the function, its log and the caller's event loop.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import NamedTuple

from onward.local.pool import Call, Outcome, Pool

TRIPS = 3_000
CALLS = 30_000
ROUNDS = 3


class Trips(NamedTuple):
    """Microseconds of a round trip."""

    p50: float
    p95: float


class Stream(NamedTuple):
    """Many calls at once."""

    per_second: float
    parent_microseconds: float  # of CPU, per call


class Caller:
    """Waits for the outcomes of the calls it makes."""

    def __init__(self, folder: Path, workers: int) -> None:
        (folder / "steps.py").write_text("def nothing(): pass")
        self._folder = str(folder)
        self._pool = Pool(asyncio.get_running_loop(), self._on_outcomes, workers=workers)
        self._missing = 0
        self._all_told = asyncio.get_running_loop().create_future()

    def calls(self, n: int) -> list[Call]:
        return [
            Call(f"{i}", self._folder, "steps.py:nothing", b"{}", f"{self._folder}/log") for i in range(n)
        ]

    async def make(self, calls: Sequence[Call]) -> None:
        self._missing = len(calls)
        self._all_told = asyncio.get_running_loop().create_future()
        self._pool.call(calls)
        await self._all_told

    def _on_outcomes(self, outcomes: list[Outcome]) -> None:
        self._missing -= len(outcomes)
        if not self._missing:
            self._all_told.set_result(None)

    def close(self) -> None:
        self._pool.close()


def echo() -> Trips:
    """A byte there and back, between this process and a forked one."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        if not os.fork():
            ours.close()
            while byte := theirs.recv(1):
                theirs.send(byte)
            os._exit(0)
        theirs.close()
        took = []
        for _ in range(TRIPS):
            began = perf_counter()
            ours.send(b"x")
            ours.recv(1)
            took.append(perf_counter() - began)
    os.wait()
    return _trips(took)


async def one_by_one(caller: Caller) -> Trips:
    took = []
    call = caller.calls(1)
    for _ in range(TRIPS):
        began = perf_counter()
        await caller.make(call)
        took.append(perf_counter() - began)
    return _trips(took)


async def at_once(caller: Caller) -> Stream:
    calls = caller.calls(CALLS)
    began, cpu = perf_counter(), process_time()
    await caller.make(calls)
    return Stream(CALLS / (perf_counter() - began), (process_time() - cpu) / CALLS * 1e6)


def _trips(seconds: list[float]) -> Trips:
    cuts = quantiles(seconds, n=20)
    return Trips(cuts[9] * 1e6, cuts[18] * 1e6)


async def measure(folder: Path, workers: int) -> None:
    began = perf_counter()
    caller = Caller(folder, workers)
    await caller.make(caller.calls(1))
    print(f"first call, with the start of its process: {1000 * (perf_counter() - began):.0f} ms")
    print("round trip         echo p50    p95   pool p50    p95 µs   of the echo")
    for _ in range(ROUNDS):
        bare, ours = echo(), await one_by_one(caller)
        print(
            f"{'':18} {bare.p50:8.0f} {bare.p95:6.0f} {ours.p50:10.0f} {ours.p95:6.0f}"
            f" {ours.p50 / bare.p50:12.1f} ×"
        )
    print(f"{CALLS:,} at once   calls/s   parent's CPU µs per call")
    for _ in range(ROUNDS):
        stream = await at_once(caller)
        print(f"{'':14} {stream.per_second:9,.0f} {stream.parent_microseconds:26.1f}")
    caller.close()


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.pool", description=__doc__)
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    given = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="onward-bench-") as folder:
        asyncio.run(measure(Path(folder), given.workers))


if __name__ == "__main__":
    main(sys.argv[1:])
