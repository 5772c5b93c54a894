"""`onward compile`: from the pipelines to all that a deployment reads, in one folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from onward.cli.files import SOUND, WRONG, checked, tell
from onward.cli.places import Places

if TYPE_CHECKING:
    from onward.catalog import Catalog
    from onward.core.problems import Problem

MANIFEST = "deployment.json"
TREES = ("definitions", "files", "plans", "templates", "workflows")
"""The folders beside the manifest, made anew each time."""


@click.command("compile")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    required=True,
    help="The folder to write.",
)
@click.option(
    "--env", type=click.Path(path_type=Path), metavar="FILE", help="The values of `env`, not PATH/env.yaml."
)
@click.option(
    "--earlier",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Deployments whose Workflows definitions stay.",
)
@click.pass_obj
def compile_(places: Places, path: Path | None, output: Path, env: Path | None, earlier: Path | None) -> int:
    """Check all pipelines of the folder PATH, and write what their deployment is made of.

    PATH is the workflows folder by default. The same input gives the same bytes. The exit code is 2 when
    there is a problem; nothing is written then, and what an earlier compile wrote is removed, so that nobody
    deploys it instead.
    """
    path = path or places.workflows
    _check(path, output, env)
    found, problems = checked(path, env)
    problems += _undeployable(found)
    if problems:
        tell(found, problems)
        if (output / MANIFEST).exists():
            _remove(output)
            (output / MANIFEST).unlink()
        return WRONG
    kept = dict(_kept(earlier)) if earlier else {}
    try:
        output.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".compiling-", dir=output) as new:
            _write(found, env or path / "env.yaml", path / "pools.yaml", kept, Path(new))
            _replace(Path(new), output)
    except OSError as error:
        raise click.UsageError(f"{error.filename or output}: {error.strerror}") from None
    click.echo(f"{output / MANIFEST}: {', '.join(sorted(found.pipelines))}")
    return SOUND


def _check(path: Path, output: Path, env: Path | None) -> None:
    """Raises UsageError, above all where a folder would be emptied that no compile has made."""
    from onward.catalog import PIPELINE

    if not path.is_dir() or (path / PIPELINE).is_file():
        raise click.UsageError(
            f"{path} is not the folder of all pipelines; what is not compiled is not deployed"
        )
    if env is not None and not env.is_file():
        raise click.UsageError(f"{env} is not there; it holds the values of `env`, as env.yaml does")
    if output.exists() and not output.is_dir():
        raise click.UsageError(f"{output} is not a folder")
    source = path.resolve()
    for tree in map(output.resolve().joinpath, TREES):
        if source.is_relative_to(tree) or tree.is_relative_to(source):
            raise click.UsageError(
                f"{output} would be written over {path}; take another folder, such as build"
            )
        if tree.exists() and not (output / MANIFEST).exists():
            raise click.UsageError(
                f"{tree} is there, but no {MANIFEST} beside it: it was not made by a compile; "
                "remove it, or take another folder"
            )


def _undeployable(catalog: Catalog) -> Iterator[Problem]:
    """What runs on a laptop, but can't be deployed."""
    from onward.catalog import PIPELINE
    from onward.cli.manifest import findings
    from onward.core.definition.loader import locate

    for entry in catalog.pipelines.values():
        yield from locate(findings(entry, catalog.env), entry.text, str(entry.folder / PIPELINE))
        for name in entry.files:
            if name.endswith(".py"):
                yield from _not_python(entry.folder / name)


def _not_python(file: Path) -> Iterator[Problem]:
    """The functions' build compiles every Python file there is, and fails for one that is none."""
    import ast

    from onward.core.problems import Problem

    try:
        ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        yield Problem(str(file), error.lineno or 1, "", f"not Python: {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:
        yield Problem(str(file), 1, "", f"not Python: {error or 'it is nested too deeply'}")


def _kept(earlier: Path) -> Iterator[tuple[str, Path]]:
    """The definitions of earlier deployments: id → source. Raises `UserError`.

    `earlier` is as the code bucket: manifests below `deployments/`, sources below `definitions/`.
    """
    import hashlib

    import msgspec

    from onward.cli.manifest import Manifest
    from onward.core.errors import UserError

    for file in sorted((earlier / "deployments").glob("*.json")):
        try:
            manifest = msgspec.json.decode(file.read_bytes(), type=Manifest)
        except msgspec.MsgspecError as error:
            raise UserError(f"{file} is no {MANIFEST}: {error}; remove it to do without it") from None
        for id_ in manifest.definitions.keys() - set(manifest.kept):
            source = earlier / "definitions" / f"{id_}.yaml"
            if (
                not source.is_file()
                or id_ != f"onward-{hashlib.sha256(source.read_bytes()).hexdigest()[:32]}"
            ):
                raise UserError(f"{source} is missing or was changed; {file} names it")
            yield id_, source


def _write(catalog: Catalog, env: Path, pools: Path, kept: Mapping[str, Path], output: Path) -> None:
    """What was checked is copied, and all else is made from the copy: it can't change any more."""
    from onward import ringing
    from onward.artifacts import ringing_object
    from onward.catalog import ENV, POOLS, read
    from onward.cli.manifest import definitions, manifest
    from onward.core.errors import Conflict
    from onward.core.plan import compile_plan
    from onward.plans import packed

    workflows = output / "workflows"
    workflows.mkdir()
    for file, name in ((env, ENV), (pools, POOLS)):
        if file.is_file():
            shutil.copyfile(file, workflows / name)
    for entry in catalog.pipelines.values():
        for name in entry.files:
            _copy(entry.folder / name, workflows / entry.folder.name / name)
    copied = read(workflows)
    if (
        copied.problems
        or (copied.env, copied.pools) != (catalog.env, catalog.pools)
        or _hashes(copied) != _hashes(catalog)
    ):
        raise Conflict("the pipelines changed while they were compiled; compile again")
    plans = {
        name: compile_plan(entry.pipeline, copied.env, entry.files)
        for name, entry in copied.pipelines.items()
    }
    for plan in plans.values():
        packed(plan)
        _put(output / "plans" / f"{plan.name}.json", plan.encode())
    made = manifest(copied, plans, kept)
    for id_, source in kept.items():
        _copy(source, output / "definitions" / f"{id_}.yaml")
    for entry in copied.pipelines.values():
        for id_, name in definitions(entry):
            _copy(entry.folder / name, output / "definitions" / f"{id_}.yaml")
    for name, origin in made.files.items():
        _copy(workflows / origin, output / name)
    _copy(Path(ringing.__file__), output / ringing_object())
    _put(output / MANIFEST, made.encode())


def _replace(new: Path, output: Path) -> None:
    """Put the new folders in the place of those that an earlier compile has made."""
    _remove(output)
    for tree in TREES:
        if (new / tree).exists():
            (new / tree).rename(output / tree)
    (new / MANIFEST).replace(output / MANIFEST)


def _remove(output: Path) -> None:
    for tree in TREES:
        if (output / tree).exists():
            shutil.rmtree(output / tree)


def _hashes(catalog: Catalog) -> dict[str, str]:
    return {name: entry.hash for name, entry in catalog.pipelines.items()}


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _put(target: Path, body: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(body)
