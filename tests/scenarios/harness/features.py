"""The features, and the table of which scenario proves which: `make features` writes it.

Each has a page in docs: `trigger.objects` is docs/triggers/objects.md, `control.if` is docs/control/if.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec
from scenarios.harness.scenario import DOORS, Scenario, read

ROOT = Path(__file__).parents[3]
HERE = ROOT / "tests" / "scenarios"
PAGE = ROOT / "docs" / "features.md"
DATA = ROOT / "functions" / "onward" / "cli" / "features.json"

FEATURES = {
    "trigger.object": "A run for each object that arrives and matches",
    "trigger.objects": "A run for each complete set of objects: by parts, marker, count or quiet time",
    "trigger.batch": "A run for every N objects or for what came within a window, whichever is first",
    "trigger.absent_by": "A run, or an announcement, when an object is not there in time",
    "trigger.message": "A run for each message of a topic that passes a filter",
    "trigger.schedule": "A run at each time of a cron expression, in a time zone",
    "trigger.pipeline": "A run when runs of other pipelines have ended, of one or joined on a parameter",
    "trigger.hand": "A run by hand: `onward run`, or a message that names the pipeline",
    "control.needs": "A step starts when the steps that it needs have succeeded",
    "control.if": "A condition on parameters and outputs decides whether a step runs",
    "control.when": "A step runs after success, failure, either of them, or always",
    "control.for_each": "A step for each item of a list, a glob or an output, so many at once",
    "control.outputs": "Later steps see what a step returned, and the objects that it made",
    "control.unless_exists": "A step whose outputs are there already is done without a job",
    "control.retry": "A step that fails is tried again, after waits that grow",
    "control.timeout": "A job that takes too long is stopped",
    "control.pool": "So many jobs at once, over all pipelines, the most important first",
    "control.max_active_runs": "So many runs of a pipeline at once; others wait, are skipped, or take over",
    "control.deadline": "A run that takes too long is stopped; one that is late is told of",
    "control.handlers": "A step for the run that failed, one for the run that succeeded",
    "control.announce": "What happens to runs, as CloudEvents on a topic",
    "control.clusters": "A Dataproc cluster that is there as long as a run needs it, however the run ends",
    "control.sub-runs": "A step that is a run of another pipeline; cancel and retry reach it",
    "control.streaming": "A streaming job that is drained when another step has ended, or handed over",
    "control.loops": "Runs that start runs end: loops are refused, hops and runs per hour are bounded",
    "operating.cancel": "A run that is cancelled stops its jobs",
    "operating.retry": "A run that failed is tried again from what failed",
    "control.backfill": "Runs for a range of dates, or for the objects that are there",
    "operating.pause": "A paused pipeline keeps what would start it, and starts it when it is resumed",
}


class Proof(NamedTuple):
    """A scenario, by the name of its folder."""

    scenario: str
    promise: str
    doors: tuple[str, ...]


class Feature(NamedTuple):
    """One line of the table."""

    name: str
    what: str
    embedded: bool
    cloud: bool
    proofs: list[Proof]


def scenarios() -> dict[str, Scenario]:
    """All of them, by the names of their folders."""
    return {file.parent.name: read(file.parent) for file in sorted(HERE.glob("*/scenario.yaml"))}


def table(found: dict[str, Scenario]) -> list[Feature]:
    """The features that a scenario proves."""
    features = []
    for name, what in FEATURES.items():
        proofs = [
            Proof(folder, each.scenario, each.doors) for folder, each in found.items() if name in each.proves
        ]
        doors = {door for proof in proofs for door in proof.doors}
        if proofs:
            features.append(Feature(name, what, *(door in doors for door in DOORS), proofs))
    return features


def data(features: list[Feature]) -> str:
    """What `onward features` reads."""
    rows = [
        {
            "feature": feature.name,
            "what": feature.what,
            "embedded": feature.embedded,
            "cloud": feature.cloud,
            "scenarios": [proof._asdict() for proof in feature.proofs],
        }
        for feature in features
    ]
    return msgspec.json.format(msgspec.json.encode(rows), indent=1).decode() + "\n"


def page(features: list[Feature]) -> str:
    """docs/features.md."""
    lines = [
        "# Features",
        "",
        "What Onward can do, and what proves it: each scenario is a folder of `tests/scenarios`,",
        "played through both doors, the embedded runtime and the cloud's functions, step by step alike.",
        "`onward features` prints this table; `make features` writes it.",
        "",
        "| feature | | embedded | cloud | shown by |",
        "|---|---|---|---|---|",
    ]
    for feature in features:
        shown = "<br>".join(
            f"[{proof.promise}](../tests/scenarios/{proof.scenario}/scenario.yaml)"
            for proof in feature.proofs
        )
        marks = ["✓" if there else "" for there in (feature.embedded, feature.cloud)]
        lines.append(f"| {_linked(feature.name)} | {feature.what} | {' | '.join(marks)} | {shown} |")
    return "\n".join(lines) + "\n"


def _linked(feature: str) -> str:
    kind, _, name = feature.partition(".")
    folder = {"trigger": "triggers", "control": "control", "operating": "operating"}[kind]
    title = f"{kind}: `{name}`"
    file = f"{folder}/{name}.md"
    return f"[{title}]({file})" if (PAGE.parent / file).exists() else title


def main() -> None:
    """Write both."""
    features = table(scenarios())
    PAGE.write_text(page(features))
    DATA.write_text(data(features))


if __name__ == "__main__":
    main()
