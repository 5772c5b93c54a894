"""The demonstration: a real file is dropped into a real bucket folder, and the sample pipeline runs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onward.cli.places import Places

if TYPE_CHECKING:
    from onward.cli.embedded import Embedded
    from onward.cli.progress import Progress
    from onward.local.emulated import Emulated
    from onward.local.runtime import Runtime

PIPELINE = "weather"
DROPPED = "stations/2013-12-31/nyc.csv"
ANOTHER = "stations/2013-06-30/ewr.csv"
SUCCEEDED, FAILED = 0, 1


@click.command()
@click.option(
    "--emulators", is_flag=True, help="On the cloud path: Google's emulators, and stand-ins for its services."
)
@click.pass_obj
def demo(places: Places, *, emulators: bool) -> int:
    """Drop the sample file into its bucket, and watch the sample pipeline: Beam, Spark, Python, Workflows."""
    from onward.cli.embedded import Embedded
    from onward.cli.files import pipeline
    from onward.cli.interruption import Interrupted, Left
    from onward.cli.progress import progress, say
    from onward.core.pipeline import watched

    faults = "{}" if emulators else None
    sample = places.workflows / PIPELINE / "sample"
    buckets = watched([pipeline(places, PIPELINE)])
    if not buckets or not (sample / DROPPED).is_file():
        raise click.UsageError(f"{sample / DROPPED} is not there: call `onward demo` in a clone of Onward")
    try:
        with progress(quiet=False) as shown, Embedded(places, say, watch=True, faults=faults) as here:
            target = here.runtime.buckets.folder(buckets[0]) / DROPPED
            say(f"dropping {sample / DROPPED} into {target.parent}")
            ended = _show(here, sample / DROPPED, target, shown)
            results = _results(here.runtime, ended)
    except Interrupted as interrupted:
        again = "stopped" if emulators else f"stopped; `{places.command('up')}` goes on with what was started"
        raise Left(again, interrupted) from None
    _tell(places, ended, results, landing=target.parents[2], emulators=emulators)
    return SUCCEEDED if ended["state"] == "succeeded" else FAILED


def _show(here: Embedded, source: Path, target: Path, shown: Progress) -> dict[str, Any]:
    run = here.wait(_drop(here.runtime, source, target))
    ended: dict[str, Any] = {}
    for details in here.follow(run):
        shown.show(details)
        ended = details
    return ended


async def _drop(runtime: Runtime | Emulated, source: Path, target: Path) -> str:
    """Copy it there as a temporary name and rename it, as one should; returns the run that this started."""
    import asyncio

    uri = runtime.buckets.uri(target)
    before = {run for run, _ in runtime.store.runs(pipeline=PIPELINE, limit=1_000_000)}
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def told(runs: frozenset[str]) -> None:
        for run in runs - before:
            if runtime.views.details(run)["trigger"].get("uri") == uri and not started.done():
                started.set_result(run)

    unsubscribe = runtime.subscribe(told)
    target.parent.mkdir(parents=True, exist_ok=True)
    copy = target.with_name(f".{target.name}.tmp")
    shutil.copyfile(source, copy)
    os.replace(copy, target)
    try:
        return await started
    finally:
        unsubscribe()


def _results(runtime: Runtime | Emulated, ended: dict[str, Any]) -> list[Path]:
    """The files that the steps declare as their outputs, in order."""
    plan = runtime.engine.plans.of_run(ended["run"])
    assert plan is not None, "the run has ended"
    steps = [runtime.engine.jobs.rendered(plan, ended["run"], name, 1) for name, _ in plan.step_nodes()]
    return [runtime.buckets.path(uri) for step in steps for uri in step.outputs]


def _tell(
    places: Places, ended: dict[str, Any], results: list[Path], landing: Path, *, emulators: bool
) -> None:
    from onward.cli.render import commands, console, ending, headline

    out = console()
    out.print(headline(ended) if emulators else ending(ended, places))
    if ended["state"] != "succeeded":
        return
    reports = [path for path in results if path.suffix in (".md", ".svg") and path.is_file()]
    for path in reports:
        if path.suffix == ".md":
            out.print(f"\n{path.read_text()}")
    click.echo("Results")
    for path in reports:
        click.echo(f"  {_near(path)}")
    click.echo("\nTry next")
    source = places.workflows / PIPELINE / "sample" / Path(ANOTHER).parts[0]
    looking = [
        (places.command("show", ended["run"]), "the run and its steps"),
        (places.command("logs", ended["run"], "clean"), "what the Beam job printed"),
    ]
    up = places.command("up", "--emulators") if emulators else places.command("up")
    out.print(
        commands(
            [
                *([] if emulators else looking),  # the emulators have forgotten it
                (places.command("graph", PIPELINE), "which step waits for which"),
                (up, "stay, and start what arrives in the buckets"),
                (f"cp -r {source} {_near(landing)}/", "meanwhile, in another terminal: a run for each file"),
            ]
        )
    )


def _near(path: Path) -> Path:
    """From here, where it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
