"""A pipeline's Cloud Workflows definitions: what can't run here is refused before a run starts."""

from __future__ import annotations

from onward.catalog import Entry
from onward.core.errors import BadPipeline
from onward.core.pipeline import Workflow


def check_workflows(entry: Entry) -> None:
    """Raises `BadPipeline` with everything that can't run here, by name and line."""
    sources = {step.does.source for step in entry.pipeline.with_handlers if isinstance(step.does, Workflow)}
    if not sources:
        return
    from onward.local.gcw.loader import load

    problems: list[object] = []
    for source in sorted(sources):
        file = entry.folder / source
        try:
            load(file.read_text(encoding="utf-8"), str(file))
        except BadPipeline as error:
            problems += error.problems
    if problems:
        raise BadPipeline(tuple(problems))
