"""Where the outputs of many runs are, so that a few listings find them all.

The outputs of a range of days differ in one part of their names: `gs://work/2026-11-01/clean*`,
`gs://work/2026-11-02/clean*` are among `gs://work/2026-11-0*/clean*`. As for a step, what is below an output
belongs to it: a folder is what it holds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from onward.core import matching
from onward.core.errors import BadTemplate
from onward.core.events import StartRun
from onward.core.matching import BadPattern
from onward.core.params import objects
from onward.core.plan import Plan
from onward.core.templates import names, render_text


def declared(plan: Plan) -> list[str]:
    """The templates of outputs that say whether a run was there: of the steps that every good run makes, and
    of those what can be rendered before it begins."""
    known = {"params", "env", "trigger", *(param.name for param in plan.pipeline.params)}
    return [
        output
        for step in plan.pipeline.steps
        if step.condition is None and step.for_each is None and step.when == "success"
        for output in step.outputs
        if all(name.partition(".")[0] in known for name in names(output))
    ]


def rendered(templates: Iterable[str], plan: Plan, start: StartRun) -> tuple[str, ...] | None:
    """The outputs of a run. None: one can't be told from what the run will know."""
    values = objects(plan.pipeline.params, start.params)
    context: dict[str, Any] = {**values, "params": values, "env": plan.env, "trigger": start.trigger}
    try:
        return tuple(render_text(template, context) for template in templates)
    except BadTemplate:
        return None


def covering(uris: Iterable[str]) -> list[str]:
    """A few globs among whose objects are those of all of these."""
    alike = defaultdict[tuple[str, int], list[list[str]]](list)
    for uri in uris:
        parts = _path(uri).split("/")
        alike[parts[0], len(parts)].append(parts)
    globs = ["gs://" + "/".join(map(_covering, zip(*each, strict=True))) for each in alike.values()]
    return [glob for each in globs for glob in (each, f"{each}/**")]


def _covering(parts: tuple[str, ...]) -> str:
    if len(set(parts)) == 1:
        return parts[0]
    texts = [matching.literal_prefix(part) for part in parts]
    first, last = min(texts), max(texts)
    alike = next((at for at, char in enumerate(first) if not last.startswith(char, at)), len(first))
    return f"{first[:alike]}*"


def newest(uri: str, listing: Sequence[str], updated: Mapping[str, int]) -> int | None:
    """When the newest object of this output was written (µs); None: there is none. `listing` is sorted."""
    path = _path(uri)
    prefix = "gs://" + matching.literal_prefix(path)
    patterns = [matching.compile(glob) for glob in (path, f"{path}/**")]
    found = None
    for at in range(bisect_left(listing, prefix), len(listing)):
        if not listing[at].startswith(prefix):
            break
        if any(pattern.match(_path(listing[at])) is not None for pattern in patterns):
            found = max(found or 0, updated[listing[at]])
    return found


def readable(uri: str) -> bool:
    """Whether `newest` can look for it."""
    try:
        matching.compile(_path(uri))
    except BadPattern:
        return False
    return uri.startswith("gs://") and "/" in _path(uri)


def _path(uri: str) -> str:
    """Bucket and name."""
    return uri.removeprefix("gs://").removesuffix("/")
