"""Everything that the cloud path needs, started in order and ended together.

emulators ─▶ stand-ins ─▶ functions ─▶ topics and subscriptions ─▶ (when told) notifications of objects
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from onward.core.errors import Unavailable
from onward.local.buckets import Buckets
from onward.local.folder import StateFolder
from onward.local.jobs.processes import kill_marked
from onward.local.standins import deployment, functions
from onward.local.standins.__main__ import Addresses, Config
from onward.local.standins.emulators import FIRESTORE, PUBSUB, Emulator, running
from onward.local.standins.kept import OnLine, kept
from onward.local.standins.publisher import Faults

Say = Callable[[str], None]
PATIENCE = 20.0
"""Seconds that jobs have to stop."""


class Stack(NamedTuple):
    """A deployment at work."""

    uploaded: deployment.Uploaded
    settings: Mapping[str, str]
    """The environment that its functions have."""
    watch: Callable[[], None]
    """Tell of the objects in the buckets, from now on."""


@contextmanager
def stack(folder: StateFolder, workflows: Path, faults: Faults, say: Say) -> Iterator[Stack]:
    """Start it; clients of this process find the emulators from then on. `say` is called in threads.

    Raises `Missing` where the emulators are not installed, and `Unavailable` when something does not start.
    """
    home = _fresh(folder.root / deployment.HOME)
    uploaded = deployment.upload(workflows, home, Buckets(folder.buckets))
    with ExitStack() as held, ThreadPoolExecutor() as threads:
        ending = threading.Event()

        def emulated(emulator: Emulator) -> str:
            log = home / emulator.component / "log"
            return held.enter_context(running(emulator, home, _listener(log, say, ending)))

        firestore, pubsub = threads.map(emulated, (FIRESTORE, PUBSUB))
        os.environ.update(deployment.emulators(firestore, pubsub))  # theirs who are started, too
        config = Config(str(folder.root), str(home), pubsub, uploaded.watched, uploaded.clusters, faults)
        standins = held.enter_context(_standins(config, home / "standins" / "log", say, ending))
        settings = partial(_settings, uploaded, standins.addresses)

        def hosted(name: str, targets: tuple[str, ...], settings: Callable[[str], dict[str, str]]) -> str:
            """Returns the `host:port` of a process that hosts these functions; their settings have it."""
            listener = _listener(home / name / "log", say, ending, _worth_saying)
            command = partial(_command, targets, settings)
            return held.enter_context(kept(home / name, command, functions.READY, listener))

        python = hosted("python", (deployment.PYTHON,), lambda at: settings(at, at))
        doors = hosted("functions", deployment.TARGETS, lambda at: settings(at, python))
        deployment.subscribe(pubsub, doors, uploaded.topics)
        held.callback(ending.set)
        yield Stack(uploaded, settings(doors, python), standins.watch)


def _fresh(home: Path) -> Path:
    """An empty folder; what is left of jobs of a deployment that was killed is killed, too."""
    for job in (home / "jobs").glob("*"):
        if not (job / "result.json").exists():
            kill_marked("ONWARD_JOB", str(job.resolve()))
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    return home


class _Running(NamedTuple):
    addresses: Addresses
    watch: Callable[[], None]


@contextmanager
def _standins(config: Config, log: Path, say: Say, ending: threading.Event) -> Iterator[_Running]:
    log.parent.mkdir()
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "onward.local.standins", msgspec.json.encode(config).decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # a Ctrl-C is ours to pass on
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    given, told = process.stdin, process.stdout
    listener = _listener(log, say, ending, str.rstrip)

    def listen() -> None:
        for line in told:
            listener(line)
        listener("")

    def watch() -> None:
        given.write("watch\n")
        given.flush()

    try:
        first = told.readline()
        if not first:
            raise Unavailable(f"the stand-ins did not start:\n{log.read_text()}")
        threading.Thread(target=listen, daemon=True).start()
        yield _Running(msgspec.json.decode(first, type=Addresses), watch)
    finally:
        with suppress(BrokenPipeError):
            given.close()  # at which they stop their jobs, and end
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(targets: tuple[str, ...], settings: Callable[[str], dict[str, str]], address: str) -> list[str]:
    variables = [f"{name}={value}" for name, value in settings(address).items()]
    return ["/usr/bin/env", *variables, *functions.command(address, targets)]


def _settings(uploaded: deployment.Uploaded, addresses: Addresses, doors: str, python: str) -> dict[str, str]:
    return deployment.settings(uploaded.workflows, doors, python, addresses.grpc, addresses.storage)


def _listener(
    log: Path, say: Say, ending: threading.Event, hear: Callable[[str], str] = lambda _: ""
) -> OnLine:
    """Says what `hear` makes of a process's lines, and that it has ended, should it do so by itself."""

    def on_line(line: str) -> None:
        if line and (sentence := hear(line)):
            say(sentence)
        if not line and not ending.is_set():
            say(f"{log.parent.name} has ended, and nothing goes on without it; {log} may say why")

    return on_line


class _Line(msgspec.Struct):
    """What a function logs of a request."""

    message: str
    severity: str = ""
    door: str = ""
    outcome: str = ""


def _worth_saying(line: str) -> str:
    """What a person should hear of: nothing of what goes well, or is delivered again."""
    try:
        logged = msgspec.json.decode(line, type=_Line)
    except msgspec.MsgspecError:
        return ""
    unheard = logged.outcome == "ignored" and logged.door == "on_object"
    return logged.message if unheard or logged.severity in ("ERROR", "CRITICAL") else ""
