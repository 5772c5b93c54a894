"""Measure every workload in turns on one disk and print each as a share of its limits."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import engine
from bench.floor import commit_rate, flush_rate, smallest_engine_chain, smallest_engine_fan

STEPS = 1_000
ROUNDS = 5


@dataclass(frozen=True)
class Workload:
    name: str
    rate: Callable[[Path], float]  # measured once in an empty folder, per second
    beside: str | None = None  # the smallest engine doing the same


FLUSHES = "flushes of 4 KiB"
COMMITS = "durable commits: SQLite, WAL, FULL"
CHAIN = f"smallest engine, chain of {STEPS:,}"
FAN = f"smallest engine, 1 → {STEPS:,} → 1"
FAN_TOGETHER = f"{FAN}, all that is ready in one commit"

WORKLOADS = [
    Workload(FLUSHES, flush_rate),
    Workload(COMMITS, commit_rate),
    Workload(CHAIN, partial(smallest_engine_chain, n=STEPS)),
    Workload(FAN, partial(smallest_engine_fan, n=STEPS)),
    Workload(FAN_TOGETHER, partial(smallest_engine_fan, n=STEPS, together=True)),
    Workload(f"onward, chain of {STEPS:,}", partial(engine.chain, n=STEPS), beside=CHAIN),
    Workload(f"onward, 1 → {STEPS:,} → 1", partial(engine.fan, n=STEPS), beside=FAN),
]


def measure(workloads: Sequence[Workload], folder: Path, rounds: int) -> dict[str, list[float]]:
    """The rates of each workload. In turns, so that a busy minute of the machine falls on all of them."""
    rates: dict[str, list[float]] = {workload.name: [] for workload in workloads}
    for _ in range(rounds):
        for workload in workloads:
            with TemporaryDirectory(prefix="onward-bench-", dir=folder) as empty:
                rates[workload.name].append(workload.rate(Path(empty)))
    return rates


def report(workloads: Sequence[Workload], rates: dict[str, list[float]]) -> str:
    typical = {name: median(measured) for name, measured in rates.items()}

    def share(workload: Workload, limit: str | None) -> str:
        return f"{typical[workload.name] / typical[limit]:.0%}" if limit else ""

    width = max(len(workload.name) for workload in workloads)
    lines = [f"{'':{width}}  per second  ms each  min–max per second  of commits  of smallest engine"]
    for workload in workloads:
        rate, measured = typical[workload.name], rates[workload.name]
        lines.append(
            f"{workload.name:{width}}  {rate:>10,.0f}  {1000 / rate:>7.3f}  "
            f"{f'{min(measured):,.0f}–{max(measured):,.0f}':>18}  "
            f"{share(workload, COMMITS):>10}  {share(workload, workload.beside):>18}".rstrip()
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="on the disk to measure (here)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"runs of each; medians ({ROUNDS})")
    given = parser.parse_args(arguments)
    print(report(WORKLOADS, measure(WORKLOADS, given.folder, given.rounds)))


if __name__ == "__main__":
    main(sys.argv[1:])
