"""The commands that look: runs, sets, show, logs."""

from __future__ import annotations

import json

import click

from onward.cli.places import Places

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.option("--pipeline", help="Only runs of this pipeline.")
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")
@json_option
@click.pass_obj
def runs(places: Places, pipeline: str | None, limit: int, as_json: bool) -> None:
    """List the latest runs, the newest first."""
    from onward.cli.reading import reading
    from onward.core.errors import NotFound

    try:
        with reading(places) as state:
            found = state.views.runs(pipeline, limit)
    except NotFound:
        found = []
    if as_json:
        click.echo(json.dumps(found))
    elif found:
        from onward.cli.render import runs_table
        from onward.cli.render import show as show_it

        show_it(runs_table(found))
    else:
        of = f" of {pipeline}" if pipeline else ""
        click.echo(f"no runs{of} in {places.state}")


@click.command()
@click.argument("pipeline", required=False)
@click.option("-n", "--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@json_option
@click.pass_obj
def sets(places: Places, pipeline: str | None, limit: int, as_json: bool) -> None:
    """List the sets that fill: what is there of each, what is missing, and when it closes."""
    from onward.cli.reading import reading
    from onward.core.errors import NotFound

    try:
        with reading(places) as state:
            found = state.filling.sets(pipeline, limit)
    except NotFound:
        found = []
    if as_json:
        click.echo(json.dumps(found))
    elif found:
        from onward.cli.render import sets_table
        from onward.cli.render import show as show_it

        show_it(sets_table(found))
    else:
        of = f" of {pipeline}" if pipeline else ""
        click.echo(f"no set{of} is filling in {places.state}")


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--step", help="The items of this step, which runs over a list.")
@click.option("--from", "first", type=click.IntRange(0), default=0, help="Of its items, from this one on.")
@click.option("-n", "--limit", type=click.IntRange(1), default=50, show_default=True, help="So many items.")
@json_option
@click.pass_obj
def show(places: Places, run_id: str, step: str | None, first: int, limit: int, as_json: bool) -> None:  # noqa: PLR0913, PLR0917 - Click's own
    """Show RUN and its steps. The first letters of a run's id are enough, here and everywhere."""
    from onward.cli.reading import reading

    with reading(places) as state:
        run = state.find(run_id)
        if step is not None:
            found = state.views.items(run, step, first, limit)
        else:
            details = state.views.details(run)
    if as_json:
        click.echo(json.dumps(details if step is None else found))
        return
    from onward.cli.render import show as show_it
    from onward.cli.render import steps, whole

    show_it(whole(details, places) if step is None else steps({"steps": found}, limit))


@click.command()
@click.argument("run_id", metavar="RUN")
@click.argument("step", required=False)
@click.option("--attempt", type=click.IntRange(1), help="Of this attempt; else of the last one.")
@click.option(
    "-f", "--follow", is_flag=True, help="Go on as more is printed, until the step or the run has ended."
)
@click.pass_obj
def logs(places: Places, run_id: str, step: str | None, attempt: int | None, follow: bool) -> None:
    """Print what the steps of RUN printed, or STEP alone."""
    from onward.cli.reading import reading
    from onward.cli.tail import Tail

    with reading(places) as state:
        tail = Tail(state, state.find(run_id), step, attempt)
        tail.follow() if follow else tail.print()
