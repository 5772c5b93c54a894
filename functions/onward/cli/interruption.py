"""Being asked to stop."""

from __future__ import annotations

import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """SIGINT or SIGTERM arrived."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number
        super().__init__(signal.Signals(number).name)


class Left(Exception):
    """Somebody stopped looking on; the message says what becomes of the run."""

    def __init__(self, message: str, interrupted: Interrupted) -> None:
        self.exit_code = interrupted.exit_code
        super().__init__(message)
