"""What must hold of each trigger: its names, patterns and times, and that it can give what a run needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from onward.core import matching, templates
from onward.core.definition.nodes import Node
from onward.core.definition.records import Listing
from onward.core.definition.references import Scope, check_text
from onward.core.definition.triggers import TRIGGER
from onward.core.errors import BadTemplate
from onward.core.pipeline import ObjectTrigger, Param, Pipeline, Trigger
from onward.core.problems import Path, Report, shown

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
    metadata = texts(trigger.metadata)
    return replace(trigger, bucket=bucket(trigger.bucket, site), metadata=metadata)


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
    name = rendered(template, "bucket", site)
    if name is None:
        return template
    if not BUCKET.fullmatch(name):
        site.say(
            ("bucket",), f"{shown(name)} is not a bucket's name", "3 to 222 of a-z, 0-9, `-`, `_` and `.`"
        )
    return name


def rendered(template: str, key: str, site: Site) -> str | None:
    """What is known before there is a run: only `env`. None, if it can't be rendered, which was said."""
    at = (*site.at, key)
    node = site.root.at(at)
    if not template or node is None or not check_text(template, node, at, Scope(env=site.env), site.report):
        return None
    try:
        return templates.render_text(template, {"env": site.env})
    except BadTemplate as error:
        site.say((key,), str(error))
        return None


def texts(values: Mapping[str, object]) -> dict[str, str]:
    """Attributes are text, however YAML reads what the file says of them."""
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in values.items()
    }
