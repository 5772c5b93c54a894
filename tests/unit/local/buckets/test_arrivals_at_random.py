"""Whatever somebody does to a bucket, without waiting for us: each file's last content arrives once."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
from onward.local.buckets import is_ignored
from watching import Watching, story

FOLDERS = ("a", "b", "a/b", "b/a", "a/b/c", ".staging", "a/x.tmp")
NAMES = ("one", "two", "three", "draft.tmp", ".hidden")


def disturb(bucket: Path, seed: int, steps: int) -> None:
    """Do things to the bucket. Each does what its name says, or nothing where the bucket is not so."""
    rng = random.Random(seed)
    outside = bucket.parent.parent / "outside"
    outside.mkdir()

    def folder() -> Path:
        return rng.choice([bucket, outside, *(bucket / name for name in FOLDERS)])

    def file() -> Path:
        return folder() / rng.choice(NAMES)

    def write() -> None:
        path = file()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open(rng.choice("wa")) as f:
            f.write("x" * rng.randrange(100))
            if rng.random() < 0.3:
                f.flush()
                path.rename(file())

    def link() -> None:
        draft = outside / f"draft-{rng.random()}"
        draft.write_text("x" * rng.randrange(100))
        file().hardlink_to(draft)
        draft.unlink()

    actions = {
        write: 6,
        lambda: file().rename(file()): 3,
        link: 1,
        lambda: file().unlink(): 1,
        lambda: file().symlink_to(file()): 0.5,
        lambda: folder().mkdir(parents=True): 2,
        lambda: folder().rename(folder()): 3,
        lambda: shutil.rmtree(folder()): 0.5,
        lambda: os.utime(file(), (1, 1)): 0.5,
    }
    for action in rng.choices(list(actions), list(actions.values()), k=steps):
        try:
            action()
        except (OSError, shutil.Error):
            continue


def complete_and_visible(bucket: Path) -> dict[str, str]:
    files = {}
    for path in bucket.rglob("*"):
        name = path.relative_to(bucket)
        if path.is_file() and not path.is_symlink() and not any(map(is_ignored, name.parts)):
            status = path.stat()
            files[str(name)] = f"{status.st_ino}.{status.st_mtime_ns}.{status.st_size}"
    return files


@pytest.mark.parametrize("seed", range(20))
@story
async def test_every_files_last_generation_arrives_exactly_once(tmp_path: Path, seed: int) -> None:
    async with Watching(tmp_path / "buckets") as w:
        await asyncio.to_thread(disturb, w.bucket, seed, 500)
        w.bucket.mkdir(exist_ok=True)
        await w.quiet()
        last = complete_and_visible(w.bucket)

        def everything_arrived() -> bool:
            # A touched file's generation is told of as such.
            told = {(a.name, a.generation) for a in w.reported + w.touched}
            return last.items() <= told

        await w.until(everything_arrived)
        times = Counter((a.bucket, a.name, a.generation) for a in w.reported)
        assert set(times.values()) == {1}
        assert not any(is_ignored(part) for a in w.reported for part in a.name.split("/"))
        assert w.problems == []
