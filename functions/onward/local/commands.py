"""The command line that runs a step's job on this machine.

`gs://bucket/…` in arguments becomes the bucket's folder; what the service would make of `resources` becomes
the local runner's own options.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from onward.core.errors import Refused
from onward.core.pipeline import Dataflow, Dataproc, DeleteCluster, Drain, Python, SubRun, Workflow
from onward.local.buckets import Buckets
from onward.local.java import java_home
from onward.local.jobs.model import Spec
from onward.ports import JobRequest

ARGS = "args.json"
OUTPUT = "output.json"

_MANIFEST = re.compile(r"onward:sets/[0-9a-f]+/[0-9a-f]+\.json")
"""The list of a set's members: a file of ours."""
_SPARK_RESOURCES = {
    "driver_memory": "spark.driver.memory",
    "executor_memory": "spark.executor.memory",
    "driver_cores": "spark.driver.cores",
    "executor_cores": "spark.executor.cores",
}
_BEAM_RESOURCES = {
    "max_workers": "max_num_workers",
    "workers": "num_workers",
}


class Commands:
    """Builds the command of a job, in the folder that is the job's own."""

    def __init__(self, buckets: Buckets, objects: Path | None = None) -> None:
        self._buckets = buckets
        self._objects = objects
        self._root = f"{buckets.root}{os.sep}"

    def build(self, request: JobRequest, files: Path, folder: Path) -> Spec:
        """What to run. `files` holds the pipeline's files. Raises `Refused` for what can't run here."""
        match request.step.does:
            case Dataflow() as does:
                argv, env = self._beam(does, request, files), {}
            case Dataproc() as does:
                argv, env = self._spark(does, request, files), _spark_env()
            case Workflow() as does:
                argv, env = self._workflow(does, files, folder), {}
            case Python() | SubRun() | DeleteCluster() | Drain():
                raise AssertionError(f"a step of kind {request.step.kind} runs no process")
        names = {
            "ONWARD_RUN": request.run,
            "ONWARD_STEP": request.node,
            "ONWARD_ATTEMPT": str(request.attempt),
        }
        return Spec(tuple(argv), str(folder), {**env, **names})

    def localised(self, value: Any) -> Any:
        """The value with every gs:// URI as a path, whose parent folder exists: buckets have no folders."""
        match value:
            case str() if self._objects is not None and _MANIFEST.fullmatch(value):
                return str(self._objects / value.removeprefix("onward:"))
            case str() if "gs://" in value:
                if value.startswith("gs://") and "/" in value.removeprefix("gs://"):
                    self._buckets.make_parents(value)
                return self._buckets.localise(value)
            case dict():
                return {key: self.localised(item) for key, item in value.items()}
            case list() | tuple():
                return [self.localised(item) for item in value]
            case _:
                return value

    def globalised(self, value: Any) -> Any:
        """The value with every path in a bucket's folder as its gs:// URI: what a step returns is for all."""
        match value:
            case str() if value.startswith(self._root):
                return "gs://" + value[len(self._root) :]
            case dict():
                return {key: self.globalised(item) for key, item in value.items()}
            case list():
                return [self.globalised(item) for item in value]
            case _:
                return value

    def _beam(self, does: Dataflow, request: JobRequest, files: Path) -> list[str]:
        if does.main is None:
            raise Refused(
                "an existing Dataflow template runs only in the cloud: locally, `main` names a Beam file"
            )
        if does.until is not None or does.detached:
            raise Refused("a streaming job runs only in the cloud: locally, nothing would end or drain it")
        resources = request.step.resources
        workers = int(resources.get("max_workers", resources.get("workers", 1)))
        argv = [sys.executable, str(files / does.main), "--runner=DirectRunner"]
        if workers > 1:
            argv += [
                "--direct_running_mode=multi_threading",
                f"--direct_num_workers={min(workers, os.cpu_count() or 1)}",
            ]
        argv += _options({_BEAM_RESOURCES.get(name, name): value for name, value in resources.items()})
        return argv + _options(self.localised(does.args))

    def _spark(self, does: Dataproc, request: JobRequest, files: Path) -> list[str]:
        job, kind = _spark_job(does, files)
        properties = {**does.properties, **job.get("properties", {})}
        for name, value in request.step.resources.items():
            if name in _SPARK_RESOURCES or name.startswith("spark."):
                properties[_SPARK_RESOURCES.get(name, name)] = value
        argv = [_tool("spark-sql" if kind == "sparkSqlJob" else "spark-submit"), "--master", "local[*]"]
        settings = {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.log.level": "WARN",
            **properties,
        }
        for name, value in settings.items():
            argv += ["--conf", f"{name}={_text(value)}"]
        for option, field in (
            ("--jars", "jarFileUris"),
            ("--py-files", "pythonFileUris"),
            ("--files", "fileUris"),
        ):
            if job.get(field):
                argv += [option, ",".join(self.localised(job[field]))]
        args = [_text(value) for value in self.localised([*job.get("args", ()), *does.args])]
        match kind:
            case "pysparkJob":
                return [*argv, self.localised(job["mainPythonFileUri"]), *args]
            case "sparkJob":
                if "mainClass" in job:
                    argv += ["--class", job["mainClass"]]
                jars = job.get("jarFileUris", [""])
                return [*argv, self.localised(job.get("mainJarFileUri", jars[0])), *args]
            case _:
                for name, value in job.get("scriptVariables", {}).items():
                    argv += ["--hivevar", f"{name}={_text(self.localised(value))}"]
                if "queryFileUri" in job:
                    return [*argv, "-f", self.localised(job["queryFileUri"]), *args]
                return [*argv, "-e", ";\n".join(job["queryList"]["queries"]), *args]

    def _workflow(self, does: Workflow, files: Path, folder: Path) -> list[str]:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ARGS).write_bytes(msgspec.json.encode(does.args))
        return [
            *(sys.executable, "-m", "onward.local.gcw", str(files / does.source)),
            *("--args-file", str(folder / ARGS), "--result-file", str(folder / OUTPUT)),
            *("--buckets", str(self._buckets.root)),
        ]


def _spark_job(does: Dataproc, files: Path) -> tuple[Mapping[str, Any], str]:
    """The job in the service's own words, and which kind it is."""
    if does.pyspark is not None:
        return {"mainPythonFileUri": str(files / does.pyspark)}, "pysparkJob"
    if does.spark_sql is not None:
        return {"queryFileUri": str(files / does.spark_sql)}, "sparkSqlJob"
    if does.batch:
        raise Refused(
            "a serverless batch in REST form runs only in the cloud: use `pyspark`, `spark_sql` or `job`"
        )
    for kind in ("pysparkJob", "sparkJob", "sparkSqlJob"):
        if kind in does.job:
            return does.job[kind], kind
    known = next((name for name in does.job if name.endswith("Job")), "this kind of job")
    raise Refused(f"{known} runs only in the cloud: local Spark runs pysparkJob, sparkJob and sparkSqlJob")


def _tool(name: str) -> str:
    import pyspark

    return str(Path(pyspark.__file__).parent / "bin" / name)


def _spark_env() -> dict[str, str]:
    return {
        "JAVA_HOME": java_home(),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }


def _options(values: Mapping[str, Any]) -> list[str]:
    """`--name=value` for each; a list repeats it, true is the bare option, false and null are left out."""
    options = []
    for name, value in values.items():
        for item in value if isinstance(value, list) else [value]:
            if item is True:
                options.append(f"--{name}")
            elif item is not False and item is not None:
                options.append(f"--{name}={_text(item)}")
    return options


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
