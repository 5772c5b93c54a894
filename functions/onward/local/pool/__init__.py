"""Warm worker processes that make the calls of `python` steps."""

from onward.calls.call import Call, Died, Outcome, Raised, Returned
from onward.local.pool.pool import Pool

__all__ = ["Call", "Died", "Outcome", "Pool", "Raised", "Returned"]
