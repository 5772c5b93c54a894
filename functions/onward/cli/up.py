"""The command that stays: a runtime that starts what arrives, until it is told to stop."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click

from onward.cli.places import Places

if TYPE_CHECKING:
    from onward.local.emulated import Emulated
    from onward.local.runtime import Runtime

_REMEMBERED = 10_000
_COUNTED = 1_000


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Of the HTTP endpoint; a free one by default."
)
@click.option(
    "--emulators",
    is_flag=True,
    help="Run the cloud path instead: its functions, on Google's emulators and stand-ins for its services.",
)
@click.option(
    "--faults",
    metavar="JSON",
    help="With --emulators: what share of the services' notices is lost, doubled or delayed, by a seed: "
    '{"seed": 7, "lost": 0.2, "doubled": 0.5, "delayed": 0.5}.',
)
@click.pass_obj
def up(places: Places, port: int, *, emulators: bool, faults: str | None) -> int:
    """Start what arrives in the buckets, carry every run to its end, and answer at an HTTP endpoint.

    Ctrl-C or SIGTERM stops it. Nothing is lost by that, nor by kill -9: the next start goes on where it was.
    With --emulators all runs and jobs end with it instead, as emulators remember nothing.
    """
    import onward
    from onward.cli.embedded import Embedded
    from onward.cli.interruption import Interrupted

    if faults and not emulators:
        raise click.UsageError("--faults are those of the cloud path: add --emulators")
    faults = (faults or "{}") if emulators else None
    embedded = Embedded(places, _say, watch=True, port=port, faults=faults)
    teller = _Teller(embedded.runtime)  # before it starts: what it finds in the buckets then is news
    with embedded as here:
        click.echo(f"onward {onward.__version__} is at work in {places.state}; Ctrl-C stops it")
        for line in _triggers(places, here.runtime):
            click.echo(f"  {line}")
        click.echo(f"  answers at {here.endpoint.address}")
        try:
            here.wait(teller.tell_all())
        except Interrupted:
            still_open = len(here.runtime.store.runs(open_only=True, limit=_COUNTED))
    click.echo(_forgotten(still_open) if emulators else _farewell(places, still_open))
    return 0


class _Teller:
    """Prints a line when a run starts and one when it ends."""

    def __init__(self, runtime: Runtime | Emulated) -> None:
        import asyncio

        self._runtime = runtime
        self._changed: dict[str, None] = {}
        self._waiting = asyncio.Event()
        self._open = {run for run, _ in runtime.store.runs(open_only=True, limit=_REMEMBERED)}
        self._ended: OrderedDict[str, None] = OrderedDict()
        runtime.subscribe(self._told)
        self._late: set[str] = set()

    def _told(self, runs: frozenset[str]) -> None:
        self._changed.update(dict.fromkeys(runs))
        self._waiting.set()

    async def tell_all(self) -> None:
        """For ever; first of the runs that were open when it was made."""
        for run in sorted(self._open):
            _print(f"run {run} goes on")
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            runs, self._changed = self._changed, {}
            for run in runs:
                self._tell(run)

    def _tell(self, run: str) -> None:
        from onward.cli.render import by
        from onward.cli.text import as_json, duration
        from onward.core.state import Run, RunKey, RunState

        key = RunKey(run)
        found = self._runtime.store.read([key]).get(key)
        if found is None or not isinstance(doc := found.doc, Run) or run in self._ended:
            return
        if run not in self._open:
            self._open.add(run)
            how = "waits to start," if doc.state is RunState.QUEUED else "started"
            _print(f"run {run} of {doc.pipeline} {how} {by(doc.trigger)}", doc.started)
        if doc.late and doc.ended is None and run not in self._late:
            self._late.add(run)
            _print(f"run {run} of {doc.pipeline} is late: it goes on for longer than expected")
        if doc.ended is not None:
            self._late.discard(run)
            self._open.discard(run)
            self._remember(run)
            took = duration((doc.ended - doc.started) / 1_000_000)
            why = f": {as_json(doc.error)}" if doc.error else ""
            _print(f"run {run} of {doc.pipeline} {doc.state.value} in {took}{why}", doc.ended)

    def _remember(self, run: str) -> None:
        self._ended[run] = None
        if len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)


def _triggers(places: Places, runtime: Runtime | Emulated) -> Iterator[str]:
    from onward import catalog
    from onward.graphs import starts

    for name, entry in sorted(catalog.read(places.workflows).pipelines.items()):
        for start in starts(entry.pipeline):
            bucket, _, pattern = start.removeprefix("gs://").partition("/")
            local = f"{runtime.buckets.folder(bucket)}/{pattern}" if start.startswith("gs://") else start
            yield f"{local} starts {name}"
        if not entry.pipeline.triggers:
            needed = [param for param in entry.pipeline.params if param.required]
            given = [word for param in needed for word in ("-p", f"{param.name}={param.type.upper()}")]
            yield f"`{places.command('run', name, *given)}` starts {name}"


def _farewell(places: Places, still_open: int) -> str:
    if not still_open:
        return "stopped; no run was open"
    count = f"{still_open:,}{'+' if still_open == _COUNTED else ''}"
    return (
        f"stopped with {count} open run{'s' if still_open > 1 else ''}: jobs that have started go on, calls"
        f" of python steps are made again; `{places.command('up')}` takes up all of it"
    )


def _forgotten(still_open: int) -> str:
    if not still_open:
        return "stopped, and with it the emulators, which forget all runs"
    runs = "1 open run" if still_open == 1 else f"{still_open:,} open runs"
    return f"stopped, and with it the emulators and the jobs of {runs}: nothing of it goes on"


def _say(sentence: str) -> None:
    from onward.cli.text import safe

    click.echo(f"{datetime.now():%H:%M:%S} {safe(sentence)}", err=True)


def _print(sentence: str, at: int | None = None) -> None:
    moment = datetime.now() if at is None else datetime.fromtimestamp(at / 1_000_000)
    click.echo(f"{moment:%H:%M:%S} {sentence}")
