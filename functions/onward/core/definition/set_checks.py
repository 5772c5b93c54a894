"""What must hold of triggers whose runs are for a set: that members find each other, and can be complete."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec.structs import replace

from onward.core import matching, schedules
from onward.core.collecting import BY_DAY
from onward.core.definition.facts import captured
from onward.core.definition.nodes import Node
from onward.core.definition.references import Scope, check_text
from onward.core.definition.trigger_checks import Site, bucket, patterns, places, texts, time_zone
from onward.core.errors import UserError
from onward.core.pipeline import (
    AbsentTrigger,
    BatchTrigger,
    ObjectsTrigger,
    ObjectTrigger,
    Pipeline,
    Trigger,
)
from onward.core.problems import Report, listed, shown

ENDS = ("count", "marker", "manifest", "quiet")
"""What says that a set is complete."""
MAX_BY = 8


def checked(pipeline: Pipeline, root: Node, env: Mapping[str, str], report: Report) -> tuple[Trigger, ...]:
    """The pipeline's triggers, with what those of sets leave out filled in. Problems go to `report`."""
    params = {param.name: param for param in pipeline.params}
    found: list[Trigger] = []
    for trigger, at in zip(pipeline.triggers, places(root), strict=False):
        site = Site(at, root, env, params, report)
        match trigger:
            case ObjectsTrigger():
                found.append(_objects(trigger, site))
            case BatchTrigger():
                found.append(_batch(trigger, site))
            case AbsentTrigger():
                found.append(_absent(trigger, pipeline, site))
            case _:
                found.append(trigger)
    return (*found, *pipeline.triggers[len(found) :])


# Complete sets ---------------------------------------------------------------


def _objects(trigger: ObjectsTrigger, site: Site) -> ObjectsTrigger:
    own = [set(names) for names in _parts(trigger, site)]
    if len(own) < len(trigger.parts):
        return replace(trigger, bucket=bucket(trigger.bucket, site))
    common = set.intersection(*own) if own else set()
    by = trigger.by or tuple(sorted(common))
    everywhere = True
    for name in trigger.by:
        if name not in common:
            everywhere = False
            lacking = [part.name for part in trigger.parts if name not in captured(part.match)]
            site.say(
                ("by",), f"{shown(name)} is not captured by {listed(lacking)}", "capture it in each part"
            )
    if not by and len(trigger.parts) > 1 and any(own):
        message = "no capture is in all parts, so nothing says which of their objects belong together"
        site.say(("match",), message, "capture the same name in each part")
        everywhere = False
    _by(by, site)
    ends = [name for name in ENDS if getattr(trigger, name) is not None]
    if len(ends) > 1:
        site.say((ends[1],), f"has {listed(ends)}", "keep the one that says when a set is complete")
    if not ends and len(trigger.parts) == 1 and _is_wild(trigger.parts[0].match, by):
        message = "nothing says when a set of it is complete"
        site.say(("match",), message, f"add one of {listed(ENDS)}, or name its parts")
    for name in ("marker", "manifest"):
        glob = getattr(trigger, name)
        if glob is not None and everywhere:
            _mark(name, glob, by, trigger, site)
    if trigger.count and trigger.count < len(trigger.parts):
        site.say(
            ("count",),
            f"is less than the {len(trigger.parts)} parts",
            "leave it out: each part is there then",
        )
    _required(by, site)
    return replace(trigger, by=by, bucket=bucket(trigger.bucket, site))


def _parts(trigger: ObjectsTrigger, site: Site) -> list[tuple[str, ...]]:
    """What each part that can be read captures."""
    found = []
    at = site.root.at((*site.at, "match"))
    for place, part in enumerate(trigger.parts):
        value = at.value if at is not None else None
        path = ("match", place) if isinstance(value, list) else ("match", part.name)
        try:
            names = matching.compile(part.match).names
        except matching.BadPattern as error:
            site.say(path if isinstance(value, dict | list) else ("match",), str(error))
            continue
        _known(names, path if isinstance(value, dict | list) else ("match",), site)
        found.append(names)
    for _ in patterns(trigger.exclude, "exclude", site, captures=False):
        pass
    return found


def _mark(name: str, glob: str, by: Iterable[str], trigger: ObjectsTrigger, site: Site) -> None:
    """The object that says it must say of which set, and be no member of any."""
    try:
        names = matching.compile(glob).names
    except matching.BadPattern as error:
        site.say((name,), str(error))
        return
    lacking = [each for each in by if each not in names]
    strange = [each for each in names if each not in by]
    if lacking:
        site.say((name,), f"does not capture {listed(lacking)}, so it does not say of which set it is")
    for each in strange:
        site.say((name,), f"captures `{{{each}}}`, by which sets are not told apart", "write `*`")
    if any(part.match == glob for part in trigger.parts):
        site.say((name,), "is a part of the set as well", "leave it out of `match`")


def _is_wild(pattern: str, by: Collection[str]) -> bool:
    rest = matching.CAPTURE.sub(lambda found: "" if found[1] in by else "*", pattern)
    return matching.SPECIAL.search(rest) is not None


# Batches -----------------------------------------------------------------------


def _batch(trigger: BatchTrigger, site: Site) -> BatchTrigger:
    for position, names in patterns(trigger.match, "match", site):
        for name in trigger.by:
            if name not in names:
                site.say(("by",), f"{shown(name)} is not captured by {shown(trigger.match[position])}")
    for _ in patterns(trigger.exclude, "exclude", site, captures=False):
        pass
    _by(trigger.by, site)
    _required(trigger.by, site)
    metadata = texts(trigger.metadata, "metadata", site)
    return replace(trigger, bucket=bucket(trigger.bucket, site), metadata=metadata)


def _by(names: Collection[str], site: Site) -> None:
    if len(names) > MAX_BY:
        site.say(("by",), f"has {len(names)} names", f"at most {MAX_BY} are allowed")


def _known(names: Iterable[str], path: tuple[str | int, ...], site: Site) -> None:
    for name in names:
        if name not in site.params:
            hint = site.report.similar(name, site.params) or f"add `{name}: string` to params"
            site.say(path, f"captures `{{{name}}}`, but no parameter is named {shown(name)}", hint)


def _required(by: Collection[str], site: Site) -> None:
    """Only in `by` do the objects of a set surely agree."""
    for name, param in site.params.items():
        if param.required and name not in by:
            kind = str(site.at[-1])
            at = ("params", name)
            message = f"no {kind} could start a run: its objects need not agree in it"
            line = site.root.line_at(at)
            site.report.say(
                line, at, message, f"capture it and name it in `by` of `{kind}`, or give a default"
            )


# What is absent ------------------------------------------------------------------


def _absent(trigger: AbsentTrigger, pipeline: Pipeline, site: Site) -> AbsentTrigger:
    given = trigger.params or BY_DAY
    own = next((each for each in pipeline.triggers if isinstance(each, ObjectTrigger)), None)
    if own is None and not (trigger.bucket and trigger.match):
        missing = "match" if trigger.bucket else "bucket"
        site.say((), f"`{missing}` is missing", "the pipeline has no object trigger to take it from")
    name = bucket(trigger.bucket, site) if trigger.bucket else own.bucket if own is not None else ""
    globs = trigger.match or (own.match if own is not None else ())
    own_path = bool(trigger.match)
    for position, glob in enumerate(globs):
        try:
            names = matching.compile(glob).names
        except matching.BadPattern as error:
            if own_path:
                site.say(("match", position), str(error))
            continue
        for each in given:
            if each not in names:
                message = (
                    f"{shown(glob)} does not capture `{{{each}}}`, so it does not say of which day it is"
                )
                hint = "capture it, or name another capture in `params`"
                site.say(("match", position) if own_path else (), message, hint)
    time_zone(trigger.time_zone, site)
    if trigger.at:
        try:
            schedules.following(f"0 0 * * {trigger.days}", "UTC", 0)
        except UserError:
            hint = "such as mon-fri, or 1,3,5"
            site.say(("days",), f"{shown(trigger.days)} are no days of the week", hint)
    at = (*site.at, "params")
    if found := site.root.at(at):
        for path, node, text in found.texts(at):
            check_text(text, node, path, Scope(env=site.env, params=("time",)), site.report)
    return replace(trigger, bucket=name, match=globs)
