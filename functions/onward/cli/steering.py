"""The commands about pipelines as a whole: pipelines, pause, resume."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from onward.cli.places import Places

if TYPE_CHECKING:
    from onward.local.folder import StateFolder


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def pipelines(places: Places, as_json: bool) -> None:
    """List the pipelines: what starts them, which are paused, how many runs are under way or wait."""
    from onward import catalog
    from onward.cli.reading import reading
    from onward.core.errors import NotFound
    from onward.graphs import starts

    found = catalog.read(places.workflows)
    names = sorted(found.pipelines)
    try:
        with reading(places) as state:
            told = state.views.pipelines(names)
    except NotFound:
        told = [{"pipeline": name, "paused": False, "waiting": 0, "active": 0} for name in names]
    for each in told:
        each["triggers"] = list(starts(found.pipelines[each["pipeline"]].pipeline))
    if as_json:
        click.echo(json.dumps(told))
    elif told:
        from onward.cli.render import pipelines_table, show

        show(pipelines_table(told))
    else:
        click.echo(f"no pipelines in {places.workflows}")
    for problem in found.problems:
        click.echo(str(problem), err=True)


@click.command()
@click.argument("pipeline")
@click.pass_obj
def pause(places: Places, pipeline: str) -> None:
    """Have the next runs of PIPELINE wait. What is under way goes on, and no event is lost."""
    _switch(places, pipeline, paused=True)
    click.echo(f"{pipeline} is paused: its next runs wait for `{places.command('resume', pipeline)}`")


@click.command()
@click.argument("pipeline")
@click.pass_obj
def resume(places: Places, pipeline: str) -> None:
    """Let the runs of PIPELINE go on that have waited since it was paused."""
    from onward.cli.reading import reading
    from onward.core.errors import NotFound

    _switch(places, pipeline, paused=False)
    try:
        with reading(places) as state:
            (told,) = state.views.pipelines([pipeline])
    except NotFound:
        told = {"waiting": 0}
    waiting = told["waiting"]
    runs = "run waits" if waiting == 1 else "runs wait"
    more = f"; {waiting:,} {runs} for a runtime or for room" if waiting else ""
    click.echo(f"{pipeline} is resumed{more}")


def _switch(places: Places, pipeline: str, *, paused: bool) -> None:
    """By the runtime that is at work, else in its state."""
    from onward import catalog
    from onward.core.errors import NotFound, StateInUse
    from onward.core.problems import did_you_mean
    from onward.local.folder import StateFolder

    known = catalog.read(places.workflows).pipelines
    if pipeline not in known:
        hint = did_you_mean(pipeline, known) or "`onward pipelines` lists them"
        raise NotFound(f"no pipeline is named {pipeline!r} in {places.workflows}; {hint}")
    folder = StateFolder(places.state)
    try:
        folder.acquire()
    except StateInUse:
        _tell(places, pipeline, "pause" if paused else "resume")
        return
    try:
        _write(folder, pipeline, paused)
    finally:
        folder.release()


def _tell(places: Places, pipeline: str, command: str) -> None:
    from onward.cli.doors import door
    from onward.cli.progress import say
    from onward.local.topics import COMMAND, Message

    with door(places, say) as way:
        way.publish(COMMAND, Message(json.dumps({"command": command, "pipeline": pipeline}).encode()))


def _write(folder: StateFolder, pipeline: str, paused: bool) -> None:
    from onward.core import gates
    from onward.core.draft import Context
    from onward.core.events import SetPaused
    from onward.overlay import Overlay
    from onward.stores.sqlite import SqliteStore

    now = time.time_ns() // 1000
    event = SetPaused(pipeline, paused, now)
    store = SqliteStore(folder.database)
    try:
        overlay = Overlay(store)
        # What waits is looked at when the next runtime starts.
        overlay.apply(gates.decide(overlay.read(gates.scope(event)), event, Context(now, "")).changes)
        store.commit(overlay.writes())
    finally:
        store.close()
