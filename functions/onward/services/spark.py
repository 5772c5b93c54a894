"""What Dataproc's jobs and batches have in common: the short forms, and Spark's properties."""

from __future__ import annotations

from typing import Any

from onward.core.pipeline import Dataproc, Step
from onward.services.resources import spark_properties, text
from onward.services.settings import Files


def short_form(does: Dataproc, suffix: str, run: str, files: Files) -> dict[str, Any]:
    """The REST body that `pyspark` or `spark_sql` stands for (`suffix`: Job or Batch); else nothing."""
    if does.pyspark is not None:
        job = {
            "mainPythonFileUri": files.file(run, does.pyspark),
            "pythonFileUris": list(files.modules(run, does.pyspark)),
            "args": [text(value) for value in does.args],
        }
        return {f"pyspark{suffix}": job}
    if does.spark_sql is not None:
        return {f"sparkSql{suffix}": {"queryFileUri": files.file(run, does.spark_sql)}}
    return {}


def properties(step: Step) -> dict[str, str]:
    """What `resources` and `properties` say; the latter wins."""
    assert isinstance(step.does, Dataproc)
    written = {name: text(value) for name, value in step.does.properties.items()}
    return {**spark_properties(step.resources), **written}
