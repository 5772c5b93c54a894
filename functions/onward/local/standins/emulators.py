"""Google's emulators as they are: one process of each, shared by all that use it at the same time.

Everything is in their memory. Whoever shares one keeps to a project id of its own and never sees the data of
another.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from onward.core.errors import UserError
from onward.local.java import java_home
from onward.local.standins.kept import kept


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


class Missing(UserError):
    """The emulator can't be run here; the message says how to get it."""


@contextmanager
def running(
    emulator: Emulator, folder: Path, on_line: Callable[[str], None] = lambda _: None
) -> Iterator[str]:
    """`host:port` of the folder's emulator, started if nobody has (see `kept`). Raises `Missing`."""

    def at(address: str) -> list[str]:
        host, _, port = address.partition(":")
        return [*command(emulator), f"--host={host}", f"--port={port}"]

    with kept(folder / emulator.component, at, emulator.ready, on_line) as address:
        yield address


def command(emulator: Emulator) -> list[str]:
    """What starts it, but for the address. Raises `Missing`."""
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        raise Missing(
            "gcloud is not installed (https://cloud.google.com/sdk/docs/install); then "
            f"`gcloud components install {FIRESTORE.component} {PUBSUB.component}` brings the emulators"
        )
    asked = [gcloud, "info", "--format=value(installation.sdk_root)"]
    root = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    jar = max(root.glob(emulator.jar), default=None)
    if jar is None:
        raise Missing(
            f"the {emulator.component} is not installed: `gcloud components install {emulator.component}`, "
            f"or `apt-get install google-cloud-cli-{emulator.component.removeprefix('cloud-')}`"
        )
    java = shutil.which("java") or f"{java_home()}/bin/java"
    options = (emulator.memory, "-XX:+UseSerialGC", "-Duser.language=en")
    return [java, *options, "-cp", str(jar), emulator.main]
