"""The limits: what the disk can do, and what the smallest engine does with it.

The smallest engine keeps steps as rows in SQLite and counts dependencies in memory. It has no retries, no
processes and no templates, so an engine that has them cannot be faster. Every function measures once, in
an empty folder on the disk under test, and returns a rate per second.
"""

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter

Needs = Sequence[Sequence[int]]  # for each step, the steps it needs


def flush_rate(folder: Path, flushes: int = 500) -> float:
    """Appends of 4 KiB, each flushed to the disk before the next."""
    page = bytes(4096)
    with open(folder / "flush", "wb", buffering=0) as file:

        def append_and_flush() -> None:
            for _ in range(flushes):
                file.write(page)
                os.fsync(file.fileno())

        return flushes / seconds(append_and_flush)


def commit_rate(folder: Path, commits: int = 1_000) -> float:
    """Commits of one small row each, in WAL mode with synchronous=FULL: each survives a power loss."""
    with closing(open_steps(folder)) as db:

        def commit_one_by_one() -> None:
            for step in range(commits):
                db.execute("insert into steps values (?, 'running')", (step,))

        return commits / seconds(commit_one_by_one)


def smallest_engine_chain(folder: Path, n: int) -> float:
    """Steps of one run in which each step needs the one before: never more than one is ready."""
    return smallest_engine(folder, chain(n), together=False)


def smallest_engine_fan(folder: Path, n: int, *, together: bool = False) -> float:
    """Steps of one run in which n steps need the first and the last needs all n."""
    return smallest_engine(folder, fan(n), together=together)


def chain(n: int) -> Needs:
    return [[step - 1] if step else [] for step in range(n)]


def fan(n: int) -> Needs:
    return [[], *([0] for _ in range(n)), range(1, n + 1)]


def smallest_engine(folder: Path, needs: Needs, *, together: bool) -> float:
    """Steps from submission to the last step's end; a commit per transition, or per all that is ready."""
    with closing(open_steps(folder)) as db:
        return len(needs) / seconds(lambda: run(db, needs, together=together))


def run(db: sqlite3.Connection, needs: Needs, *, together: bool) -> None:
    missing = [len(needed) for needed in needs]
    followers: list[list[int]] = [[] for _ in needs]
    for step, needed in enumerate(needs):
        for before in needed:
            followers[before].append(step)

    ready = deque(step for step, count in enumerate(missing) if not count)
    db.execute("begin immediate")
    db.executemany("insert into steps values (?, 'waiting')", ((step,) for step in range(len(needs))))
    set_state(db, "running", ready)
    db.execute("commit")
    while ready:
        ended = [ready.popleft() for _ in range(len(ready) if together else 1)]
        started = []
        for step in ended:
            no_op()
            for follower in followers[step]:
                missing[follower] -= 1
                if not missing[follower]:
                    started.append(follower)
        db.execute("begin immediate")
        set_state(db, "succeeded", ended)
        set_state(db, "running", started)
        db.execute("commit")
        ready.extend(started)


def no_op() -> None:
    """What every step does."""


def set_state(db: sqlite3.Connection, state: str, steps: Sequence[int]) -> None:
    db.executemany("update steps set state = ? where step = ?", ((state, step) for step in steps))


def open_steps(folder: Path) -> sqlite3.Connection:
    db = sqlite3.connect(folder / "steps.db", isolation_level=None)
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")
    db.execute("create table steps (step integer primary key, state text not null)")
    return db


def seconds(work: Callable[[], None]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started
