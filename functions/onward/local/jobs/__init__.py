"""Local jobs: each runs under a small supervisor of its own, which outlives the runtime that started it."""

from onward.local.jobs.jobs import Jobs
from onward.local.jobs.model import Alive, Ended, Look, Lost, Missing, Result, Spec

__all__ = ["Alive", "Ended", "Jobs", "Look", "Lost", "Missing", "Result", "Spec"]
