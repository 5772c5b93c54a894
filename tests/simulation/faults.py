"""What goes wrong in a world, and how often."""

from __future__ import annotations

from random import Random


class Crash(BaseException):
    """The process is gone; what it had not done, it never will."""


class Faults:
    """How often things go wrong. All of it stops when `off` is called."""

    def __init__(self, rng: Random) -> None:
        self.calm = rng.random() < 0.1
        self.crash = rng.choice((0.0, 0.005, 0.03))
        self.freeze = rng.choice((0.0, 0.01, 0.05, 0.15))
        self.double = rng.choice((0.0, 0.1, 0.3))
        self.late = rng.choice((0.0, 0.1, 0.3))
        self.lost_bell = rng.choice((0.0, 0.1, 0.5, 1.0))
        self.false_bell = rng.choice((0.0, 0.1))
        self.trouble = rng.choice((0.0, 0.02, 0.1, 0.3))
        self.job_failure = rng.choice((0.0, 0.1, 0.3))
        self.job_loss = rng.choice((0.0, 0.0, 0.1))
        self.gone_output = 0.05
        self.crash_at: int | None = None
        """Crash once, at this point: the places before and after each call are counted through."""
        if self.calm:
            self.off(but=("job_failure", "job_loss"))

    def off(self, but: tuple[str, ...] = ()) -> None:
        """From now on everything works and every message arrives (lost ones stay lost)."""
        for name, value in self.__dict__.items():
            if isinstance(value, float) and name not in but:
                setattr(self, name, 0.0)
        self.crash_at = None
