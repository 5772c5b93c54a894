"""What must hold of each trigger: its names, patterns and times, and that it can give what a run needs."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from onward.core import matching, schedules, templates
from onward.core.definition.nodes import Node
from onward.core.definition.records import Listing
from onward.core.definition.references import Scope, check_text
from onward.core.definition.triggers import TRIGGER
from onward.core.errors import BadTemplate, UserError
from onward.core.pipeline import (
    MessageTrigger,
    ObjectTrigger,
    Param,
    Pipeline,
    PipelineTrigger,
    ScheduleTrigger,
    Trigger,
)
from onward.core.problems import Path, Report, shown

TOPIC = re.compile(r"(projects/[^/]+/topics/)?[A-Za-z][A-Za-z0-9._~+%-]{2,254}")
ENDED_RUN = ("id", "pipeline", "state")
SUCH = {"date": "{{ time.date() }}", "datetime": "{{ time }}"}
BUCKET = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


class Site(msgspec.Struct, frozen=True):
    """One trigger of a file: where it is, and what its checks need to know."""

    at: Path
    root: Node
    env: Mapping[str, str]
    params: Mapping[str, Param]
    """Those of the pipeline, by name."""
    report: Report

    def say(self, path: Path, message: str, hint: str = "") -> None:
        """`path` is relative to the trigger."""
        at = (*self.at, *path)
        self.report.say(self.root.line_at(at), at, message, hint)


def checked(pipeline: Pipeline, root: Node, env: Mapping[str, str], report: Report) -> tuple[Trigger, ...]:
    """The pipeline's triggers, with what they say of `env` rendered. Problems go to `report`."""
    params = {param.name: param for param in pipeline.params}
    sites = (Site(at, root, env, params, report) for at in places(root))
    return tuple(map(_checked, pipeline.triggers, sites))


def places(root: Node) -> Iterator[Path]:
    """Where each trigger of the file is, in the order in which they were read."""
    found = root.at(("trigger",))
    for kind, node in found.value.items() if found is not None and isinstance(found.value, dict) else ():
        if kind not in TRIGGER.fields:
            continue
        match node.value:
            case list() as items if isinstance(TRIGGER.fields[kind].shape, Listing):
                yield from (("trigger", kind, place) for place in range(len(items)))
            case str() | dict():
                yield ("trigger", kind)
            case _ if not isinstance(TRIGGER.fields[kind].shape, Listing):
                yield ("trigger", kind)


def _checked(trigger: Trigger, site: Site) -> Trigger:
    match trigger:
        case ObjectTrigger():
            return _object(trigger, site)
        case MessageTrigger():
            return _message(trigger, site)
        case ScheduleTrigger():
            return _schedule(trigger, site)
        case PipelineTrigger():
            return _ended(trigger, site)
        case _:
            return trigger


def _object(trigger: ObjectTrigger, site: Site) -> ObjectTrigger:
    for position, captured in patterns(trigger.match, "match", site):
        for name, param in site.params.items():
            if param.required and name not in captured:
                message = (
                    f"no arrival could start a run: {shown(trigger.match[position])} does not capture it"
                )
                at = ("params", name)
                site.report.say(site.root.line_at(at), at, message, "capture it or give a default")
    for _ in patterns(trigger.exclude, "exclude", site, captures=False):
        pass
    metadata = texts(trigger.metadata, "metadata", site)
    return replace(trigger, bucket=bucket(trigger.bucket, site), metadata=metadata)


def _message(trigger: MessageTrigger, site: Site) -> MessageTrigger:
    topic = rendered(trigger.topic, ("topic",), site) or ""
    if topic and (not TOPIC.fullmatch(topic) or topic.startswith("goog")):
        hint = "such as orders, or projects/PROJECT/topics/NAME"
        site.say(("topic",), f"{shown(topic)} is not a topic's name", hint)
    if trigger.params:
        given(trigger.params, {"data": None, "attributes": None}, site)
    return replace(trigger, topic=topic, filter=texts(trigger.filter, "filter", site))


def _schedule(trigger: ScheduleTrigger, site: Site) -> ScheduleTrigger:
    if trigger.cron:
        try:
            never = schedules.following(trigger.cron, "UTC", 0) is None
        except UserError as error:
            site.say(("cron",), str(error))
        else:
            if never:
                site.say(("cron",), f"{shown(trigger.cron)} never comes", "look at its day and month")
    time_zone(trigger.time_zone, site)
    given(trigger.params, {"time": None}, site)
    return trigger


def _ended(trigger: PipelineTrigger, site: Site) -> PipelineTrigger:
    if len(trigger.pipelines) > 1 and not trigger.join:
        message = "several pipelines need `join`, or nothing says which of their runs belong together"
        site.say(("pipelines",), message, "name a parameter that they share")
    if len(trigger.pipelines) == 1 and trigger.join:
        site.say(("join",), "a single pipeline's runs are joined with nothing", "remove it")
    if len(set(trigger.pipelines)) < len(trigger.pipelines):
        site.say(("pipelines",), "names a pipeline twice", "remove one")
    for name in trigger.join:
        if name not in site.params:
            hint = site.report.similar(name, site.params) or f"add `{name}: string` to params"
            site.say(("join",), f"no parameter is named {shown(name)}", hint)
    if trigger.params:
        given(trigger.params, {"params": None, "run": ENDED_RUN}, site)
    return trigger


def time_zone(name: str, site: Site) -> None:
    """Say that there is no such zone."""
    try:
        schedules.zone(name)
    except UserError as error:
        site.say(("time_zone",), str(error))


def given(values: Mapping[str, Any], names: Mapping[str, Collection[str] | None], site: Site) -> None:
    """Check that `params` of the trigger give what a run needs; its templates may name these and `env`."""
    at = (*site.at, "params")
    scope = Scope(site.env, own=names)
    node = site.root.at(at)
    for path, found, text in node.texts(at) if node is not None else ():
        check_text(text, found, path, scope, site.report)
    for name in values:
        if name not in site.params:
            hint = site.report.similar(name, site.params) or f"add `{name}: string` to params"
            site.say(("params", name), f"no parameter is named {shown(name)}", hint)
    for name, param in site.params.items():
        if param.required and name not in values:
            value = SUCH.get(param.type, "...") if "time" in names else "..."
            message = f"no run could start: the parameter {shown(name)} ({param.type}) is required"
            site.say(("params",), message, f'add `{name}: "{value}"`, or give it a default')


def patterns(
    globs: Collection[str], key: str, site: Site, *, captures: bool = True
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The place of each pattern that can be read, and the names that it captures: those of parameters."""
    for position, pattern in enumerate(globs):
        at = (key, position)
        try:
            names = matching.compile(pattern).names
        except matching.BadPattern as error:
            site.say(at, str(error))
            continue
        for name in names:
            if not captures:
                site.say(at, f"captures `{{{name}}}`, of which nothing is made", "write `*`")
            elif name not in site.params:
                hint = site.report.similar(name, site.params) or f"add `{name}: string` to params"
                site.say(at, f"captures `{{{name}}}`, but no parameter is named {shown(name)}", hint)
        yield position, names


def bucket(template: str, site: Site) -> str:
    """The bucket's name, rendered."""
    name = rendered(template, ("bucket",), site)
    if name is None:
        return template
    if not BUCKET.fullmatch(name):
        site.say(
            ("bucket",), f"{shown(name)} is not a bucket's name", "3 to 222 of a-z, 0-9, `-`, `_` and `.`"
        )
    return name


def rendered(template: str, key: Path, site: Site) -> str | None:
    """What is known before there is a run: only `env`. None, if it can't be rendered, which was said."""
    at = (*site.at, *key)
    node = site.root.at(at) or site.root.at(site.at)  # the short form of a trigger is its only text
    if not template or node is None or not check_text(template, node, at, Scope(env=site.env), site.report):
        return None
    try:
        return templates.render_text(template, {"env": site.env})
    except BadTemplate as error:
        site.say(key, str(error))
        return None


def texts(values: Mapping[str, Any], key: str, site: Site) -> dict[str, str]:
    """Attributes are text, however YAML reads what the file says of them."""
    return {
        name: (rendered(value, (key, name), site) or "") if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }
