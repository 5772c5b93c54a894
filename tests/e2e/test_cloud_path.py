"""The cloud path through real processes, with notices lost, doubled and delayed, beside the embedded runtime.

An object's event is pushed by the Pub/Sub emulator to functions under functions-framework, whose state is in
the Firestore emulator; their jobs run behind stand-ins for Dataflow, Dataproc and Cloud Workflows, which tell
of each end as the platform does.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from onward.local.standins.emulators import FIRESTORE, PUBSUB, Missing, command

from e2e.cli_harness import ONWARD, Running

SCENARIOS = Path(__file__).parent / "scenarios"
FAULTS = {
    # Of Dataflow and Dataproc one end each is lost; that of the execution comes late, twice.
    "seed": 24,
    "lost": 0.35,
    "doubled": 0.5,
    "delayed": 0.5,
    "longest": 0.5,
}
LIMIT_S = 120
Trace = dict[str, list[str]]


class Door:
    """One of the two ways to run a scenario: `onward up`, with an object dropped into its bucket."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        shutil.copytree(SCENARIOS / "report", folder / "workflows" / "report")
        path = os.pathsep.join(filter(None, [str(SCENARIOS / "tools"), os.environ.get("PYTHONPATH")]))
        self.up = Running(["/usr/bin/env", f"PYTHONPATH={path}", ONWARD, "up", *options], folder)
        # A door that hangs ends, and its test with all that it said.
        self._limit = threading.Timer(LIMIT_S, self.up.signal, [signal.SIGTERM])
        self._limit.start()
        self._until("answers at ")

    def run(self) -> Any:
        """Drop an object; returns the run that it started, in detail, once it has ended."""
        landing = self.folder / ".onward/buckets/landing/2026-11-22"
        landing.mkdir()
        (landing / "a.csv").write_text("a b\nc d\n")
        run = self._until("of report started").split()[2]
        self._until(f"run {run} of report ")
        return json.loads(self.onward("show", run, "--json"))

    def onward(self, *args: str) -> str:
        """What another command prints beside it."""
        done = subprocess.run([ONWARD, *args], cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def wait_until_nothing_runs(self) -> None:
        """Returns when no process is left that has to do with its folder."""
        for process in _about(str(self.folder)):
            ready, _, _ = select.select([process], [], [], LIMIT_S)
            assert ready, "something was left behind"
            os.close(process)

    def close(self) -> None:
        self._limit.cancel()
        self.up.close()

    def _until(self, text: str) -> str:
        try:
            return self.up.until(text)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from None

    def fates(self) -> set[str]:
        """What became of notices about jobs."""
        told = (self.folder / ".onward/emulators/standins/log").read_text()
        found = re.findall(r"^(?!onward-object).* goes out after (\[.*\]) seconds$", told, re.MULTILINE)
        delays: list[list[float]] = [json.loads(each) for each in found]
        return {
            fate
            for each in delays
            for fate, met in (("lost", not each), ("late", any(each)), ("twice", len(each) == 2))
            if met
        }

    def logs(self) -> str:
        """What its processes said."""
        home = self.folder / ".onward/emulators"
        files = [home / "functions/log", home / "standins/log", *sorted(home.glob("jobs/*/log"))]
        return "\n".join(f"--- {file.parent.name}/{file.name}\n{file.read_text()[-4000:]}" for file in files)


def _about(folder: str) -> Iterator[int]:
    """A pidfd of each process that has the folder in its command or its environment."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            process = os.pidfd_open(int(pid))
            told = b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
        except OSError:  # it has ended
            continue
        if folder.encode() in told:
            yield process
        else:
            os.close(process)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Callable[..., Door]]:
    opened: list[Door] = []

    def opener(name: str, *options: str) -> Door:
        opened.append(Door(tmp_path / name, *options))
        return opened[-1]

    yield opener
    for each in opened:
        each.close()


@pytest.fixture
def _emulators() -> None:
    try:
        command(FIRESTORE), command(PUBSUB)
    except Missing as missing:
        if "CI" in os.environ:
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def trace(run: Any) -> Trace:
    """Per step, the states that it went through, attempt by attempt: each submit is one of them.

    That a look finds it still running is no new state.
    """
    return {
        step["name"]: [state for state, _ in groupby(entry["state"] for entry in step["history"])]
        for step in run["steps"]
    }


@pytest.mark.usefixtures("_emulators")
def test_the_same_file_takes_the_same_way_through_the_cloud_path_as_through_the_embedded_runtime(
    door: Callable[..., Door],
) -> None:
    own = door("embedded")
    embedded = own.run()
    cloud = door("cloud", "--emulators", "--faults", json.dumps(FAULTS))
    run = cloud.run()
    logs = cloud.logs()
    assert run["state"] == embedded["state"] == "succeeded", f"{run}\n{logs}"
    assert trace(run) == trace(embedded), logs
    assert run["steps"][-1]["output"] == embedded["steps"][-1]["output"] == "2026-11-22"
    for each, shown in ((own, embedded), (cloud, run)):
        assert each.onward("logs", shown["run"], "clean", "--attempt", "1") == "the first time it fails\n"
    assert cloud.fates() == {"lost", "late", "twice"}, logs
    cloud.up.signal(signal.SIGKILL)
    cloud.wait_until_nothing_runs()


def test_without_the_emulators_it_says_in_one_line_how_to_get_them(tmp_path: Path) -> None:
    shutil.copytree(SCENARIOS / "report", tmp_path / "workflows" / "report")
    environ = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [ONWARD, "up", "--emulators"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert "gcloud is not installed" in last
    assert "`gcloud components install cloud-firestore-emulator pubsub-emulator`" in last
    assert "Traceback" not in done.stderr
    assert "another runtime" not in done.stderr
