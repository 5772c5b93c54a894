"""Names are derived, never drawn: run ids, job names and timers, and back.

A run id is 20 hex digits (80 bits) of a hash over its trigger's facts; the n-th try of a run is
`<id>~n`. A job name is `<step>-<run id>-<try>-<node number>-<attempt>`: at most 63 characters of [a-z0-9-],
which every service accepts (the narrowest are Dataproc batches, 4 to 63 characters, and Dataflow jobs),
readable at its front, and enough to find the node again when nothing else is known of the job. An item of a
`for_each` is the node `<step>[<index>]`; the number in its jobs' names is `<node number>i<index>`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import msgspec

RUN_ID_LENGTH = 20
_BACKFILL_LENGTH = 12
_JOB = re.compile(
    r"(?P<step>[a-z][a-z0-9-]*)-(?P<run>[0-9a-f]{20})-(?P<try>\d{1,4})-(?P<number>\d{1,5})"
    r"(i(?P<item>0|[1-9]\d{0,4}))?-(?P<attempt>\d{1,4})"
)
_STEP_PREFIX = 24
_ITEM_PREFIX = 20
_CLUSTER_PREFIX = 14


def is_run_id(text: str) -> bool:
    """Whether it is the id of a run or of one of its tries."""
    return re.fullmatch(rf"[0-9a-f]{{{RUN_ID_LENGTH}}}(~\d{{1,4}})?", text) is not None


def run_id(pipeline: str, *facts: str) -> str:
    """The run of `pipeline` that these facts start: (`object`, bucket, name, generation), and the like."""
    return _hash(pipeline, *facts)[:RUN_ID_LENGTH]


def set_id(pipeline: str, kind: str, key: Mapping[str, str], *deployment: str) -> str:
    """The set of the pipeline's trigger of this kind whose members agree in `key`."""
    return _hash(
        "set", pipeline, kind, *deployment, *(text for item in sorted(key.items()) for text in item)
    )[:RUN_ID_LENGTH]


def member_id(*facts: str) -> str:
    """The member of a set that these facts are: (bucket, name, generation), and the like."""
    return _hash("member", *facts)[:RUN_ID_LENGTH]


def try_number(run: str) -> int:
    """1 for a run, n for its n-th try."""
    return int(run.partition("~")[2] or 1)


def next_try(run: str) -> str:
    """The id of the run that tries this one again."""
    return f"{run.partition('~')[0]}~{try_number(run) + 1}"


def predecessor(run: str) -> str | None:
    """The run that this one tries again, or None."""
    base, number = run.partition("~")[0], try_number(run)
    if number < 2:
        return None
    return base if number == 2 else f"{base}~{number - 1}"


def backfill_id(pipeline: str, *facts: str) -> str:
    """The backfill of a pipeline that these facts begin."""
    return _hash("backfill", pipeline, *facts)[:_BACKFILL_LENGTH]


def is_backfill_id(text: str) -> bool:
    """Whether it is the id of a backfill."""
    return re.fullmatch(rf"[0-9a-f]{{{_BACKFILL_LENGTH}}}", text) is not None


class JobName(msgspec.Struct, frozen=True):
    """What a job's name says: whose it is."""

    run: str
    number: int
    attempt: int
    item: int | None = None


def item_name(step: str, index: int) -> str:
    """The node of an item of a step's `for_each`, counted from 0."""
    return f"{step}[{index}]"


def item_of(node: str) -> tuple[str, int] | None:
    """The step and the index of an item's node; None for any other node."""
    if not node.endswith("]"):
        return None
    step, _, index = node[:-1].rpartition("[")
    if not (index.isascii() and index.isdigit()) or (index[0] == "0" and index != "0"):
        return None
    return step, int(index)


def group_name(step: str, number: int) -> str:
    """The node in which a group of the lanes of a step's `for_each` are joined."""
    return f"{step}[~{number}]"


def group_of(node: str) -> tuple[str, int] | None:
    """The step and the number of a group of lanes; None for any other node."""
    step, _, number = node.partition("[~")
    found = item_of(f"{step}[{number}") if number else None
    return found if found is not None and found[0] == step else None


def job_name(node: str, run: str, number: int, attempt: int) -> str:
    """The name of the job of one attempt of a step, or of an item of it. `number`: the step's in its plan."""
    item = item_of(node)
    step, place, longest = node, str(number), _STEP_PREFIX
    if item is not None:
        step, place, longest = item[0], f"{number}i{item[1]}", _ITEM_PREFIX
    slug = step.lstrip("~").replace("_", "-")[:longest].rstrip("-")
    return f"{slug}-{run.partition('~')[0]}-{try_number(run)}-{place}-{attempt}"


def cluster_name(cluster: str, run: str, number: int, n: int) -> str:
    """The name of a cluster's n-th incarnation: as a job's, and at most the 51 characters of a cluster."""
    return job_name(cluster[:_CLUSTER_PREFIX], run, number, n)


def parse_job_name(name: str) -> JobName | None:
    """Whose job this is, or None: not one of ours."""
    found = _JOB.fullmatch(name)
    if found is None:
        return None
    tries = int(found["try"])
    run = found["run"] if tries == 1 else f"{found['run']}~{tries}"
    item = None if found["item"] is None else int(found["item"])
    return JobName(run, int(found["number"]), int(found["attempt"]), item)


def item_place(node: str) -> str:
    """The node's name as part of a place in an order: items of a step in the order of their indices."""
    item = item_of(node)
    return node if item is None else f"{item[0]}-{item[1]:06d}"


def timer_name(run: str, node: str, purpose: str, n: int) -> str:
    """A name that no other timer has: task queues refuse a used one for hours to days."""
    return _hash(run, node, purpose, str(n))[:32]


def schedule_name(pipeline: str, *timing: str) -> str:
    """A readable name of one of a pipeline's schedules, which stays the same as long as its times do."""
    return f"{pipeline}-{_hash(*timing)[:8]}"


def announcement_id(kind: str, *facts: str) -> str:
    """The same for each repeat of one announcement, and of no other."""
    return _hash("announcement", kind, *facts)[:32]


def spread(*parts: str) -> float:
    """A number in [0, 1) that looks drawn but is the same every time: jitter without randomness."""
    return int.from_bytes(_digest(*parts)[:6], "big") / 2**48


def _hash(*parts: str) -> str:
    return _digest(*parts).hex()


def _digest(*parts: str) -> bytes:
    # JSON keeps ("a", "bc") and ("ab", "c") apart, whatever characters the parts hold.
    return hashlib.sha256(msgspec.json.encode(parts)).digest()
