"""What a run looks like in a terminal. Rich draws it; every value is a `Text`, so that none is markup."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from onward.cli import text
from onward.cli.places import Places
from onward.core.naming import is_run_id

SYMBOLS = {
    "waiting": ("·", "dim"),
    "queued": ("◦", "cyan"),
    "submitting": ("▸", "cyan"),
    "running": ("▶", "bold cyan"),
    "mapping": ("▶", "bold cyan"),
    "retrying": ("↻", "yellow"),
    "cancelling": ("■", "yellow"),
    "succeeded": ("✔", "green"),
    "failed": ("✘", "bold red"),
    "upstream_failed": ("✘", "dim red"),
    "skipped": ("↷", "dim"),
    "cancelled": ("■", "magenta"),
}
PARTITIONS = {
    "missing": ("·", "cyan"),
    "stale": ("↻", "yellow"),
    "done": ("✔", "green"),
    "running": ("▶", "bold cyan"),
    "failed": ("✘", "bold red"),
    "refused": ("✘", "red"),
}
"""How it is with a partition of a backfill."""
_AS_RUN = {"stopping": "cancelling", "stopped": "cancelled"}
_COUNTS = ("looked at", "started", "failed")
_ERROR_LINES = 12
_ERRORS = 3
"""Steps of which the error is told."""
_MANY = 60
"""Steps that are listed one by one when a run is shown."""
_IMPORTANCE = {
    "running": 0,
    "mapping": 0,
    "cancelling": 0,
    "submitting": 0,
    "queued": 1,
    "retrying": 1,
    "failed": 2,
}


def console(*, stderr: bool = False) -> Console:
    """Plain text where it does not end in a terminal, and then as wide as it needs to be."""
    plain = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    return plain if plain.is_terminal else Console(stderr=stderr, highlight=False, markup=False, width=1_000)


def show(what: RenderableType) -> None:
    """Print it to stdout; without blanks at the ends of lines where that is no terminal."""
    out = console()
    if out.is_terminal:
        out.print(what)
        return
    with out.capture() as captured:
        out.print(what)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def state(name: str, symbol: str = "") -> Text:
    """`✔ succeeded`, in its colour."""
    mark, style = SYMBOLS.get(name, ("?", ""))
    return Text(f"{symbol or mark} {name}", style)


def headline(run: dict[str, Any]) -> Text:
    """`✔ weather  4xyz…  succeeded in 32 s`"""
    mark, style = SYMBOLS.get(run["state"], ("?", ""))
    took = text.took(run)
    how = f"{run['state']} in {took}" if run["ended"] else f"{run['state']}, {took}"
    if run.get("waits_for"):
        how += f": {text.one_line(run['waits_for'])}"
    return Text.assemble((f"{mark} ", style), (run["pipeline"], "bold"), f"  {run['run']}  ", (how, style))


def steps(run: dict[str, Any], room: int = _MANY) -> RenderableType:
    """The table of steps; of more than `room` those that matter most, and the count of the rest."""
    shown = _most_important(run["steps"], room)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("  step", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("attempt", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("")  # gives way first
    for step in shown:
        mark, style = SYMBOLS.get(step["state"], ("?", ""))
        table.add_row(
            Text.assemble((f"{mark} ", style), step["name"]),
            Text(step["state"], style),
            Text(str(step["attempts"] or "")),
            Text(text.took(step)),
            _remark(step),
        )
    rest = Counter(step["state"] for step in run["steps"]) - Counter(step["state"] for step in shown)
    if not rest:
        return table
    counts = ", ".join(f"{count:,} {name}" for name, count in sorted(rest.items()))
    return Group(table, Text(f"  and {rest.total():,} more: {counts}", "dim"))


def _most_important(all_steps: Sequence[dict[str, Any]], room: int) -> list[dict[str, Any]]:
    if len(all_steps) <= room:
        return list(all_steps)
    ranked = sorted(
        enumerate(all_steps), key=lambda numbered: (_IMPORTANCE.get(numbered[1]["state"], 9), numbered[0])
    )
    return [step for _, step in sorted(ranked[:room], key=lambda numbered: numbered[0])]


def _remark(step: dict[str, Any]) -> Text:
    """What it waits for, why it failed, or what came of it: on one line, cut where the terminal ends."""
    waits = text.one_line(step.get("waits_for") or "")
    said, style = "", "dim"
    match step["state"]:
        case "waiting" | "queued" if waits:
            said = f"waits for {waits}"
        case "retrying":
            said, style = f"{text.local_times(waits)}: {text.gist(step)}", "yellow"
        case "mapping" | "succeeded" if "items" in step:
            said = text.items(step["items"])
        case "failed":
            said, style = text.gist(step), "red"
        case "upstream_failed" | "skipped":
            said = text.gist(step)
        case "succeeded" if step["output"] is not None:
            said = text.as_json(step["output"])
    return _cut(said, style)


def _cut(line: str, style: str) -> Text:
    return Text(line, style, no_wrap=True, overflow="ellipsis")


def ending(run: dict[str, Any], places: Places) -> RenderableType:
    """How the run ended, and what one may want to know and do then."""
    return Group(headline(run), *_aftermath(run, places))


def _aftermath(run: dict[str, Any], places: Places) -> Iterator[RenderableType]:
    """For each step that failed the end of its error; and what one may do about it."""
    if run["state"] == "succeeded":
        return
    failed = [step for step in run["steps"] if step["state"] == "failed"]
    for step in failed[:_ERRORS]:
        how = f"failed in attempt {step['attempts']}" if step["attempts"] else "could not begin"
        how = "failed" if "items" in step else how
        yield Text(f"\n{step['name']} {how}:", "red")
        yield error(step)
    if len(failed) > _ERRORS:
        more = len(failed) - _ERRORS
        yield Text(f"\nand {more:,} more step{'s' if more > 1 else ''} failed")
    hints = [(places.command("retry", run["run"]), "try again; what succeeded is kept")]
    if failed:
        hints[:0] = _closer(run["run"], failed[0], places)
    elif run.get("error"):
        yield Text(text.safe(run["error"]))
    yield Text()
    yield commands(hints)


def _closer(run: str, step: dict[str, Any], places: Places) -> list[tuple[str, str]]:
    """Where to look at a step that failed: its items, the run that was its job, or what it printed."""
    if "items" in step:
        return [(places.command("show", run, "--step", step["name"]), "what became of each item")]
    if is_run_id(step["job"] or ""):
        return [(places.command("show", step["job"]), "the run that was the step's job")]
    if not step["attempts"]:
        return []
    return [(places.command("logs", run, step["name"]), "all that the step printed")]


def error(step: dict[str, Any]) -> Text:
    """The end of a step's error, set off at the left."""
    return Text("\n".join(f"  │ {line}" for line in text.last_lines(step["error"] or "", _ERROR_LINES)))


def commands(hints: Iterable[tuple[str, str]]) -> Text:
    """Command lines to copy, each below what it does."""
    return Text("\n").join(
        Text.assemble((f"  # {what}\n", "dim"), f"  {command}", no_wrap=True) for command, what in hints
    )


def runs_table(found: Iterable[dict[str, Any]]) -> Table:
    """One line for each run."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("  run", "pipeline", "state", "started", "time"):
        table.add_column(column, no_wrap=True, justify="right" if column == "time" else "left")
    table.add_column("params")  # gives way first
    for run in found:
        mark, style = SYMBOLS.get(run["state"], ("?", ""))
        table.add_row(
            Text.assemble((f"{mark} ", style), run["run"]),
            Text(run["pipeline"]),
            Text(run["state"], style),
            Text(text.date_and_time(run["started"])),
            Text(text.took(run)),
            _cut(text.params(run["params"]), "dim"),
        )
    return table


def sets_table(found: Iterable[dict[str, Any]]) -> Table:
    """One line for each set that fills."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("pipeline", "set", "waiting", "closes"):
        table.add_column(column, no_wrap=True, justify="right" if column == "waiting" else "left")
    table.add_column("missing")  # gives way first
    for each in found:
        key = text.params(each["key"]) or each["trigger"]
        closes = (
            "closing" if each["closing"] else text.date_and_time(each["closes"]) if each["closes"] else ""
        )
        table.add_row(
            Text(each["pipeline"]),
            Text(key),
            Text(str(each["waiting"])),
            Text("now" if each["closing"] else closes),
            _cut(" ".join(text.one_line(name) for name in each["missing"]), "yellow"),
        )
    return table


def partitions_table(rows: Sequence[dict[str, Any]]) -> RenderableType:
    """One line for each partition of a backfill, as long as they are not too many."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("  partition", "is", "would", "run"):
        table.add_column(column, no_wrap=True)
    table.add_column("")  # gives way first
    for row in rows[:_MANY]:
        mark, style = PARTITIONS[row["state"]]
        table.add_row(
            Text.assemble((f"{mark} ", style), text.one_line(row["partition"], 100)),
            Text(row["state"], style),
            Text("start" if row["starts"] else ""),
            Text(row["run"] or ""),
            _cut(text.one_line(row["why"] or ""), "dim"),
        )
    rest = rows[_MANY:]
    if not rest:
        return table
    starts = sum(row["starts"] for row in rest)
    return Group(table, Text(f"  and {len(rest):,} more, of which {starts:,} would start", "dim"))


def backfills_table(found: Iterable[dict[str, Any]]) -> Table:
    """One line for each backfill."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("  backfill", "pipeline", "state", "looked at", "started", "failed", "began"):
        table.add_column(column, no_wrap=True, justify="right" if column in _COUNTS else "left")
    table.add_column("of")  # gives way first
    for each in found:
        mark, style = SYMBOLS.get(_AS_RUN.get(each["state"], each["state"]), ("?", ""))
        asked = each["asked"]
        of = asked.get("objects") or f"{asked.get('first')} to {asked.get('last')}"
        table.add_row(
            Text.assemble((f"{mark} ", style), each["backfill"]),
            Text(each["pipeline"]),
            Text(each["state"], style),
            Text(f"{each['passed']:,} of {each['total']:,}"),
            Text(f"{each['started']:,}"),
            Text(f"{each['failed']:,}"),
            Text(text.date_and_time(each["began"])),
            _cut(text.one_line(each["error"] or of), "dim"),
        )
    return table


def whole(run: dict[str, Any], places: Places) -> RenderableType:
    """A run with all that is known of it."""
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_row(
        Text("  started", "dim"), Text(f"{text.date_and_time(run['started'])} {by(run['trigger'])}")
    )
    if run["ended"]:
        facts.add_row(Text("  ended", "dim"), Text(text.date_and_time(run["ended"])))
    if run["params"]:
        facts.add_row(Text("  params", "dim"), Text(text.params(run["params"])))
    return Group(headline(run), facts, Text(), steps(run), *(_aftermath(run, places) if run["ended"] else ()))


def by(trigger: dict[str, Any]) -> str:
    """`by hand`, `by gs://bucket/name`"""
    return f"by {text.one_line(_starter(trigger), 1_200)}"


def _starter(trigger: dict[str, Any]) -> str:
    match trigger:
        case {"on": "object", "uri": uri}:
            return str(uri)
        case {"on": "run", "step": step, "run": run}:
            return f"step {step} of run {run}"
        case {"on": "message", "key": key, "topic": topic}:
            return f"message {key} of {topic}"
        case {"on": "schedule", "time": time}:
            return f"schedule, for {time}"
        case {"on": "pipeline", "run": run, "pipeline": pipeline}:
            return f"the end of run {run} of {pipeline}"
        case _:
            return str(trigger.get("on"))


def pipelines_table(found: Iterable[dict[str, Any]]) -> Table:
    """One line for each pipeline."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("pipeline", "state", "under way", "waiting"):
        table.add_column(column, no_wrap=True, justify="left" if column in ("pipeline", "state") else "right")
    table.add_column("started by")  # gives way first
    for each in found:
        state, style = ("paused", "yellow") if each["paused"] else ("active", "")
        counts = (f"{each[name]:,}" for name in ("active", "waiting"))
        table.add_row(each["pipeline"], Text(state, style), *counts, _cut(", ".join(each["triggers"]), "dim"))
    return table
