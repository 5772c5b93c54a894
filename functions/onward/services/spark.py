"""What Dataproc's jobs and batches have in common: the short forms, and Spark's properties."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from onward.core.pipeline import Dataproc, Step
from onward.ports import JobRequest
from onward.services.resources import spark_properties, text
from onward.services.settings import Files


def short_form(request: JobRequest, suffix: str, files: Files) -> dict[str, Any]:
    """The REST body that `pyspark` or `spark_sql` stands for (`suffix`: Job or Batch); else nothing."""
    does, run = request.step.does, request.run
    assert isinstance(does, Dataproc)
    if does.pyspark is not None:
        main, modules = files.file(run, does.pyspark), list(files.modules(run, does.pyspark))
        args = [text(value) for value in does.args]
        if bell := files.bell():
            modules, args = [main, *modules], [bell.topic, request.name, PurePosixPath(main).name, *args]
            main = bell.program
        return {f"pyspark{suffix}": {"mainPythonFileUri": main, "pythonFileUris": modules, "args": args}}
    if does.spark_sql is not None:
        return {f"sparkSql{suffix}": {"queryFileUri": files.file(run, does.spark_sql)}}
    return {}


def properties(step: Step) -> dict[str, str]:
    """What `resources` and `properties` say; the latter wins."""
    assert isinstance(step.does, Dataproc)
    written = {name: text(value) for name, value in step.does.properties.items()}
    return {**spark_properties(step.resources), **written}
