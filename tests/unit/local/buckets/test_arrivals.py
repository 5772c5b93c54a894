"""What arrives, what does not, and that it arrives once."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
from pathlib import Path

import pytest
from onward.core.errors import UserError
from onward.local import inotify, leases, watcher
from onward.local.buckets import Buckets
from onward.local.folders import FolderTree
from watching import LoopWithoutTime, Watching, story


@story
async def test_a_file_arrives_when_it_is_closed_after_writing(tmp_path: Path) -> None:
    async with Watching(tmp_path) as w:
        with (w.bucket / "a.csv").open("w") as file:
            file.write("12345")
            file.flush()
            assert await w.names() == []
        (arrival,) = await w.news()
        status = (w.bucket / "a.csv").stat()
        assert (arrival.bucket, arrival.name, arrival.size) == ("landing", "a.csv", 5)
        assert arrival.updated == status.st_mtime_ns // 1_000


@story
async def test_a_rewritten_file_is_a_new_generation_and_one_that_is_seen_again_is_not(tmp_path: Path) -> None:
    async with Watching(tmp_path) as w:
        path = w.write("a.csv", "one")
        first = await w.news()
        path.open("a").close()
        assert await w.news() == []
        w.write("a.csv", "three")
        second = await w.news()
        assert [a.name for a in first + second] == ["a.csv", "a.csv"]
        assert first[0].generation != second[0].generation


@story
async def test_a_file_that_is_moved_away_and_back_is_no_new_generation(tmp_path: Path) -> None:
    async with Watching(tmp_path) as w:
        path = w.write("a.csv")
        assert await w.names() == ["a.csv"]
        w.ledger.clear()
        path.rename(tmp_path / "elsewhere")
        assert await w.names() == []
        (tmp_path / "elsewhere").rename(path)
        assert await w.names() == []


@story
async def test_a_file_that_is_moved_in_arrives(tmp_path: Path) -> None:
    async with Watching(tmp_path) as w:
        (tmp_path / "outside").write_text("x")
        (tmp_path / "outside").rename(w.bucket / "a.csv")
        assert await w.names() == ["a.csv"]


@story
async def test_a_folder_that_is_moved_in_brings_its_files(tmp_path: Path) -> None:
    async with Watching(tmp_path) as w:
        (tmp_path / "outside/deep/er").mkdir(parents=True)
        (tmp_path / "outside/one").write_text("x")
        (tmp_path / "outside/deep/er/two").write_text("x")
        (tmp_path / "outside").rename(w.bucket / "in")
        assert await w.names() == ["in/deep/er/two", "in/one"]
        w.write("in/deep/er/three")
        assert await w.names() == ["in/deep/er/three"]


@pytest.mark.parametrize(
    "name", [".hidden", "a.tmp", "a.part", "a.crdownload", "a~", ".a.swp", "a.swp", ".in/a", "b.tmp/a"]
)
@story
async def test_a_hidden_or_temporary_name_is_ignored_until_it_gets_its_final_one(
    tmp_path: Path, name: str
) -> None:
    async with Watching(tmp_path) as w:
        w.write(name)
        assert await w.names() == []
        (w.bucket / name.split("/", maxsplit=1)[0]).rename(w.bucket / "final")
        assert await w.names() == ["final/a" if "/" in name else "final"]


@story
async def test_a_hard_link_arrives(tmp_path: Path) -> None:
    async with Watching(tmp_path) as w:
        (w.write("a.tmp")).rename(tmp_path / "outside")
        (w.bucket / "a.csv").hardlink_to(tmp_path / "outside")
        (tmp_path / "outside").unlink()
        assert await w.names() == ["a.csv"]


@story
async def test_an_unnamed_file_that_is_linked_in_before_its_close_arrives_after_it(tmp_path: Path) -> None:
    loop = LoopWithoutTime()
    async with Watching(tmp_path, loop=loop) as w:
        file = os.open(w.bucket, os.O_TMPFILE | os.O_WRONLY)
        link = ctypes.CDLL(None, use_errno=True).linkat
        at_cwd, follow = -100, 0x400
        assert link(at_cwd, f"/proc/self/fd/{file}".encode(), at_cwd, bytes(w.bucket / "a"), follow) == 0
        assert await w.names() == []
        os.close(file)
        assert loop.ring() == 1
        assert await w.names() == ["a"]
        assert loop.pending == []


@story
async def test_a_file_that_is_renamed_while_open_arrives_when_it_is_closed(tmp_path: Path) -> None:
    async with Watching(tmp_path) as w:
        with (w.bucket / "a.tmp").open("w") as file:
            (w.bucket / "a.tmp").rename(w.bucket / "a")
            assert await w.names() == []
            file.write("all of it")
        assert [(a.name, a.size) for a in await w.news()] == [("a", 9)]


@story
async def test_symbolic_links_and_what_is_no_file_are_ignored(tmp_path: Path) -> None:
    async with Watching(tmp_path) as w:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside/secret").write_text("x")
        (w.bucket / "folder").symlink_to(tmp_path / "outside")
        (w.bucket / "file").symlink_to(tmp_path / "outside/secret")
        os.mkfifo(w.bucket / "pipe")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(w.bucket / "socket"))
        (tmp_path / "landing.txt").write_text("beside the buckets")
        (tmp_path / "other").mkdir()
        (tmp_path / "other/a").write_text("in a bucket that is not watched")
        assert await w.names() == []
        assert w.problems == []


@story
async def test_a_folder_that_becomes_a_link_while_it_is_looked_at_is_ignored_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = inotify.Inotify.add

    def slow(self: inotify.Inotify, path: bytes, mask: int) -> int:
        watch = add(self, path, mask)
        if path.endswith(b"/folder"):
            os.rmdir(path)
            os.symlink(b"folder", path)  # to itself
        return watch

    monkeypatch.setattr(inotify.Inotify, "add", slow)
    async with Watching(tmp_path / "buckets") as w:
        (w.bucket / "folder").mkdir()
        w.write("a.csv", "one")
        assert await w.names() == ["a.csv"]
        assert w.problems == []


@story
async def test_a_buckets_own_folder_may_be_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "buckets").mkdir()
    (tmp_path / "buckets/landing").symlink_to(tmp_path / "data")
    async with Watching(tmp_path / "buckets") as w:
        (tmp_path / "data/a").write_text("x")
        assert await w.names() == ["a"]


LONG = "/".join(["ä" * 100] * 9 + ["b" * 91])


@pytest.mark.parametrize(
    "name", ["a b", "a\nb", "a'\"b", "ä€😀", "…", "*?[a]", "\\", "x" * 255, LONG, "a:b#c%d"]
)
@story
async def test_a_name_arrives_unchanged(tmp_path: Path, name: str) -> None:
    async with Watching(tmp_path) as w:
        w.write(name)
        assert await w.names() == [name]
        assert Buckets(tmp_path).path(f"gs://landing/{name}") == w.bucket / name


@story
async def test_a_name_that_is_not_utf8_is_a_problem_told_once(tmp_path: Path) -> None:
    async with Watching(tmp_path) as w:
        for name in (b"\xff.csv", b"\xfe/a"):
            path = os.path.join(bytes(w.bucket), name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            for _ in range(2):
                with open(path, "w") as file:
                    file.write("x")
                assert await w.names() == []
        assert len(w.problems) == 2
        assert "\\\\xff.csv' is ignored: its name is not UTF-8" in w.problems[0]


@story
async def test_at_the_start_only_what_the_ledger_does_not_know_arrives(tmp_path: Path) -> None:
    ledger: dict[tuple[str, str], str] = {}
    async with Watching(tmp_path, ledger=ledger) as w:
        w.write("old")
        w.write("in/old")
        w.write("changed")
        await w.quiet()
    w.write("changed", "anew")
    w.write("in/new")
    w.write(".hidden")
    async with Watching(tmp_path, ledger=ledger) as w:
        assert await w.names() == ["changed", "in/new"]
        (w.bucket / "old").open("a").close()
        assert await w.names() == []


@story
async def test_a_missing_bucket_is_created_and_one_that_is_deleted_may_come_back(tmp_path: Path) -> None:
    async with Watching(tmp_path / "state/buckets", ("landing", "my.other.tmp")) as w:
        for _ in range(2):
            w.write("in/a", "x")
            assert await w.names() == ["in/a"]
            shutil.rmtree(w.bucket)
        (w.root / "my.other.tmp/b").write_text("x")
        assert [(a.bucket, a.name) for a in await w.news()] == [("my.other.tmp", "b")]


@story
async def test_files_in_new_folders_arrive_once_even_if_written_before_the_folder_is_watched(
    tmp_path: Path,
) -> None:
    async with Watching(tmp_path) as w:
        w.write("a/b/c/one")
        w.write("a/two")
        assert await w.names() == ["a/b/c/one", "a/two"]
        w.write("a/b/c/three")
        assert await w.names() == ["a/b/c/three"]


@story
async def test_a_file_found_open_in_a_new_folder_arrives_when_it_is_closed(tmp_path: Path) -> None:
    loop = LoopWithoutTime()
    async with Watching(tmp_path, loop=loop) as w:
        (w.bucket / "new").mkdir()
        with (w.bucket / "new/a").open("w") as file:
            assert await w.names() == []
            assert [loop.ring(), loop.ring(), loop.ring()] == [1, 2, 4]
            file.write("all of it")
        assert [(a.name, a.size) for a in await w.news()] == [("new/a", 9)]
        assert loop.pending == []


@story
async def test_a_file_that_was_just_being_closed_when_a_scan_met_it_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = LoopWithoutTime()
    async with Watching(tmp_path, loop=loop) as w:
        (tmp_path / "outside").write_text("x")
        with monkeypatch.context() as patch:
            patch.setattr(watcher, "stat_unless_written", lambda _: None)
            (tmp_path / "outside").rename(w.bucket / "a")
            assert await w.names() == []
        loop.ring()
        assert await w.names() == ["a"]


@story
async def test_while_nothing_happens_no_timer_is_set(tmp_path: Path) -> None:
    loop = LoopWithoutTime()
    async with Watching(tmp_path, loop=loop) as w:
        w.write("a/b")
        (w.bucket / "a").rename(w.bucket / "c")
        (w.bucket / "gone").write_text("x")
        (w.bucket / "gone").unlink()
        await w.quiet()
        assert loop.pending == []


@story
async def test_a_renamed_folder_brings_its_files_under_their_new_names(tmp_path: Path) -> None:
    async with Watching(tmp_path) as w:
        w.write("a/in/one")
        assert await w.names() == ["a/in/one"]
        (w.bucket / "a").rename(w.bucket / "b")
        assert await w.names() == ["b/in/one"]
        w.write("b/in/two")
        w.write("a/in/three")
        assert await w.names() == ["a/in/three", "b/in/two"]


@story
async def test_names_are_right_when_folders_move_while_their_events_are_waiting(tmp_path: Path) -> None:
    async with Watching(tmp_path) as w:
        w.write("a/one", "a")
        w.write("b/one", "bb")
        await w.news()
        w.write("a/two", "of a")
        (w.bucket / "a").rename(w.bucket / "c")
        (w.bucket / "b").rename(w.bucket / "a")
        (w.bucket / "c").rename(w.bucket / "b")
        w.write("a/three", "of b, now a")
        (w.bucket / "new").mkdir()
        (w.bucket / "b").rename(w.bucket / "new/b")
        assert [(a.name, a.size) for a in await w.news()] == [
            ("a/one", 2),
            ("a/three", 11),
            ("new/b/one", 1),
            ("new/b/two", 4),
        ]
        w.write("a/four")
        w.write("new/b/four")
        assert await w.names() == ["a/four", "new/b/four"]


@story
async def test_a_folder_that_left_the_bucket_reports_nothing_more(tmp_path: Path) -> None:
    async with Watching(tmp_path) as w:
        w.write("a/one")
        (w.bucket / "a").rename(tmp_path / "outside")
        await w.news()
        assert w.watched_folders() == 0
        (tmp_path / "outside/two").write_text("x")
        assert await w.names() == []


@story
async def test_of_folders_that_took_each_others_places_only_the_last_is_watched(tmp_path: Path) -> None:
    async with Watching(tmp_path) as w:
        w.write("a/one")
        await w.news()
        (w.bucket / "a").rename(tmp_path / "outside")
        w.write("a/two")
        assert await w.names() == ["a/two"]
        assert w.watched_folders() == 1


def test_a_folder_that_turns_into_a_link_just_before_it_is_watched_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "root/bucket").mkdir(parents=True)
    (tmp_path / "root/bucket/link").symlink_to(tmp_path)
    kernel = inotify.Inotify()
    tree = FolderTree(kernel, bytes(tmp_path / "root"))
    assert tree.add(tree.root, b"bucket")
    with pytest.raises(NotADirectoryError):
        tree.add(tree.root.folders[b"bucket"], b"link")
    kernel.close()


@story
async def test_a_folder_may_become_a_file_and_a_file_a_folder(tmp_path: Path) -> None:
    async with Watching(tmp_path) as w:
        w.write("a/one")
        assert await w.names() == ["a/one"]
        shutil.rmtree(w.bucket / "a")
        w.write("a")
        assert await w.names() == ["a"]
        (w.bucket / "a").unlink()
        w.write("a/two")
        assert await w.names() == ["a/two"]


@story
async def test_folders_may_be_as_deep_as_a_path_is_long(tmp_path: Path) -> None:
    async with Watching(tmp_path) as w:
        name = "/".join(["d"] * 1_100)
        path = Buckets(tmp_path).write(f"gs://landing/{name}", b"x")
        assert await w.names() == [name]
        path.unlink()
        os.removedirs(path.parent)


@story
async def test_an_overflow_of_the_kernels_queue_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Watching(tmp_path) as w:
        w.write("a/one")
        w.write("b/one")
        w.write("c/one")
        await w.news()
        read = inotify.Inotify.read

        def overflow(kernel: inotify.Inotify) -> list[inotify.Event]:
            assert list(read(kernel))
            return [inotify.Event(-1, inotify.IN_Q_OVERFLOW, b"")]

        monkeypatch.setattr(inotify.Inotify, "read", overflow)
        w.write("a/two")
        shutil.rmtree(w.bucket / "b")
        w.write("b/two")
        (w.bucket / "c").rename(tmp_path / "outside")
        w.write("new/one")
        assert await w.names() == ["a/two", "b/two", "new/one"]
        assert w.watched_folders() == 3
        monkeypatch.undo()
        w.write("b/three")
        assert await w.names() == ["b/three"]


@story
async def test_a_burst_of_20000_files_arrives_once_each_in_lists(tmp_path: Path) -> None:
    async with Watching(tmp_path) as w:
        expected = [f"{n % 100:03}/{n}" for n in range(10_000)] + [f"{n}" for n in range(10_000)]
        for name in expected:
            w.write(name)
        assert await w.names() == sorted(expected)
        assert max(w.batches) <= 1_000
        assert len(w.batches) < 200


@story
async def test_a_file_whose_times_are_set_after_its_close_is_told_of_as_touched(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("x")
    os.utime(tmp_path / "source", (1, 1))
    async with Watching(tmp_path) as w:
        w.write("a")
        (arrival,) = await w.news()
        shutil.copystat(tmp_path / "source", w.bucket / "a")
        assert await w.names() == []
        (touched,) = w.touched
        assert (touched.name, touched.updated) == ("a", 1_000_000)
        assert touched.generation != arrival.generation
    async with Watching(tmp_path, ledger=w.ledger) as w:
        assert await w.names() == []


@story
async def test_a_file_rewritten_in_place_arrives_even_if_its_times_are_set_before_its_close(
    tmp_path: Path,
) -> None:
    async with Watching(tmp_path) as w:
        w.write("a", "old")
        await w.news()
        with (w.bucket / "a").open("r+") as file:
            file.write("new")
            file.flush()
            os.utime(file.fileno(), (1, 1))
            assert await w.names() == []
        assert [a.updated for a in await w.news()] == [1_000_000]
        assert w.touched == []


@story
async def test_a_file_rewritten_in_place_arrives_even_if_its_times_are_set_right_after_its_close(
    tmp_path: Path,
) -> None:
    async with Watching(tmp_path) as w:
        path = w.write("a", "old")
        await w.news()
        w.write("a", "new")
        os.utime(path, (1, 1))
        assert [a.updated for a in await w.news()] == [1_000_000]


@story
async def test_a_close_that_is_read_after_the_touch_before_it_still_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Watching(tmp_path) as w:
        w.write("a", "old")
        await w.news()
        with (w.bucket / "a").open("r+") as file:
            file.write("new")
            file.flush()
            os.utime(file.fileno(), (1, 1))
            # The writer closes after the event of the touch was read and before the file is looked at.
            monkeypatch.setattr(watcher, "stat_unless_written", os.lstat)
            assert await w.names() == []
        assert [a.updated for a in await w.news()] == [1_000_000]


@story
async def test_the_limit_of_watches_is_one_problem_that_names_the_setting_and_passes_when_it_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = LoopWithoutTime()
    async with Watching(tmp_path, loop=loop) as w:
        monkeypatch.setattr(inotify.Inotify, "add", _raise(28))
        for n in range(3):
            w.write(f"{n}/a")
        await w.quiet()
        (problem,) = w.problems
        assert "fs.inotify.max_user_watches" in problem
        monkeypatch.undo()
        for alarm in loop.pending:
            alarm.go_off()
        assert await w.names() == ["0/a", "1/a", "2/a"]
        assert loop.pending == []


@story
async def test_a_full_disk_is_not_taken_for_the_limit_of_watches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mkdir(path: Path, **_: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(UserError, match="landing' is not watched: No space left on device"):
        Watching(tmp_path)


@story
async def test_a_folder_that_may_not_be_read_is_a_problem_and_harms_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Watching(tmp_path) as w:
        real = inotify.Inotify.add

        def add(kernel: inotify.Inotify, path: bytes, mask: int) -> int:
            if path.endswith(b"closed"):
                raise PermissionError(13, "Permission denied")
            return real(kernel, path, mask)

        monkeypatch.setattr(inotify.Inotify, "add", add)
        w.write("closed/a")
        w.write("open/a")
        assert await w.names() == ["open/a"]
        (problem,) = w.problems
        assert problem.endswith("/landing/closed' is not watched: Permission denied")


@pytest.mark.parametrize(("code", "advice"), [(24, "max_user_instances"), (28, "max_user_watches")])
@story
async def test_a_watcher_that_can_not_watch_says_what_to_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, advice: str
) -> None:
    monkeypatch.setattr(inotify.Inotify, "add", _raise(code))
    with pytest.raises(UserError, match=advice):
        Watching(tmp_path)


@story
async def test_a_bucket_whose_place_is_taken_by_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "landing").write_text("x")
    with pytest.raises(UserError, match="landing"):
        Watching(tmp_path)


@story
async def test_after_stop_nothing_is_reported_and_no_descriptor_or_timer_is_left(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    loop = LoopWithoutTime()
    async with Watching(tmp_path, loop=loop) as w:
        with (w.bucket / "open").open("w"):
            await w.quiet()
            assert loop.pending
            w.watcher.stop()
        w.watcher.stop()
    w.write("late")
    assert loop.pending == []
    assert len(os.listdir("/proc/self/fd")) == before
    assert [arrival.name for arrival in w.reported] == ["sentinel-1"]


@story
async def test_it_can_be_stopped_from_inside_of_a_report(tmp_path: Path) -> None:
    w = Watching(tmp_path)
    for n in range(1_500):
        w.write(f"{n}/a")
    w.watcher._on_arrivals = lambda arrivals: (w.reported.extend(arrivals), w.watcher.stop())
    w.watcher.start()
    assert len(w.reported) == 1_000


@story
async def test_the_loss_of_the_folder_of_all_buckets_is_a_problem(tmp_path: Path) -> None:
    async with Watching(tmp_path / "buckets") as w:
        w.watcher._on_problem = lambda problem: (w.problems.append(problem), w._more.set())
        shutil.rmtree(w.root)
        await w.until(lambda: bool(w.problems))
        assert w.problems[0].endswith("/buckets' is gone: nothing arrives until a new start")


def test_a_writer_that_comes_while_a_file_is_looked_at_does_not_kill_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    stat = os.fstat

    def stat_while_somebody_opens(file: int) -> os.stat_result:
        with pytest.raises(BlockingIOError):
            os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        return stat(file)

    monkeypatch.setattr(leases.os, "fstat", stat_while_somebody_opens)
    status = leases.stat_unless_written(bytes(path))
    assert status is not None
    assert status.st_size == 1
    monkeypatch.undo()
    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))  # the lease was given back


def test_where_leases_are_not_to_be_had_a_file_counts_as_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "a").open("w") as file:
        assert leases.stat_unless_written(bytes(tmp_path / "a")) is None
        monkeypatch.setattr(leases.fcntl, "fcntl", _raise(13))
        assert leases.stat_unless_written(bytes(tmp_path / "a")) == os.fstat(file.fileno())
        monkeypatch.setattr(leases.os, "open", _raise(13))
        assert leases.stat_unless_written(bytes(tmp_path / "a")) == os.fstat(file.fileno())


def _raise(code: int):
    def call(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return call
