"""What the embedded store promises beyond the contract: it lasts, it upgrades, and it says what is wrong."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from contract.sets_contract import BACKFILL, FULL, GATE, PIPELINE, SET
from contract.store_contract import A, B, get, node, put, run
from onward.core.commands import Delete, Leave, Put
from onward.core.errors import Conflict, Unavailable, UserError
from onward.core.state import Gate, NodeKey, RunKey
from onward.ports import Store, Write
from onward.stores.migrations import MIGRATIONS
from onward.stores.sqlite import SqliteStore

WRITER = """
import sys
from onward.core.commands import Join, Put
from onward.core.state import Node, NodeKey
from onward.ports import Write
from onward.stores.sqlite import SqliteStore

store = SqliteStore(sys.argv[1])
n = 0
while True:
    pair = [Write(Put(NodeKey("run", f"{side}{n}"), Node(attempt=n)), 0) for side in ("left", "right")]
    store.commit([*pair, Write(Join(NodeKey("run", "all"), (str(n),)), 0)])
    print(n, flush=True)
    n += 1
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.mark.parametrize("after", [1, 40, 150])
def test_every_commit_that_was_confirmed_survives_kill_9(path: Path, after: int) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    with writer:
        for _ in range(after):
            writer.stdout.readline()
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split()
    confirmed = int(rest[-1]) + 1 if rest else after
    store = SqliteStore(path)
    for n in range(confirmed):
        assert get(store, NodeKey("run", f"left{n}")) == node(n)
    found = dict(store.first("run", "any", 100_000))
    count = len(found["all"].arrived)
    assert count in (confirmed, confirmed + 1), "at most one was on its way"
    assert len(found) == 2 * count + 1, "no commit is there by half"


def test_what_was_committed_is_there_after_a_crash_in_the_middle_of_a_commit(path: Path) -> None:
    store = SqliteStore(path)
    put(store, A, node(1))
    store.connection.execute("BEGIN IMMEDIATE")
    store.connection.execute("DELETE FROM nodes")
    store.close()
    assert get(SqliteStore(path), A) == node(1)


def test_a_commit_is_on_disk_when_it_returns(path: Path) -> None:
    store = SqliteStore(path)
    assert store.connection.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"
    assert store.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_document_that_can_not_be_written_leaves_no_half_of_its_commit(path: Path) -> None:
    store = SqliteStore(path)
    put(store, A, node(1))
    unfit = run()
    unfit.params["date"] = object()
    try:
        with pytest.raises(TypeError):
            store.commit([Write(Put(B, node(1)), 0), Write(Put(RunKey("r"), unfit), 0)])
    finally:
        del unfit.params["date"]
    assert get(store, B) is None
    put(store, A, node(2))
    assert get(SqliteStore(path), A) == node(2)


def test_a_full_disk_loses_nothing_that_was_committed_and_is_survived(path: Path) -> None:
    store = SqliteStore(path)
    put(store, A, node(1))
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages}")
    large = run()
    large.params["text"] = "x" * 100_000
    with pytest.raises(Unavailable, match=r"can't be written.*full"):
        store.commit([Write(Put(A, node(2)), 1), Write(Put(RunKey("r"), large), 0)])
    assert get(store, A) == node(1)
    store.connection.execute("PRAGMA max_page_count = 1000000")
    store.commit([Write(Put(A, node(2)), 1), Write(Put(RunKey("r"), large), 0)])
    assert get(SqliteStore(path), A) == node(2)
    large.params.clear()


def test_a_writer_elsewhere_makes_a_commit_wait_and_then_fail_for_now(path: Path) -> None:
    store, other = SqliteStore(path), SqliteStore(path)
    store.connection.execute("PRAGMA busy_timeout = 0")
    other.connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        put(store, A, node(1))
    other.connection.execute("ROLLBACK")
    put(store, A, node(1))


def test_what_a_client_remembers_is_forgotten_when_it_loses(path: Path) -> None:
    one, two = SqliteStore(path), SqliteStore(path)
    put(one, A, node(1))
    put(one, B, node(1))
    stale = two.read([A, B])
    put(one, A, node(2))
    assert two.read([A]) == {A: stale[A]}, "remembered"
    with pytest.raises(Conflict):
        two.commit([Write(Put(A, node(3)), stale[A].version), Write(Put(B, node(3)), stale[B].version)])
    assert get(two, A) == node(2)


def test_a_gate_that_is_remembered_is_left_as_it_is_now(path: Path) -> None:
    one, two = SqliteStore(path), SqliteStore(path)
    put(one, GATE, Gate(("a", "b")))
    two.read([GATE])
    put(one, GATE, Gate(("a", "b", "c")))
    two.commit([Write(Leave(GATE, ("a",)), 0)])
    assert get(two, GATE) == get(SqliteStore(path), GATE) == Gate(("b", "c"))


def test_a_gate_that_is_remembered_and_gone_is_forgotten_by_who_leaves_it(path: Path) -> None:
    one, two = SqliteStore(path), SqliteStore(path)
    put(one, GATE, Gate(("a", "b")))
    seen = two.read([GATE])[GATE].version
    one.commit([Write(Delete(GATE), seen)])
    two.commit([Write(Leave(GATE, ("a",)), 0)])
    assert get(two, GATE) is None


def test_members_and_waiters_are_not_remembered(path: Path) -> None:
    """There may be tens of thousands, each looked at once or twice."""
    one, two = SqliteStore(path), SqliteStore(path)
    for key, doc in FULL.items():
        put(one, key, doc)
    two.read(FULL)
    for store in (one, two):
        assert store._kept.keys() == {SET, GATE, PIPELINE, BACKFILL}


def test_it_does_not_remember_more_than_it_may(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onward.stores.sqlite._KEPT", 8)
    store = SqliteStore(path)
    for n in range(40):
        put(store, NodeKey("run", str(n)), node(n))
        assert len(store._kept) <= 8
    assert [get(store, NodeKey("run", str(n))) for n in range(40)] == [node(n) for n in range(40)]


QUERIES: dict[str, Callable[[Store], object]] = {
    "waiting members": lambda store: store.members("s", "waiting", 9),
    "newest members": lambda store: store.members("s", "newest", 9),
    "any members": lambda store: store.members("s", "any", 9),
    "waiters": lambda store: store.waiters("g", 9),
    "count of members": lambda store: store.count("members", "s", 9),
    "count of waiters": lambda store: store.count("waiters", "g", 9),
    "open sets": lambda store: store.open_sets(9),
    "started": lambda store: store.started("p", 1, 9),
    "runs of a pipeline": lambda store: store.runs(pipeline="p"),
    "open runs": lambda store: store.runs(open_only=True),
    "open runs of a pipeline": lambda store: store.runs(pipeline="p", open_only=True),
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_goes_through_no_more_than_what_it_may_give(path: Path, query: str) -> None:
    """10,000 that wait, or 100,000 runs that have ended, cost what none cost."""
    store = SqliteStore(path)
    asked: list[str] = []
    store.connection.set_trace_callback(asked.append)
    QUERIES[query](store)
    store.connection.set_trace_callback(None)
    (sql,) = asked
    steps = [row[3] for row in store.connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert "USE TEMP B-TREE FOR ORDER BY" not in steps
    if query.startswith("open runs"):
        assert "SCAN runs USING INDEX open_runs" in steps
    else:
        assert any(step.startswith(("SEARCH documents USING", "SEARCH runs USING")) for step in steps)


# Looking on -------------------------------------------------------------


def test_a_reader_sees_each_commit_while_the_writer_works(path: Path) -> None:
    writer = SqliteStore(path)
    reader = SqliteStore(path, readonly=True)
    for n in range(3):
        put(writer, A, node(n))
        assert get(reader, A) == node(n)


def test_a_reader_can_not_write(path: Path) -> None:
    SqliteStore(path)
    with pytest.raises(Unavailable, match="readonly"):
        put(SqliteStore(path, readonly=True), A, node(1))


def test_a_reader_creates_no_file(path: Path) -> None:
    with pytest.raises(Unavailable, match=r"state\.db can't be opened"):
        SqliteStore(path, readonly=True)
    assert not path.exists()


# The file ---------------------------------------------------------------


@pytest.mark.parametrize("readonly", [False, True])
def test_a_file_of_a_newer_onward_is_refused_and_left_alone(path: Path, readonly: bool) -> None:
    SqliteStore(path).connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(UserError, match="written by a newer Onward"):
        SqliteStore(path, readonly=readonly)
    assert path.read_bytes() == before


@pytest.mark.parametrize("number", range(len(MIGRATIONS) + 1))
def test_a_file_of_an_older_onward_is_brought_up_to_date_and_keeps_its_documents(
    path: Path, number: int
) -> None:
    old = sqlite3.connect(path, isolation_level=None)
    for script in MIGRATIONS[:number]:
        old.executescript(script)
    old.execute(f"PRAGMA user_version = {number}")
    if number:
        old.execute(
            "INSERT INTO nodes VALUES ('run1', 'a', 5, 'waiting', NULL, ?)", (b'{"doc":"node","attempt":1}',)
        )
    old.close()
    store = SqliteStore(path)
    assert store.connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    if number:
        assert get(store, A) == node(1)
        assert store.read([A])[A].version == 5
    put(store, B, node(2))
    tables = {
        name for (name,) in store.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    assert {"runs", "nodes", "plans", "arrivals", "documents"} <= tables


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(path)
    put(store, A, node(1))
    store.close()
    broken = (*MIGRATIONS, "CREATE TABLE half (x); CREATE TABLE nodes (x);")
    monkeypatch.setattr("onward.stores.migrations.MIGRATIONS", broken)
    with pytest.raises(Unavailable, match="can't be used"):
        SqliteStore(path)
    monkeypatch.setattr("onward.stores.migrations.MIGRATIONS", MIGRATIONS)
    again = SqliteStore(path)
    assert get(again, A) == node(1)
    assert again.connection.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchall() == []


def test_a_file_that_is_something_else_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"this is not a database, whatever its name says" * 100)
    before = path.read_bytes()
    with pytest.raises(Unavailable, match=r"state\.db can't be"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"nowhere/state\.db can't be opened"):
        SqliteStore(tmp_path / "nowhere" / "state.db")


def test_a_path_with_odd_characters_is_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "a?b=c#d %20'\"\n"
    folder.mkdir()
    put(SqliteStore(folder / "state.db"), A, node(1))
    assert get(SqliteStore(folder / "state.db", readonly=True), A) == node(1)


@pytest.mark.parametrize("ask", ["read", "first", "runs", "waiters", "count"])
def test_a_file_that_breaks_while_it_is_used_is_trouble_and_no_traceback(path: Path, ask: str) -> None:
    store = SqliteStore(path)
    for table in ("nodes", "runs", "documents"):
        store.connection.execute(f"DROP TABLE {table}")
    with pytest.raises(Unavailable, match="can't be read"):
        {
            "read": lambda: store.read([A]),
            "first": lambda: store.first("run1", "any", 9),
            "runs": store.runs,
            "waiters": lambda: store.waiters("g", 9),
            "count": lambda: store.count("members", "s", 9),
        }[ask]()
