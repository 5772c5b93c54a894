"""Google's emulators as they are: one process of each, shared by all tests that run at the same time.

A running emulator belongs to a folder, and lives as long as somebody holds that folder's pipe open for
writing: a test session, or each worker of one. It ends with the last of them, however they end, so that
nobody has to count and nothing stays behind. Each test keeps to a project id of its own and never sees the
data of another.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from onward.local.java import java_home


class Emulator(NamedTuple):
    """What to run from gcloud's installation, and the words that it says when it is ready."""

    component: str
    jar: str
    main: str
    memory: str
    ready: str


FIRESTORE = Emulator(
    "cloud-firestore-emulator",
    "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar",
    "com.google.cloud.datastore.emulator.firestore.CloudFirestore",
    "-Xmx384m",
    "Dev App Server is now running",
)
PUBSUB = Emulator(
    "pubsub-emulator",
    "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar",
    "com.google.cloud.pubsub.testing.v1.Main",
    "-Xmx256m",
    "Server started, listening on",
)

# The emulator is this shell's child, not ours. When the pipe's last writer is gone, `cat` ends, and the whole
# group with it. The shell lets go of the output, so that the output ends if the emulator does.
_KEEPER = '"$@" 2>&1 </dev/null & exec >/dev/null 2>&1; cat <"$ALIVE"; kill -KILL 0'


class Missing(Exception):
    """The emulator can't be run here; the message says how to get it."""


@contextmanager
def running(emulator: Emulator, folder: Path) -> Iterator[str]:
    """`host:port` of the folder's emulator, started if nobody has. Raises `Missing`."""
    home = folder / emulator.component
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = _join(home)
        if held is None:
            held = _start(emulator, home)
        address = (home / "address").read_text()
    try:
        yield address
    finally:
        os.close(held)


def _join(home: Path) -> int | None:
    """Hold open the pipe of what runs already, if it does."""
    try:
        return os.open(home / "alive", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # no such pipe, or nobody reads it any more
        return None


def _start(emulator: Emulator, home: Path) -> int:
    host, port = "127.0.0.1", _free_port()
    alive = home / "alive"
    alive.unlink(missing_ok=True)
    os.mkfifo(alive)
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", _KEEPER, "keeper", *command(emulator), f"--host={host}", f"--port={port}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "ALIVE": str(alive)},
        start_new_session=True,
        text=True,
    )
    held = os.open(alive, os.O_WRONLY)
    assert keeper.stdout is not None
    said = []
    for line in keeper.stdout:
        said.append(line)
        if emulator.ready in line:
            break
    else:
        os.close(held)
        raise RuntimeError(f"the {emulator.component} did not start:\n{''.join(said)}")
    (home / "address").write_text(f"{host}:{port}")
    threading.Thread(target=keeper.communicate, daemon=True).start()  # or what it says would fill the pipe
    return held


def command(emulator: Emulator) -> list[str]:
    """What starts it, but for the address. Raises `Missing`."""
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        raise Missing(f"gcloud is not installed; `gcloud components install {emulator.component}` brings it")
    asked = [gcloud, "info", "--format=value(installation.sdk_root)"]
    root = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    jar = max(root.glob(emulator.jar), default=None)
    if jar is None:
        raise Missing(f"not installed; `gcloud components install {emulator.component}` brings it")
    java = shutil.which("java") or f"{java_home()}/bin/java"
    options = (emulator.memory, "-XX:+UseSerialGC", "-Duser.language=en")
    return [java, *options, "-cp", str(jar), emulator.main]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
