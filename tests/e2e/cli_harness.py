"""The real `onward` in processes of its own, on pipelines of a line or two."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

ONWARD = str(Path(sys.executable).with_name("onward"))
LIMIT_S = 120

PIPELINES: Mapping[str, tuple[str, str]] = {
    "double": (
        """
        pipeline: double
        trigger:
          object: {bucket: landing, match: "{day}/*.csv"}
        params:
          day: {type: date, default: 2026-11-22}
          n: {type: int, default: 3}
        steps:
          twice:
            python: {call: "code.py:twice", args: {n: "{{ n }}"}}
          tell:
            needs: [twice]
            python: {call: "code.py:tell", args: {n: "{{ steps.twice.output }}"}}
        """,
        """
        def twice(n):
            print("twice", n)
            return 2 * int(n)

        def tell(n):
            return {"n": n}
        """,
    ),
    "listed": (
        """
        pipeline: listed
        steps:
          each:
            for_each: [a, b, c]
            allow_failures: 1
            python: {call: "code.py:each", args: {name: "{{ item }}"}}
        """,
        """
        def each(name):
            print("this is", name)
            if name == "b":
                raise ValueError("not b")
            return name * 2
        """,
    ),
    "broken": (
        """
        pipeline: broken
        params: {flag: {type: string, default: /nowhere}}
        steps:
          fine:
            python: {call: "code.py:fine"}
          bad:
            needs: [fine]
            python: {call: "code.py:bad", args: {flag: "{{ flag }}"}}
          never:
            needs: [bad]
            python: {call: "code.py:fine"}
        """,
        """
        import os

        def fine():
            print("called")
            return "fine"

        def bad(flag):
            if not os.path.exists(flag):
                print("\\x1b[2Jabout \\x1b[31mto\\x1b[0m break")
                raise ValueError("no [bold]flag[/bold] \\x1b]0;gotcha\\x07")
            return "mended"
        """,
    ),
    "gated": (
        """
        pipeline: gated
        params: {gate: string}
        steps:
          wait:
            python: {call: "code.py:wait", args: {gate: "{{ gate }}"}}
          after:
            needs: [wait]
            python: {call: "code.py:after"}
        """,
        """
        def wait(gate):
            print("at the gate", flush=True)
            with open(gate) as opened:
                return opened.read()

        def after():
            return None
        """,
    ),
}


class Running:
    """A command that goes on: its output is read line by line, so nothing waits by the clock."""

    def __init__(self, argv: list[str], cwd: Path) -> None:
        self._process = subprocess.Popen(
            argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self.seen = ""

    def until(self, text: str) -> str:
        """The line that holds the text."""
        for line in self._out:
            self.seen += line
            if text in line:
                return line
        raise AssertionError(f"{text!r} did not come; this did:\n{self.seen}")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> int:
        """Its exit code; what it printed is in `seen`."""
        rest, _ = self._process.communicate(timeout=LIMIT_S)
        self.seen += rest
        return self._process.returncode

    def close(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    @property
    def _out(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout


class Project:
    """A folder with workflows and a state of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / ".onward"
        self._running: list[Running] = []

    def command(self, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            [ONWARD, *args],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            **options,
        )

    def details(self, run: dict[str, Any]) -> Any:
        return self.json("show", run["run"])

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line of shell, which finds `onward` by its name."""
        path = f"{Path(ONWARD).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=self.folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def json(self, *args: str, code: int = 0) -> Any:
        """What the command prints as its last line."""
        done = self.command(*args, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def start(self, *args: str) -> Running:
        running = Running([ONWARD, *args], self.folder)
        self._running.append(running)
        return running

    def in_terminal(self, *args: str) -> tuple[int, str]:
        """Exit code and all that a terminal would get."""
        own, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
        process = subprocess.Popen(
            [ONWARD, *args], cwd=self.folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        )
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(own, 65536):
                shown += piece
        except OSError:  # the other end is closed
            pass
        os.close(own)
        return process.wait(LIMIT_S), shown.decode()

    def gate(self, name: str = "gate") -> Path:
        """A FIFO: a step that reads it waits until the test writes to it."""
        os.mkfifo(self.folder / name)
        return self.folder / name

    def drop(self, name: str, content: str = "a,b\n") -> None:
        path = self.state / "buckets" / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.tmp")
        new.write_text(content)
        new.rename(path)

    def close(self) -> None:
        for running in self._running:
            running.close()


def let_go(gate: Path) -> None:
    """Whoever waits at the gate goes on, and whoever comes later doesn't wait."""
    held = os.open(gate, os.O_RDWR | os.O_NONBLOCK)
    gate.unlink()
    gate.write_text("")
    os.close(held)
