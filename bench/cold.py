"""Each entry point cold and warm, under functions-framework, on the emulators: `python -m bench.cold`.

imported        CPU time of a new process: the interpreter, functions-framework, the entry point's application
answered        the same, with its first request: the imports and connections that its work needs
first answer    functions-framework as it is deployed: from its start to the answer of its first request
warm            a request to the same process, one after the other

CPU time says more on a busy machine. It is that of the entry point's own process: `run_python` starts another
for users' code. Where more is installed than what is deployed, more may be imported: google-auth takes up
aiohttp where it is there. So `--python` names an interpreter with the packages of requirements.txt alone.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from http.client import HTTPConnection
from itertools import pairwise
from statistics import median
from threading import Thread
from time import perf_counter
from typing import NamedTuple

from onward.local.standins.functions import SOURCE

from bench.entry_points import REQUESTS, Body, cloud

ROUNDS = 5
WARM = 20
SLOWEST = 4
ALONE = "import functions_framework, time; print(time.process_time())"
"""Prints seconds of CPU."""
COLD = """
import contextlib, functions_framework, io, sys, time
door, source, body = sys.argv[1:]
app = functions_framework.create_app(door, source)
imported = time.process_time()
with contextlib.redirect_stdout(io.StringIO()):
    answer = app.test_client().post("/", data=body, content_type="application/json")
assert answer.status_code == 204, answer.status
print(imported, time.process_time())
"""
"""The same, after the application is made and after its first answer."""
_LISTENING = re.compile(r"Listening at: http://\S+:(\d+)")
_IMPORT = re.compile(r"import time: +\d+ \| +(\d+) \| (\S+)")
"""Of a module that is not imported by another module's import, and all that it imports (µs)."""


class Life(NamedTuple):
    """Of a process: seconds, and what it said on standard error."""

    first: float
    warm: float
    said: str


def cpu(python: str, code: str, *arguments: str, environ: Mapping[str, str]) -> list[float]:
    """What this code prints."""
    done = subprocess.run(
        [python, "-c", code, *arguments], env=environ, check=True, capture_output=True, text=True
    )
    return [float(word) for word in done.stdout.split()]


def lived(python: str, door: str, bodies: Sequence[Body], environ: Mapping[str, str]) -> Life:
    """One process of functions-framework, for as long as it takes to answer these."""
    said: list[str] = []
    options = ("--source", str(SOURCE), "--target", door, "--host", "127.0.0.1", "--port", "0")
    began = perf_counter()
    process = subprocess.Popen(
        [python, "-m", "functions_framework", *options],
        env={**environ, "GUNICORN_LOG_LEVEL": "info"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            said.append(line)
            if listening := _LISTENING.search(line):
                break
        else:
            raise RuntimeError(f"{door} did not start:\n{''.join(said)}")
        rest = Thread(target=said.extend, args=(process.stderr,))  # or a full pipe would stop it
        rest.start()
        with closing(HTTPConnection("127.0.0.1", int(listening[1]))) as connection:
            ends = [perf_counter() for body in bodies if post(connection, body)]
    finally:
        process.terminate()
        process.wait()
    rest.join()
    each = [after - before for before, after in pairwise(ends)]
    return Life(ends[0] - began, median(each or [0]), "".join(said))


def post(connection: HTTPConnection, body: Body) -> bool:
    """Ask, and wait for the answer."""
    connection.request("POST", "/", json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 204:
        raise RuntimeError(f"answered {answer.status} to {body}")
    return True


def slowest(said: str) -> str:
    """What `-X importtime` reports as slowest."""
    found = sorted(((int(time), name) for time, name in _IMPORT.findall(said)), reverse=True)
    return ", ".join(f"{name} {time / 1000:.0f}" for time, name in found[:SLOWEST])


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cold", description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="the interpreter to measure (this one)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"processes of each; medians ({ROUNDS})")
    given = parser.parse_args(arguments)
    print(report(*measured(given.python, given.rounds)))


class Door(NamedTuple):
    """What was measured of an entry point."""

    cpu: list[list[float]]
    lives: list[Life]


def measured(python: str, rounds: int) -> tuple[list[float], dict[str, Door]]:
    """CPU seconds of the framework alone, and every entry point. The first round only warms up.

    In turns, so that a busy minute of the machine falls on all of them.
    """
    alone: list[float] = []
    doors = {door: Door([], []) for door in REQUESTS}
    with cloud() as environ:
        for n in range(rounds + 1):
            alone += cpu(python, ALONE, environ=environ)
            profiled = {"PYTHONPROFILEIMPORTTIME": "1"} if n == 0 else {}
            for door, body in REQUESTS.items():
                first = json.dumps(body(f"{n}"))
                doors[door].cpu.append(cpu(python, COLD, door, str(SOURCE), first, environ=environ))
                bodies = [body(f"{n}-{i}") for i in range(WARM + 1)]
                doors[door].lives.append(lived(python, door, bodies, {**environ, **profiled}))
    return alone, doors


def report(alone: list[float], doors: Mapping[str, Door]) -> str:
    """Medians in ms; of the imports, the one round that was profiled."""
    floor = median(alone[1:])
    lines = [
        f"functions_framework alone: {1000 * floor:.0f} ms of CPU",
        "",
        f"{'ms':12}  imported  × alone  answered  × alone  first answer   warm  slowest imports, with theirs",
    ]
    for name, door in doors.items():
        imported, answered = (median(times) for times in zip(*door.cpu[1:], strict=True))
        first = median(life.first for life in door.lives[1:])
        warm = median(life.warm for life in door.lives[1:])
        lines.append(
            f"{name:12}  {1000 * imported:>8.0f}  {imported / floor:>7.2f}  "
            f"{1000 * answered:>8.0f}  {answered / floor:>7.2f}  "
            f"{1000 * first:>12.0f}  {1000 * warm:>5.1f}  {slowest(door.lives[0].said)}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
