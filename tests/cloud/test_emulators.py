"""An emulator is started once, shared, and gone when nobody uses it, however its users ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from onward.core.errors import Unavailable
from onward.local.standins import emulators
from onward.local.standins.emulators import FIRESTORE, Missing, running

# Stands for an emulator: says that it is ready, and holds the pipe `life` open for as long as it lives.
SCRIPT = 'exec 9>"$0"; echo started >>"$0.log"; echo Dev App Server is now running; exec sleep 1000'

HOLDER = """
import sys
from pathlib import Path
from onward.local.standins import emulators
emulators.command = lambda _: sys.argv[2:]
with emulators.running(emulators.FIRESTORE, Path(sys.argv[1])) as address:
    print(address, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Started in place of an emulator."""
    command = ["/bin/sh", "-c", SCRIPT, str(tmp_path / "life")]
    monkeypatch.setattr(emulators, "command", lambda _: command)
    return command


def read_to_the_end(life: int) -> bytes:
    os.set_blocking(life, True)
    return os.read(life, 1)


@pytest.fixture
def life(tmp_path: Path) -> int:
    """Reads to its end when the emulator has ended."""
    os.mkfifo(tmp_path / "life")
    return os.open(tmp_path / "life", os.O_RDONLY | os.O_NONBLOCK)


@pytest.mark.usefixtures("command")
def test_two_users_share_one_and_the_last_one_ends_it(tmp_path: Path, life: int) -> None:
    with running(FIRESTORE, tmp_path) as first:
        with running(FIRESTORE, tmp_path) as second:
            assert first == second
        with running(FIRESTORE, tmp_path) as third:
            assert third == first, "it outlives one of its users"
        assert (tmp_path / "life.log").read_text() == "started\n"
    assert read_to_the_end(life) == b""


@pytest.mark.usefixtures("command")
def test_it_can_be_started_again(tmp_path: Path, life: int) -> None:
    for _ in range(2):
        with running(FIRESTORE, tmp_path):
            pass
        assert read_to_the_end(life) == b""
    assert (tmp_path / "life.log").read_text() == "started\n" * 2


def test_it_ends_with_a_user_that_is_killed(tmp_path: Path, life: int, command: list[str]) -> None:
    user = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with user:
        assert user.stdout is not None
        assert user.stdout.readline().startswith(b"127.0.0.1:")
        user.send_signal(signal.SIGKILL)
        assert read_to_the_end(life) == b""


def test_what_it_said_is_told_when_it_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulators, "command", lambda _: ["/bin/sh", "-c", "echo no memory >&2; exit 1"])
    with pytest.raises(Unavailable, match="no memory"), running(FIRESTORE, tmp_path):
        pass


def test_without_gcloud_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(Missing, match="gcloud components install cloud-firestore-emulator"),
        running(FIRESTORE, tmp_path),
    ):
        pass
