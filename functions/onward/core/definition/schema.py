"""The pipeline file as JSON Schema (2020-12), for editors."""

from __future__ import annotations

from typing import Any

from onward.core.definition.grammar import PIPELINE


def schema() -> dict[str, Any]:
    """What `onward schema` prints."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An Onward pipeline",
        **PIPELINE.schema(),
    }
