"""The commands about pipeline files, which need no state: validate, graph, schema, version."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import click

import onward
from onward.cli.places import Places

if TYPE_CHECKING:
    from onward.catalog import Catalog
    from onward.core.pipeline import Pipeline
    from onward.core.problems import Problem

SOUND, WRONG = 0, 2
_FORMATS = {
    ".svg": "svg",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".md": "mermaid",
    ".txt": "text",
    "": "text",
}


@click.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def validate(places: Places, path: Path | None, as_json: bool) -> int:
    """Check the pipelines at PATH, or all of the workflows folder, and tell all problems at once.

    PATH is a folder of pipelines, a pipeline's folder, or its pipeline.yaml. The exit code is 2 when there
    is a problem.
    """
    path = path or places.workflows
    if not path.exists():
        raise click.UsageError(f"{path} is not there; PATH is a folder of pipelines, or a pipeline's")
    catalog, problems = checked(path)
    if as_json:
        report = {
            "pipelines": sorted(catalog.pipelines),
            "problems": [
                {"file": p.file, "line": p.line, "field": p.field, "message": p.message, "hint": p.hint}
                for p in problems
            ],
        }
        click.echo(json.dumps(report))
    else:
        tell(catalog, problems)
    return WRONG if problems else SOUND


def tell(catalog: Catalog, problems: Collection[Problem]) -> None:
    """Print the problems, and which pipelines have none."""
    from onward.cli.text import safe

    for problem in problems:
        click.echo(safe(str(problem)))
    sound = sorted(set(catalog.pipelines) - {Path(p.file).parent.name for p in problems})
    count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}" if problems else "no problems"
    click.echo(f"{count}; sound: {', '.join(sound) or 'none'}", err=bool(problems))


def checked(path: Path, env_file: Path | None = None) -> tuple[Catalog, list[Problem]]:
    """The catalog, and its problems together with those that only a service would find."""
    from onward import catalog
    from onward.core.definition.loader import locate
    from onward.core.errors import BadPipeline
    from onward.core.problems import Problem
    from onward.local.workflows import check_workflows
    from onward.services import rehearsal

    found = catalog.read(path, env_file, strict=True)
    problems = list(found.problems)
    for entry in found.pipelines.values():
        findings = rehearsal.findings(entry.pipeline)
        problems += locate(findings, entry.text, str(entry.folder / catalog.PIPELINE))
        try:
            check_workflows(entry)
        except BadPipeline as error:
            problems += [problem for problem in error.problems if isinstance(problem, Problem)]
    return found, problems


@click.command()
@click.argument("name", metavar="PIPELINE")
@click.option(
    "--format", "kind", type=click.Choice(["text", "mermaid", "svg"]), help="Else the name of FILE says."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE, not to stdout."
)
@click.pass_obj
def graph(places: Places, name: str, kind: str | None, output: Path | None) -> None:
    """Draw the steps of PIPELINE: which waits for which."""
    from onward import graph_svg, graphs

    draw = {"text": graphs.text, "mermaid": graphs.mermaid, "svg": graph_svg.svg}
    kind = kind or (_format(output) if output else "text")
    drawn = draw[kind](pipeline(places, name))
    if output is not None and (kind, output.suffix) == ("mermaid", ".md"):
        drawn = f"```mermaid\n{drawn}```\n"
    if output is None:
        click.echo(drawn, nl=False)
        return
    try:
        output.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{output} can't be written: {error.strerror}") from None


def _format(output: Path) -> str:
    """By the file's name."""
    if output.suffix not in _FORMATS:
        known = ", ".join(suffix for suffix in _FORMATS if suffix)
        raise click.UsageError(f"{output}: {output.suffix} is no format of graphs; take {known}, or --format")
    return _FORMATS[output.suffix]


def pipeline(places: Places, name: str) -> Pipeline:
    """By its name in the workflows folder. Raises BadPipeline or NotFound."""
    from onward import catalog
    from onward.core.errors import BadPipeline, NotFound
    from onward.core.problems import did_you_mean, listed, shown

    found = catalog.read(places.workflows)
    if name in found.pipelines:
        return found.pipelines[name].pipeline
    if own := tuple(problem for problem in found.problems if Path(problem.file).parent.name == name):
        raise BadPipeline(own)
    known = sorted(found.pipelines)
    hint = did_you_mean(name, known) or (f"there are {listed(known)}" if known else "there are none")
    raise NotFound(f"no pipeline is named {shown(name)} in {places.workflows}; {hint}")


@click.command()
def schema() -> None:
    """Print the JSON Schema of pipeline files, for editors."""
    from onward.core.definition.schema import schema as pipeline_schema

    click.echo(json.dumps(pipeline_schema(), indent=2))


@click.command()
def version() -> None:
    """Print the version."""
    click.echo(f"onward {onward.__version__}")
