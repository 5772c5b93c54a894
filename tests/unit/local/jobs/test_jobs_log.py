"""A log has a limit, and a full disk costs output, never the verdict."""

from __future__ import annotations

import itertools
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jobs_harness import Runtime, command
from onward.core.errors import Unavailable
from onward.local.jobs import Missing
from onward.local.jobs.supervisor import Log

LIMIT = 16 * 1024 * 1024


def test_a_job_that_prints_100_mb_keeps_both_ends_and_says_what_lies_between(life: Runtime) -> None:
    result = life.run("a", "sh", "-c", "seq 12400000; exit 5")
    log = life.jobs.log_path("a").read_bytes()
    head, mark, tail = log[: LIMIT // 2], log[LIMIT // 2 : -LIMIT // 2], log[-LIMIT // 2 :]
    printed = sum(9 * 10**i * (i + 2) for i in range(7)) + 9 * (12_400_000 - 9_999_999)
    assert printed > 100_000_000
    assert mark == b"\n[%15d bytes left out]\n" % (printed - LIMIT)
    assert head.startswith(b"1\n2\n3\n")
    assert tail.endswith(b"\n12399999\n12400000\n")
    assert "".join(f"{n}\n" for n in range(1, 1_300_000)).encode().startswith(head)
    assert "".join(f"{n}\n" for n in range(11_000_000, 12_400_001)).encode().endswith(tail)
    assert (result.exit_code, result.log_dropped) == (5, 0)
    assert result.last_lines.endswith("12399999\n12400000")


@given(
    limit=st.integers(0, 200),
    before=st.binary(max_size=50),
    sizes=st.lists(st.integers(0, 400), max_size=20),
)
@example(limit=100, before=b"", sizes=[150] * 10)
def test_a_log_is_what_was_written_but_for_the_middle(limit: int, before: bytes, sizes: list[int]) -> None:
    numbers = (n % 251 for n in itertools.count())
    chunks = [bytes(itertools.islice(numbers, size)) for size in sizes]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log")
        path.write_bytes(before)
        begin = before + b"\n[started again]\n" if before else b""
        log = Log(str(path), limit)
        for chunk in chunks:
            log.write(chunk)
            most = len(begin) + 3 * (limit // 2) + 2 * Log.MARK_BYTES + len(chunk)
            assert path.stat().st_size <= most
        log.write(b"", halves=2)
        os.close(log.file)
        kept, written, half = path.read_bytes(), b"".join(chunks), limit // 2
        assert kept.startswith(begin)
        kept = kept[len(begin) :]
        if len(written) <= 2 * half + Log.MARK_BYTES:
            assert kept == written
        else:
            mark = Log.MARK % (len(written) - 2 * half)
            assert kept == written[:half] + mark.encode() + written[len(written) - half :]


def test_output_that_meets_a_full_disk_is_dropped_and_counted(life: Runtime, root: Path) -> None:
    (root / "a").mkdir(parents=True)
    (root / "a" / "log").symlink_to("/dev/full")
    result = life.run("a", "sh", "-c", "seq 1000; exit 6")
    assert (result.exit_code, result.log_dropped) == (6, 3893)
    assert result.last_lines.endswith("999\n1000")


def test_the_verdict_fits_when_nothing_else_does(life: Runtime) -> None:
    with room_for(40_000):
        life.jobs.start("a", command("sh", "-c", "head -c 1000000 /dev/zero; exit 7"))
    result = life.result("a")
    assert (result.exit_code, result.log_dropped) == (7, 1_000_000 - 40_000)
    assert result.last_lines == "\0" * 4096  # the longest there can be
    assert life.jobs.log_path("a").stat().st_size == 40_000


def test_a_job_whose_verdict_would_not_fit_is_not_started_and_may_be_later(life: Runtime) -> None:
    with room_for(1_000), pytest.raises(Unavailable, match="job a can't be started"):
        life.jobs.start("a", command("true"))
    assert life.jobs.look("a") == Missing()
    assert life.run("a", "true").exit_code == 0


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """As if the disk were full: no file may grow beyond size, for this process and those it starts."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
