"""How long things are kept, and how far ahead a timer can be set."""

from __future__ import annotations

from onward.core.pipeline import DAY

HORIZON = 35 * DAY
"""How long an ended run is kept: longer than any event about it can be delivered again."""
LONGEST_TIMER = 29 * DAY
"""Task queues take a timer at most 30 days ahead; longer waits go in hops."""
