"""A run's progress while it goes on: a live table in a terminal, else a line for each change of a state."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol, TextIO

import click

from onward.cli import text

_SILENT = {"submitting", "waiting"}
_LINE_LENGTH = 400


class Progress(AbstractContextManager["Progress"], Protocol):
    """Shows a run, again and again, to its end."""

    def show(self, details: dict[str, Any]) -> None: ...


def say(sentence: str) -> None:
    """Something that is not about one run alone: to stderr. Above the table, where there is one."""
    click.echo(f"onward: {text.safe(sentence)}", err=True)


def progress(*, quiet: bool) -> Progress:
    """The one that fits where the output goes; `quiet` leaves stdout to a result."""
    if quiet:
        return Lines(sys.stderr)
    return Live() if sys.stdout.isatty() else Lines(sys.stdout)


class Lines:
    """`12:00:01 clean running (attempt 1)`"""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._told: dict[str, tuple[str, int]] = {}
        self._last: dict[str, str] = {}
        self._head = ""

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, details: dict[str, Any]) -> None:
        """Print what is new."""
        head = "waits to start" if details["state"] == "queued" else "started"
        never_began = details["state"] == "skipped" or (self._head and details["state"] == "cancelled")
        if head != self._head and not never_began:
            self._head = head
            why = f": {details['waits_for']}" if details["waits_for"] else ""
            self._print(details["started"], f"run {details['run']} of {details['pipeline']} {head}{why}")
        new = [line for step in details["steps"] for line in self._new(step)]
        for at, name, line in sorted(new, key=lambda one: one[0]):
            if line != self._last.get(name):  # a call that was lost and repeated, for one
                self._last[name] = line
                self._print(at, f"{name} {line}")

    def _new(self, step: dict[str, Any]) -> list[tuple[str, str, str]]:
        """Time, step and line for the part of the step's history that was not told yet."""
        at, count = self._told.get(step["name"], ("", 0))
        # Older entries may have been moved out; those of one time are told apart by their number.
        history = [entry for entry in step["history"] if entry["at"] >= at]
        fresh = history[count:]
        if fresh:
            last = fresh[-1]["at"]
            self._told[step["name"]] = (last, sum(entry["at"] == last for entry in history))
        told = [entry for entry in fresh if entry["state"] not in _SILENT]
        return [(entry["at"], step["name"], _line(step, entry, is_now=entry is fresh[-1])) for entry in told]

    def _print(self, at: str, line: str) -> None:
        self._out.write(f"{text.clock(at)} {line}\n")
        self._out.flush()


def _line(step: dict[str, Any], entry: dict[str, Any], *, is_now: bool) -> str:
    """`is_now`: what else is known of the step belongs to this state."""
    line = str(entry["state"])
    match line:
        case "running" if is_now or step["attempts"] == 1:
            return f"{line} (attempt {step['attempts']})"
        case "succeeded" if is_now and step["started"]:
            return f"{line} in {text.took(step)}"
        case "upstream_failed" | "skipped" if is_now:
            return text.one_line(f"{line}: {text.gist(step)}", _LINE_LENGTH)
    reasons = [text.one_line(entry["why"]), text.gist(step) if is_now else ""]
    return text.one_line(": ".join([line, *filter(None, dict.fromkeys(reasons))]), _LINE_LENGTH)


class Live:
    """A table that is drawn again at each change, and once a second for the times in it."""

    def __init__(self) -> None:
        from rich.live import Live as RichLive

        from onward.cli.render import console

        self._console = console()
        self._details: dict[str, Any] | None = None
        self._is_over = False
        self._live = RichLive(
            console=self._console,
            get_renderable=self._table,
            refresh_per_second=1,
            redirect_stderr=sys.stderr.isatty(),
        )

    def __enter__(self) -> Live:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        self._live.stop()

    def show(self, details: dict[str, Any]) -> None:
        """Draw it."""
        self._details = details
        self._live.refresh()

    def _table(self) -> Any:
        from rich.console import Group

        from onward.cli.render import headline, steps

        if self._details is None:
            return ""
        room = max(5, self._console.height - 6)
        table = steps(self._details, room)
        return table if self._is_over else Group(table, headline(self._details))
