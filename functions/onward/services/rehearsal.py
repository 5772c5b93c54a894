"""What the services would say of a pipeline, without asking them: its jobs are built as at a submit.

Building a job needs the service's client, which takes time to import; so only what has something in it that
the service's own types know better is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from msgspec.structs import replace

from onward.core.errors import Refused
from onward.core.fuses import fuses
from onward.core.naming import job_name
from onward.core.pipeline import Cluster, Dataflow, Dataproc, Pipeline, Step, StepKind
from onward.core.problems import Finding
from onward.core.templates import is_template
from onward.ports import EphemeralCluster, JobRequest
from onward.services import clusters, dataflow_launch
from onward.services.bodies import untemplated
from onward.services.clients import Clients
from onward.services.dataproc_batches import Batches
from onward.services.dataproc_jobs import ClusterJobs
from onward.services.dataproc_templates import InlineTemplates
from onward.services.resources import is_batch, is_classic, problems
from onward.services.settings import Settings

_SETTINGS = Settings("project", "region")
_RUN = "0" * 20


def findings(pipeline: Pipeline) -> Iterator[Finding]:
    """What a submit would refuse, as far as the pipeline alone says it; and fuses that are too short."""
    yield from fuses(pipeline)
    for step in pipeline.with_handlers:
        at = step.place
        for problem in problems(step):
            yield Finding(at, problem)
        if why := _refusal(partial(_build, step)):
            yield Finding((*at, step.kind), why)
    for number, cluster in enumerate(pipeline.clusters):
        if why := _refusal(partial(_cluster, cluster, number)):
            yield Finding(("clusters", cluster.name), why)


def _refusal(build: Callable[[], object]) -> str | None:
    try:
        build()
    except Refused as refused:
        return str(refused)
    return None


def _build(step: Step) -> object:
    does = step.does
    if isinstance(does, Dataflow):
        return _launch(step, does)
    if isinstance(does, Dataproc):
        return _dataproc(step, does)
    return None


def _launch(step: Step, does: Dataflow) -> object:
    if not does.launch and not step.resources:
        return dataflow_launch.parameters(does.args)
    from google.cloud import dataflow_v1beta3 as df

    if is_classic(does.launch):
        launch = untemplated(df.LaunchTemplateRequest, does.launch)
        return dataflow_launch.classic(_request(step, replace(does, launch=launch)), _SETTINGS)
    launch = untemplated(df.LaunchFlexTemplateParameter, does.launch)
    spec = "gs://spec" if does.main else ""
    return dataflow_launch.flex(_request(step, replace(does, launch=launch)), _SETTINGS, spec)


def _dataproc(step: Step, does: Dataproc) -> object:
    if not (does.job or does.batch or does.template or (is_batch(does) and step.resources)):
        return None
    from google.cloud import dataproc_v1 as dp

    clients = Clients()
    if does.template:
        does = replace(does, template=untemplated(dp.WorkflowTemplate, does.template))
        return InlineTemplates(_SETTINGS, clients).template(_request(step, does))
    if is_batch(does):
        does = replace(does, batch=untemplated(dp.Batch, does.batch))
        return Batches(_SETTINGS, _Nowhere(), clients).batch(_request(step, does))
    does = replace(does, job=untemplated(dp.Job, does.job))
    return ClusterJobs(_SETTINGS, _Nowhere(), clients).job(_request(step, does))


def _cluster(cluster: Cluster, number: int) -> object:
    if not cluster.cluster:
        return None
    from google.cloud import dataproc_v1 as dp

    known = replace(cluster, cluster=untemplated(dp.Cluster, cluster.cluster))
    return clusters.body(EphemeralCluster(_RUN, "pipeline", known, number), 1, _SETTINGS)


def _request(step: Step, does: StepKind) -> JobRequest:
    """The first attempt of a run. What a template will make of a resource is not known."""
    known = {
        name: value
        for name, value in step.resources.items()
        if not (isinstance(value, str) and is_template(value))
    }
    rendered = replace(step, does=does, resources=known)
    name = job_name(step.name, _RUN, 0, 1)
    return JobRequest(name, _RUN, step.name, 1, "pipeline", "plan", rendered, until=0)


class _Nowhere:
    """See `settings.Files`."""

    def file(self, run: str, name: str) -> str:
        return f"gs://{run}/{name}"

    def modules(self, run: str, main: str) -> Sequence[str]:
        del run, main
        return ()

    def bell(self) -> None:
        """See `settings.Files`."""
