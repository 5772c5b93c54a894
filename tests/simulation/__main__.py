"""`python -m simulation --seeds 2000`: many stories, or one (`--seed N`) with its trace."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from simulation.story import tell
from simulation.violation import Violation


def main() -> int:
    """Exit 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m simulation")
    parser.add_argument("--seeds", type=int, default=200, help="how many stories")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--seed", type=int, help="one story, with its trace")
    given = parser.parse_args()
    if given.seed is not None:
        return _one(given.seed)
    seeds = range(given.first, given.first + given.seeds)
    totals: Counter[str] = Counter()
    broken = []
    with ProcessPoolExecutor() as pool:
        for outcome in pool.map(_count, seeds, chunksize=10):
            if isinstance(outcome, str):
                broken.append(outcome)
            else:
                totals.update(outcome)
    for lines in broken[:20]:
        print(lines)
    counts = ", ".join(f"{value:,} {name}" for name, value in sorted(totals.items()))
    print(f"{len(seeds):,} histories: {counts}, {len(broken)} violations")
    return 1 if broken else 0


def _count(seed: int) -> dict[str, int] | str:
    try:
        return dict(tell(seed).counts)
    except Violation as error:
        return str(error)


def _one(seed: int) -> int:
    try:
        print(dict(tell(seed, show=print).counts))
    except Violation as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
