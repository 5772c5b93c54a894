"""The state folder: what is where, and who may use it.

lock           held by the one runtime that uses the folder
state.db       runs and their nodes
buckets/       a folder for each bucket
jobs/          a folder for each supervised job
logs/          what python steps printed
files/         the pipelines' files as their runs use them, by content
objects/       outputs and histories too large for the state
emulators/     what `up --emulators` runs, as long as it does
endpoint       where the runtime answers over HTTP, while one runs
announcements.jsonl  what pipelines announce, as CloudEvents
dead-letters.jsonl   what could not be dealt with, and why
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from onward.core.errors import StateInUse, UserError


class StateFolder:
    """Paths of a state folder, and its lock."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.database = self.root / "state.db"
        self.buckets = self.root / "buckets"
        self.jobs = self.root / "jobs"
        self.logs = self.root / "logs"
        self.files = self.root / "files"
        self.objects = self.root / "objects"
        self.endpoint = self.root / "endpoint"
        self.announcements = self.root / "announcements.jsonl"
        self.dead_letters = self.root / "dead-letters.jsonl"
        self._lock: int | None = None

    def acquire(self) -> None:
        """Create the folder and hold it. Raises `StateInUse` if another runtime does."""
        try:
            for folder in (self.buckets, self.jobs, self.logs, self.files, self.objects):
                folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UserError(f"the state folder {self.root} can't be used: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise StateInUse(
                f"another runtime uses the state folder {self.root}; "
                "stop it, or use another folder with --state"
            ) from None
        self._lock = lock

    def release(self) -> None:
        """Let others use it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def bury(self, reason: str, letter: Mapping[str, Any]) -> None:
        """Keep what could not be dealt with, with the reason."""
        with self.dead_letters.open("ab") as file:
            file.write(msgspec.json.encode({"reason": reason, **letter}) + b"\n")
