"""A runtime in a process of its own, and steps that say when they have begun and wait to be let go."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

JOB = """
import fcntl, os, sys

def step(home):
    held = os.open(f"{home}/alive", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        with open(f"{home}/twice", "a") as file:
            file.write("two at once\\n")
    with open(f"{home}/starts", "a") as file:
        file.write(f"{os.getpid()}\\n")
    with open(f"{home}/begun", "w") as begun:
        begun.write("begun\\n")
    with open(f"{home}/go") as go:
        go.read()
    return "done"

if __name__ == "__main__":
    step(sys.argv[-1].partition("=")[2] or sys.argv[-1])
"""

KINDS = {
    "python": '{python: {call: "job.py:step", args: {home: HOME}}}',
    "dataflow": "{dataflow: {main: job.py, args: {home: HOME}}}",
    "dataproc": "{dataproc: {pyspark: job.py, args: [HOME]}}",
}


class World:
    """One pipeline `before → middle → after`, its state folder, and the runtimes that come and go."""

    def __init__(self, home: Path, kind: str) -> None:
        self.home = home
        self.kind = kind
        self.state = home / "state"
        folder = home / "workflows" / "killed"
        folder.mkdir(parents=True)
        (folder / "job.py").write_text(JOB)
        (folder / "quick.py").write_text("def quick():\n    return 1\n")
        (folder / "pipeline.yaml").write_text(
            "pipeline: killed\n"
            "trigger: {object: {bucket: inbox, match: '{name}.csv'}}\n"
            "params: {name: {type: string, default: x}}\n"
            "steps:\n"
            '  before: {python: {call: "quick.py:quick"}}\n'
            f"  middle: {KINDS[kind].replace('HOME', json.dumps(str(home)))[:-1]}, needs: [before]}}\n"
            '  after: {python: {call: "quick.py:quick"}, needs: [middle]}\n'
        )
        for name in ("begun", "go"):
            os.mkfifo(home / name)
        self.begun = os.open(home / "begun", os.O_RDWR)
        self.runtime: subprocess.Popen[str] | None = None

    def onward(self, *args: str) -> list[str]:
        command = "from onward.cli.main import main; main()"
        where = ("--workflows", str(self.home / "workflows"), "--state", str(self.state))
        return [sys.executable, "-c", command, *where, *args]

    def up(self) -> None:
        """Start a runtime; returns when it watches."""
        functions = str(Path(__file__).parents[2] / "functions")
        self.runtime = subprocess.Popen(
            self.onward("up"),
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": functions, "PYTHONUNBUFFERED": "1"},
        )
        assert self.runtime.stdout is not None
        for line in self.runtime.stdout:
            if "http://" in line:
                return
        raise AssertionError("the runtime did not come up")

    def kill(self) -> None:
        """As the machine would: no chance to tidy up."""
        assert self.runtime is not None
        self.runtime.send_signal(signal.SIGKILL)
        self.runtime.wait()

    def wait_begun(self) -> None:
        """Returns when the step in the middle has begun (once more)."""
        ready, _, _ = select.select([self.begun], [], [], 60)
        assert ready, "the step never began"
        os.read(self.begun, 100)

    def let_go(self) -> None:
        """The step in the middle may end."""
        (self.home / "go").write_text("go")

    def starts(self) -> list[str]:
        return (self.home / "starts").read_text().split()

    def wait_ended(self) -> dict[str, object]:
        """The only run, once it has ended, as `onward show --json` gives it."""
        assert self.runtime is not None
        assert self.runtime.stdout is not None
        for line in self.runtime.stdout:
            if "succeeded" in line or "failed" in line:
                break
        found = subprocess.run(self.onward("runs", "--json"), capture_output=True, text=True, check=True)
        runs = json.loads(found.stdout)
        assert len(runs) == 1, runs
        shown = subprocess.run(
            self.onward("show", runs[0]["run"], "--json"), capture_output=True, text=True, check=True
        )
        return dict(json.loads(shown.stdout))

    def close(self) -> None:
        if self.runtime is not None:
            self.runtime.kill()
            self.runtime.wait()
        os.close(self.begun)
