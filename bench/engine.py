"""The real thing: the embedded runtime with its store, worker processes and all, on generated pipelines."""

import asyncio
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

from onward.core.state import Node

STEPS_FILE = "def step():\n    return None\n"


def chain(folder: Path, n: int) -> float:
    """Steps per second of a chain of n python steps that do nothing."""
    return asyncio.run(_rate(folder, _pipeline(n, lambda i: [f"s{i - 1}"] if i else [])))


def fan(folder: Path, n: int) -> float:
    """Steps per second of 1 → n → 1 python steps that do nothing."""
    needs: dict[int, list[str]] = {0: [], n + 1: [f"s{i}" for i in range(1, n + 1)]}
    return asyncio.run(_rate(folder, _pipeline(n + 2, lambda i: needs.get(i, ["s0"]))))


def step_to_step(folder: Path, n: int) -> float:
    """The median time in seconds from one step's end to the next one's start being committed, in a chain."""
    return asyncio.run(_latency(folder, _pipeline(n, lambda i: [f"s{i - 1}"] if i else [])))


def _pipeline(n: int, needs: Callable[[int], list[str]]) -> str:
    lines = ["pipeline: measured", "steps:"]
    for i in range(n):
        lines += [f"  s{i}:", '    python: {call: "steps.py:step"}', f"    needs: [{', '.join(needs(i))}]"]
    return "\n".join(lines)


async def measured(folder: Path, pipeline: str) -> tuple[float, list[Node]]:
    from onward.local.runtime import Runtime

    home = folder / "workflows" / "measured"
    home.mkdir(parents=True)
    (home / "pipeline.yaml").write_text(pipeline)
    (home / "steps.py").write_text(STEPS_FILE)
    runtime = Runtime(folder / "workflows", folder / "state", asyncio.get_running_loop(), print)
    runtime.start(watch=False)
    # Once to warm up: the plan is stored, the workers have started.
    await runtime.ended(await runtime.start_run("measured", {}, "warm"))
    began = time.perf_counter()
    run = await runtime.start_run("measured", {}, "measured")
    await runtime.ended(run)
    took = time.perf_counter() - began
    view = runtime.views.run(run)
    assert view["state"] == "succeeded", view
    nodes = runtime.store.first(run, "any", 1_000_000)
    await runtime.close()
    return took, [node for name, node in nodes if not name.startswith("~")]


async def _rate(folder: Path, pipeline: str) -> float:
    took, nodes = await measured(folder, pipeline)
    return len(nodes) / took


async def _latency(folder: Path, pipeline: str) -> float:
    _, nodes = await measured(folder, pipeline)
    starts = sorted(node.started or 0 for node in nodes)
    return median(later - earlier for earlier, later in pairwise(starts)) / 1_000_000
