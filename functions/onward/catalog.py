"""The pipelines of a folder: each `<folder>/pipeline.yaml` with the files beside it, the `env.yaml` and the
`pools.yaml`."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from onward.artifacts import content_hash
from onward.core import pools
from onward.core.definition import functions, loader
from onward.core.definition.parsing import MAX_TEXT
from onward.core.errors import BadPipeline, Conflict
from onward.core.loops import loops
from onward.core.pipeline import Pipeline, Python
from onward.core.problems import Finding, Problem, shown
from onward.core.sub_runs import misfits

V = TypeVar("V")
PIPELINE = "pipeline.yaml"
ENV = "env.yaml"
POOLS = "pools.yaml"
APART = frozenset(["__pycache__", "sample"])
"""Folders that are no part of a pipeline: `sample` holds example input."""
MAX_FILES = 1_000
MAX_BYTES = 64 * 1024 * 1024


class Entry(msgspec.Struct, frozen=True):
    """A pipeline, its folder, and the SHA-256 of each of its files by relative name."""

    pipeline: Pipeline
    folder: Path
    files: Mapping[str, str]
    text: str
    """The pipeline's file, as it was read."""

    @property
    def hash(self) -> str:
        """Names the content: the same names and bytes give the same hash."""
        return content_hash(self.files)


class Catalog(msgspec.Struct, frozen=True):
    """The sound pipelines by name, and the problems of the others. One's problem harms no other."""

    pipelines: Mapping[str, Entry]
    env: Mapping[str, str]
    problems: tuple[Problem, ...] = ()
    pools: Mapping[str, int] = {}
    """The sizes of those that pipelines share."""

    def limit(self, gate: str) -> int | None:
        """The size of a gate, see `core.gates`."""
        return pools.limit(gate, {name: entry.pipeline for name, entry in self.pipelines.items()}, self.pools)


class _Unfit(Exception):
    """A folder that can't be taken as it is; the message says which file and why."""


def read(where: Path, env_file: Path | None = None, *, strict: bool = False) -> Catalog:
    """The pipelines below `where`: a folder of pipeline folders, one pipeline's folder, or its file.

    `env_file` stands in for the folder's own `env.yaml`. `strict`: sub-runs that could never start are
    problems, too. That is for whoever checks a folder: where pipelines are started, one that is broken, or
    not there, must keep no other from starting.
    """
    where = where.parent if where.name == PIPELINE else where
    alone = (where / PIPELINE).is_file()
    beside = where.parent if alone else where
    env, problems = _values(env_file or beside / ENV, loader.load_env)
    sizes, faults = _values(beside / POOLS, loader.load_pools)
    problems += faults
    found: dict[str, Entry] = {}
    folders = [where] if alone else _folders(where)
    if not folders:
        hint = f"put one at {where / 'my-pipeline' / PIPELINE}"
        problems.append(Problem(str(where), 1, "", f"there is no {PIPELINE} in a folder of it", hint))
    for folder in folders:
        try:
            entry = _entry(folder, env)
        except BadPipeline as error:
            problems.extend(problem for problem in error.problems if isinstance(problem, Problem))
            continue
        other = found.setdefault(entry.pipeline.name, entry)
        if other is not entry:
            message = f"{other.folder / PIPELINE} has the name {shown(entry.pipeline.name)} already"
            problems.append(Problem(str(folder / PIPELINE), 1, "pipeline", message, "rename one"))
    sound = {name: entry.pipeline for name, entry in found.items()}
    together: dict[str, list[Finding]] = {}
    if strict and not alone:
        together = misfits(sound, unread=len(found) < len(folders))
    for name, pipeline in sound.items():
        together.setdefault(name, []).extend(pools.unknown(pipeline, sizes))
    for name, findings in loops(sound.values(), env).items():
        together[name] = together.get(name, []) + findings
    for name, findings in together.items():
        if not findings:
            continue
        entry = found.pop(name)
        problems.extend(loader.locate(findings, entry.text, str(entry.folder / PIPELINE)))
    for name, entry in found.items():
        found[name] = replace(entry, pipeline=pools.assigned(entry.pipeline, sizes))
    return Catalog(found, env, tuple(problems), sizes)


def snapshot(entry: Entry, into: Path) -> Path:
    """A copy of the entry's files in a folder of `into` that is named by their content.

    It is there whole or not at all, and stays as it is: a run keeps the code it started with. Raises Conflict
    when a file is no longer what the catalog read.
    """
    target = into / entry.hash
    if target.is_dir():
        return target
    into.mkdir(parents=True, exist_ok=True)
    copy = Path(tempfile.mkdtemp(prefix=".copy-", dir=into))
    try:
        for name, digest in entry.files.items():
            _copy(entry.folder / name, copy / name, digest)
        for folder in {path.parent for path in map(copy.joinpath, entry.files)}:
            _sync(folder)
        try:
            copy.rename(target)
            _sync(into)
        except OSError:
            if not target.is_dir():  # else somebody else made the same copy first
                raise
    finally:
        shutil.rmtree(copy, ignore_errors=True)
    return target


def _values(
    file: Path, load: Callable[[str, str], tuple[dict[str, V], tuple[Problem, ...]]]
) -> tuple[dict[str, V], list[Problem]]:
    if not file.exists():
        return {}, []
    try:
        values, problems = load(_text(file), str(file))
    except BadPipeline as error:
        return {}, [problem for problem in error.problems if isinstance(problem, Problem)]
    return values, list(problems)


def _folders(where: Path) -> list[Path]:
    if not where.is_dir():
        return []
    folders = (
        child for child in where.iterdir() if not child.name.startswith(".") and child.name not in APART
    )
    return sorted(folder for folder in folders if (folder / PIPELINE).is_file())


def _entry(folder: Path, env: Mapping[str, str]) -> Entry:
    """Raises BadPipeline."""
    file = folder / PIPELINE
    try:
        files = {name: _digest(folder / name) for name in _names(folder)}
    except (_Unfit, OSError) as error:
        raise BadPipeline((Problem(str(file), 1, "", str(error)),)) from None
    text = _text(file)
    files[PIPELINE] = hashlib.sha256(text.encode()).hexdigest()  # of what was read: it may be changing
    pipeline = loader.load(text, str(file), files, env)
    _check_calls(pipeline, folder, text)
    return Entry(pipeline, folder, files, text)


def _check_calls(pipeline: Pipeline, folder: Path, text: str) -> None:
    """Raises BadPipeline unless the functions that python steps call are in files that are Python."""
    problems: list[object] = []
    names: dict[str, frozenset[str]] = {}
    for file in sorted({step.does.file for step in pipeline.with_handlers if isinstance(step.does, Python)}):
        try:
            names[file] = functions.defined(_text(folder / file), str(folder / file))
        except BadPipeline as error:
            problems += error.problems
    problems += loader.locate(functions.check_calls(pipeline, names), text, str(folder / PIPELINE))
    if problems:
        raise BadPipeline(tuple(problems))


def _text(file: Path) -> str:
    """Raises BadPipeline when it can't be read as text."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_TEXT + 1)
        if len(raw) > MAX_TEXT:
            raise BadPipeline((Problem(str(file), 1, "", "the file is larger than 1 MiB"),))
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BadPipeline((Problem(str(file), line, "", "is not UTF-8", "save it as UTF-8"),)) from None
    except OSError as error:
        raise BadPipeline((Problem(str(file), 1, "", str(error)),)) from None


def _names(folder: Path) -> list[str]:
    """The names of the pipeline's files, relative to its folder. Raises _Unfit."""
    names = []
    size = 0
    for path in _walk(folder, folder):
        names.append(path.relative_to(folder).as_posix())
        size += path.stat().st_size
        if len(names) > MAX_FILES:
            raise _Unfit(
                f"the folder holds more than {MAX_FILES:,} files; keep data outside of it, or in `sample/`"
            )
        if size > MAX_BYTES:
            raise _Unfit(
                "the folder's files are larger than 64 MiB; keep data outside of it, or in `sample/`"
            )
    return names


def _walk(folder: Path, top: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in APART:
            continue
        name = shown(path.relative_to(top).as_posix())
        if not path.name.isprintable():
            raise _Unfit(f"the file name {name} has characters that can't be printed; rename it")
        if path.is_symlink() and not path.resolve().is_relative_to(top.resolve()):
            raise _Unfit(f"{name} is a link that leaves the folder; copy the file instead")
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode) and not path.is_symlink():
            yield from _walk(path, top)
        elif stat.S_ISREG(mode):
            yield path
        else:
            raise _Unfit(f"{name} is neither a file nor a folder")


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _copy(source: Path, target: Path, digest: str) -> None:
    """Durably. Raises Conflict if the bytes are not those of the digest."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        raise Conflict(f"{source} was removed while it was copied; read the folder again") from None
    if _digest(target) != digest:
        raise Conflict(f"{source} changed while it was copied; read the folder again")
    _sync(target)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
