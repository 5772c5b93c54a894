"""The commands of backfills: backfill, backfills, stop-backfill."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from onward.cli.looking import json_option as print_json
from onward.cli.places import Places
from onward.cli.running import FAILED, SUCCEEDED, assignments

if TYPE_CHECKING:
    from onward.cli.embedded import Embedded
    from onward.core.backfill import Backfill
    from onward.core.backfilling import Judged
    from onward.core.facts import WantsBackfill
    from onward.core.plan import Plan
    from onward.ports import Objects, Store


@click.command()
@click.argument("pipeline")
@click.option("--from", "first", metavar="DATE", default="", help="The first day.")
@click.option("--to", "last", metavar="DATE", default="", help="The last day; it belongs to the range.")
@click.option(
    "--each", metavar="NAME", help="The date parameter to bind each day to; by default the only one there is."
)
@click.option(
    "-p", "--param", "given", multiple=True, metavar="NAME=VALUE", help="Another parameter; may be repeated."
)
@click.option("--objects", default="", metavar="GLOB", help="Instead of days: objects that are there.")
@click.option(
    "--parallel",
    type=click.IntRange(1, 100),
    default=4,
    show_default=True,
    help="How many runs are under way at the same time.",
)
@click.option("--force", is_flag=True, help="Run again what is done already, too.")
@click.option("--dry-run", is_flag=True, help="Show what it would do, and no more.")
@click.option("-y", "--yes", is_flag=True, help="Start without a question.")
@print_json
@click.pass_obj
def backfill(  # noqa: PLR0913, PLR0917 - one argument per option
    places: Places,
    pipeline: str,
    first: str,
    last: str,
    each: str | None,
    given: tuple[str, ...],
    objects: str,
    parallel: int,
    force: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Start the runs of PIPELINE that are missing: of a range of days, or of the objects that are there.

    Shows what it would start first, and asks. Where a runtime is at work already, that one carries the runs;
    else this command does, to the end of the last one.

    \b
    onward backfill weather --from 2013-01-01 --to 2013-12-31
    onward backfill weather --objects 'gs://landing/stations/**'
    """
    from onward.core.facts import WantsBackfill

    wanted = WantsBackfill(
        pipeline, first, last, each, assignments(given, "-p"), objects, parallel, force, secrets.token_hex(16)
    )
    judged, starts = _judged(places, wanted)
    seen: dict[str, Any] = {"backfill": None, "pipeline": pipeline, "plan": _rows(judged, starts)}
    if not as_json:
        _show_plan(seen["plan"], parallel)
    code = SUCCEEDED
    if any(starts) and not dry_run:
        if not yes:
            count = f"{sum(starts):,} run{'s' if sum(starts) > 1 else ''}"
            click.confirm(f"Start {count}, at most {parallel} at a time?", abort=True, err=as_json)
        name, doc = _begin(places, wanted, quiet=as_json)
        seen |= _of(name, doc)
        code = FAILED if doc is not None and (doc.failed or doc.error) else SUCCEEDED
    if as_json:
        click.echo(json.dumps(seen))
    return code


@click.command()
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")
@print_json
@click.pass_obj
def backfills(places: Places, limit: int, as_json: bool) -> None:
    """List the latest backfills, the newest first."""
    from onward.cli.reading import reading
    from onward.core.errors import NotFound

    try:
        with reading(places) as state:
            found = [_of(name, doc) for name, doc in state.store.backfills(limit)]
    except NotFound:
        found = []
    if as_json:
        click.echo(json.dumps(found))
    elif found:
        from onward.cli.render import backfills_table, show

        show(backfills_table(found))
    else:
        click.echo(f"no backfills in {places.state}")


@click.command("stop-backfill")
@click.argument("backfill_id", metavar="BACKFILL")
@click.option("--running", is_flag=True, help="Cancel what is under way, too.")
@click.pass_obj
def stop_backfill(places: Places, backfill_id: str, running: bool) -> int:
    """Start no more runs of BACKFILL. What is under way goes on to its end, unless --running is given.

    The first letters of its id are enough. Where no runtime is at work, this command is one until nothing of
    the backfill runs any more.
    """
    name = _named(places, backfill_id)
    with _way(places, name) as (way, carries):
        way.publish(*_command({"command": "stop-backfill", "backfill": name, "running": running}))
        if carries is not None:
            _carry(carries, name, quiet=False)
    click.echo(f"backfill {name} starts nothing more")
    return SUCCEEDED


def _named(places: Places, text: str) -> str:
    """The id of the backfill whose id begins so."""
    from onward.cli.reading import reading
    from onward.core.errors import NotFound, UserError
    from onward.core.problems import shown

    with reading(places) as state:
        found = [name for name, _ in state.store.backfills(1_000) if text and name.startswith(text)]
    if not found:
        raise NotFound(f"there is no backfill {shown(text)}; `onward backfills` lists them")
    if len(found) > 1:
        raise UserError(f"several backfills begin with {shown(text)}: {', '.join(found[:5])}")
    return found[0]


# What it would do -------------------------------------------------------


def _judged(places: Places, wanted: WantsBackfill) -> tuple[list[Judged], list[bool]]:
    """How each partition is, and whether it would be started."""
    from onward.backfills import Backfills
    from onward.core import backfilling
    from onward.plans import Plans

    plan = _plan(places, wanted.pipeline)
    begun = backfilling.begin(wanted, plan, "")
    with _state(places) as (store, objects):
        look = Backfills(store, objects, Plans(store))
        judged = look.judged(plan, look.partitions(plan, begun.doc.asked, ""), begun.backfill)
    starts = (backfilling.start(each, begun.backfill, force=wanted.force) for each in judged)
    return judged, [start is not None for start in starts]


def _plan(places: Places, name: str) -> Plan:
    """As the folder has it now."""
    from onward import catalog
    from onward.cli.files import pipeline
    from onward.core.plan import compile_plan

    checked = pipeline(places, name)  # or says what is wrong
    found = catalog.read(places.workflows)
    return compile_plan(checked, found.env, found.pipelines[name].files)


@contextmanager
def _state(places: Places) -> Iterator[tuple[Store, Objects]]:
    """What there is; nothing, where there was no run yet."""
    from onward.cli.reading import reading
    from onward.local.folder import StateFolder

    folder = StateFolder(places.state)
    if folder.database.exists() or (folder.root / "emulators").is_dir():
        with reading(places) as state:
            yield state.store, state.views.objects
        return
    from onward.local.buckets import Buckets
    from onward.local.objects import LocalObjects
    from onward.stores.memory import MemoryStore

    yield MemoryStore(), LocalObjects(folder.objects, Buckets(folder.buckets))


def _rows(judged: Sequence[Judged], starts: Sequence[bool]) -> list[dict[str, Any]]:
    return [
        {
            "partition": each.partition.name,
            "state": each.state.value,
            "run": each.run,
            "starts": starts_it,
            "why": each.partition.why or (each.doc.error if each.doc is not None else None) or None,
        }
        for each, starts_it in zip(judged, starts, strict=True)
    ]


def _show_plan(rows: Sequence[dict[str, Any]], parallel: int) -> None:
    from onward.cli.render import partitions_table, show

    if rows:
        show(partitions_table(rows))
    counts = Counter(row["state"] for row in rows)
    starts = sum(row["starts"] for row in rows)
    said = ", ".join(f"{count:,} {state}" for state, count in counts.items()) or "nothing"
    what = "partition" if len(rows) == 1 else "partitions"
    click.echo(f"{len(rows):,} {what}: {said}")
    if starts:
        click.echo(f"{starts:,} to start, at most {parallel} at a time")
    else:
        click.echo("nothing to start")


# Doing it ---------------------------------------------------------------


def _begin(places: Places, wanted: WantsBackfill, *, quiet: bool) -> tuple[str, Backfill | None]:
    """The backfill's id, and how it ended if this command carried it."""
    import msgspec

    from onward.core.naming import backfill_id

    name = backfill_id(wanted.pipeline, "", wanted.key or "")
    with _way(places, name) as (way, carries):
        way.publish(*_command(msgspec.to_builtins(wanted)))
        click.echo(f"backfill {name} has begun", err=quiet)
        if carries is not None:
            return name, _carry(carries, name, quiet=quiet)
    if not quiet:
        from onward.cli.render import commands, show

        stop = (places.command("stop-backfill", name), "start no more of it")
        show(commands([(places.command("backfills"), "how far it has got"), stop]))
    return name, None


@contextmanager
def _way(places: Places, name: str) -> Iterator[tuple[Any, Embedded | None]]:
    """A door, and the runtime behind it if that is this command."""
    from onward.cli.doors import door
    from onward.cli.embedded import Embedded
    from onward.cli.interruption import Interrupted, Left
    from onward.cli.progress import say

    carries = None
    try:
        with door(places, say) as way:
            carries = way if isinstance(way, Embedded) else None
            yield way, carries
    except Interrupted as interrupted:
        if carries is None:
            raise Left(f"Left backfill {name} to the runtime that carries it.", interrupted) from None
        raise Left(
            f"Left backfill {name} where it is; it goes on while a runtime is at work.\n"
            f"  # go on with it\n  {places.command('up')}\n"
            f"  # start no more of it\n  {places.command('stop-backfill', name)}",
            interrupted,
        ) from None


def _carry(here: Embedded, name: str, *, quiet: bool) -> Backfill:
    """To its end, with a line for each run that ends."""
    from onward.local.following import backfill_changed

    known: Backfill | None = None
    while True:
        doc = here.wait(backfill_changed(here.runtime, name, known))
        gone = [run for run in known.open if run not in doc.open] if known is not None else []
        before = doc.started - len(doc.open) - len(gone)
        for number, run in enumerate(gone, before + 1):
            click.echo(_ended(here.runtime.views.run(run), number), err=quiet)
        known = doc
        if doc.ended is not None:
            click.echo(_summary(doc), err=quiet)
            return doc


def _ended(run: dict[str, Any], number: int) -> str:
    from onward.cli import text

    when = text.clock(run["ended"]) if run["ended"] else ""
    return f"{when} {number:,}. run {run['run']} {run['state']}: {text.params(run['params'])}"


def _summary(doc: Backfill) -> str:
    if doc.error is not None:
        return f"the backfill could not begin: {doc.error}"
    word = "stopped" if doc.stopped is not None else "ended"
    passed = doc.next - doc.started
    return f"{word}: {doc.started:,} started, {doc.failed:,} of them failed, {passed:,} passed over"


def _command(body: dict[str, Any]) -> tuple[str, Any]:
    from onward.local.topics import COMMAND, Message

    return COMMAND, Message(json.dumps(body).encode())


def _of(name: str, doc: Backfill | None) -> dict[str, Any]:
    from onward.views import backfill_view

    return backfill_view(name, doc) if doc is not None else {"backfill": name}
