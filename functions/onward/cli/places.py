"""Where things are, as the options before the command say."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

STATE = Path(".onward")
WORKFLOWS = Path("workflows")


class Places(NamedTuple):
    """The two folders that every command works on."""

    workflows: Path = WORKFLOWS
    state: Path = STATE

    def command(self, *words: str) -> str:
        """A command line for the user to copy: it works on the same folders."""
        options: list[str] = []
        if self.workflows != Path(os.environ.get("ONWARD_WORKFLOWS", WORKFLOWS)):
            options += ["--workflows", str(self.workflows)]
        if self.state != Path(os.environ.get("ONWARD_STATE", STATE)):
            options += ["--state", str(self.state)]
        return shlex.join([_program(), *options, *words])


def _program() -> str:
    """As it was called, where that is a path; `onward` where it was found by its name."""
    called = sys.argv[0]
    return called if called.endswith("/bin/onward") and not Path(called).is_absolute() else "onward"
