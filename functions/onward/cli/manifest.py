"""What a deployment is made of, as one value: what Terraform, the image builds and the uploads read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from onward.artifacts import definition_id, file_object, modules, template_object
from onward.catalog import Catalog, Entry
from onward.core import schedules, templates
from onward.core.errors import BadTemplate
from onward.core.pipeline import Dataflow, Dataproc, Pipeline, Workflow, topics, watched
from onward.core.plan import Plan
from onward.core.problems import Finding, shown

ACCOUNTS = frozenset(["serviceAccount", "serviceAccountEmail", "service_account", "service_account_email"])
"""Keys of resources and REST bodies that say as whom a job runs."""


class Template(msgspec.Struct, frozen=True):
    """What the image of a Flex Template is built from: files below the workflows folder."""

    main: str
    requirements: str | None
    setup: str | None
    image: str | None
    """A Dockerfile of the pipeline's own."""


class Schedule(msgspec.Struct, frozen=True):
    """A job of Cloud Scheduler."""

    name: str
    cron: str
    time_zone: str
    pipeline: str


class Deployed(msgspec.Struct, frozen=True):
    """A pipeline: its plan, and what its jobs must be allowed."""

    plan: str
    projects: tuple[str, ...]
    regions: tuple[str, ...]
    service_accounts: tuple[str, ...]
    clusters: tuple[str, ...]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`deployment.json`."""

    version: int = 1
    env: Mapping[str, str]
    buckets: tuple[str, ...]
    """To be watched."""
    topics: tuple[str, ...] = ()
    """To be subscribed to: by name, or another project's by its full name."""
    schedules: tuple[Schedule, ...] = ()
    definitions: Mapping[str, str]
    """Workflows: id → source, relative to the manifest."""
    kept: tuple[str, ...] = ()
    """Those of the definitions that only runs of earlier deployments use."""
    files: Mapping[str, str]
    """Object in the code bucket → source, relative to the workflows folder."""
    templates: Mapping[str, Template]
    """Object in the code bucket, to be made → what its image is built from."""
    pipelines: Mapping[str, Deployed]

    def encode(self) -> bytes:
        """Equal manifests are equal bytes."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=2) + b"\n"


def manifest(catalog: Catalog, plans: Mapping[str, Plan], kept: Collection[str]) -> Manifest:
    """Of pipelines without problems, `findings` included. `kept` are definitions of earlier deployments."""
    entries = [catalog.pipelines[name] for name in sorted(catalog.pipelines)]
    own = {id_ for entry in entries for id_, _ in definitions(entry)}
    return Manifest(
        env=catalog.env,
        topics=_set(iter(topics(entry.pipeline for entry in entries))),
        schedules=tuple(each for entry in entries for each in _schedules(entry.pipeline)),
        buckets=tuple(watched(entry.pipeline for entry in entries)),
        definitions={id_: f"definitions/{id_}.yaml" for id_ in own.union(kept)},
        kept=_set(id_ for id_ in kept if id_ not in own),
        files=dict(each for entry in entries for each in _files(entry)),
        templates=dict(each for entry in entries for each in _templates(entry)),
        pipelines={
            entry.pipeline.name: _deployed(entry, catalog.env, plans[entry.pipeline.name])
            for entry in entries
        },
    )


def _schedules(pipeline: Pipeline) -> Iterator[Schedule]:
    for number, trigger in enumerate(pipeline.triggers):
        if (timing := schedules.timing(trigger)) is not None:
            yield Schedule(schedules.name(pipeline, number), *timing, pipeline.name)


def definitions(entry: Entry) -> Iterator[tuple[str, str]]:
    """The id and the file of each Workflows definition that a pipeline's steps run."""
    for step in entry.pipeline.with_handlers:
        if isinstance(step.does, Workflow):
            yield definition_id(entry.files, step.does.source), step.does.source


def findings(entry: Entry, env: Mapping[str, str]) -> list[Finding]:
    """What can't be deployed although it could be run: an account that is known only when a job starts."""
    found = []
    for at, account in _accounts(entry):
        try:
            templates.render_text(account, {"env": env})
        except BadTemplate:
            message = (
                f"{shown(account)} is known only when a run starts, but may be used only if granted before"
            )
            found.append(Finding(at, message, "name the account itself, or by `env`"))
    return found


def _files(entry: Entry) -> Iterator[tuple[str, str]]:
    for step in entry.pipeline.with_handlers:
        match step.does:
            case Dataproc(pyspark=str() as main):
                names = [main, *modules(entry.files, main)]
            case Dataproc(spark_sql=str() as query):
                names = [query]
            case _:
                continue
        for name in names:
            yield file_object(entry.files, name), f"{entry.folder.name}/{name}"


def _templates(entry: Entry) -> Iterator[tuple[str, Template]]:
    def own(name: str) -> str | None:
        return f"{entry.folder.name}/{name}" if name in entry.files else None

    for step in entry.pipeline.with_handlers:
        if isinstance(step.does, Dataflow) and step.does.main is not None:
            main = f"{entry.folder.name}/{step.does.main}"
            template = Template(main, own("requirements.txt"), own("setup.py"), own("Dockerfile"))
            yield template_object(entry.files, step.does.main), template


def _deployed(entry: Entry, env: Mapping[str, str], plan: Plan) -> Deployed:
    resources = [step.resources for step in entry.pipeline.with_handlers]
    return Deployed(
        plan.name,
        projects=_set(str(each["project"]) for each in resources if "project" in each),
        regions=_set(str(each["region"]) for each in resources if "region" in each),
        service_accounts=_set(templates.render_text(text, {"env": env}) for _, text in _accounts(entry)),
        clusters=_set(cluster.name for cluster in entry.pipeline.clusters),
    )


def _accounts(entry: Entry) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every account that is named in a pipeline, and where."""
    for step in entry.pipeline.with_handlers:
        yield from _named((*step.place, "resources"), step.resources)
        kind = (*step.place, step.kind)
        for key in ("launch", "job", "batch", "template"):
            yield from _named((*kind, key), getattr(step.does, key, {}))
    for cluster in entry.pipeline.clusters:
        yield from _named(("clusters", cluster.name, "cluster"), cluster.cluster)


def _named(at: tuple[str | int, ...], value: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    match value:
        case dict():
            for key, item in value.items():
                if key in ACCOUNTS and isinstance(item, str):
                    yield (*at, key), item
                else:
                    yield from _named((*at, key), item)
        case list() | tuple():
            for number, item in enumerate(value):
                yield from _named((*at, number), item)


def _set(values: Iterator[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))
