"""What a round of a set consists of, as it is written down when the round is closed, and what its run sees.

    {"objects": [{"part", "uri", "name", "generation", "size", "captures"}, …],   what the run is for
     "take": ["id", …], …}                                                        members that are dealt with

The newest generation of each object counts. The text is the same for the same members: its hash names it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from onward.core import matching
from onward.core.errors import UserError
from onward.core.pipeline import AbsentTrigger, BatchTrigger, ObjectsTrigger, PipelineTrigger
from onward.core.problems import shown
from onward.core.state import Member, Set

SetTrigger = ObjectsTrigger | BatchTrigger | AbsentTrigger | PipelineTrigger
MARK = "~mark"
"""The part of a member that says that the round is complete: a marker, a manifest, a time of day."""
MOST_OBJECTS = 10_000
"""What one set may hold."""
LARGEST_LIST = 1024 * 1024
"""Bytes of an object that lists the others."""
LARGEST_INLINE = 16 * 1024
"""Bytes of JSON: a longer list of URIs is not kept in the run's document, but read from the manifest."""
LAZY = ("uris", "parts")
"""Facts that a run's document may lack, see `LARGEST_INLINE`."""


class Manifest(msgspec.Struct, frozen=True):
    """The members of a round: `objects` are their facts, `take` the ids of all that it deals with."""

    objects: tuple[dict[str, Any], ...] = ()
    take: tuple[str, ...] = ()
    lists: dict[str, bool] = {}
    """Of each part: whether several objects may be it, so that templates see a list."""


def encode(manifest: Manifest) -> bytes:
    """As it is stored."""
    return msgspec.json.encode(manifest, order="deterministic")


def decode(body: bytes) -> Manifest:
    """What `encode` wrote."""
    return msgspec.json.decode(body, type=Manifest)


def digest(body: bytes) -> str:
    """What names the content."""
    return hashlib.sha256(body).hexdigest()[:32]


def content(manifest: Manifest) -> str:
    """A hash of what the run is for, whoever tells it and however often."""
    return digest(msgspec.json.encode(manifest.objects, order="deterministic"))


def of_members(members: Iterable[tuple[str, Member]], lists: Mapping[str, bool]) -> Manifest:
    """The newest of each name, in the order of parts and names; all that wait are dealt with."""
    newest: dict[tuple[str, str], Member] = {}
    take = []
    for name, member in members:
        if member.taken is None:
            take.append(name)
        which = (member.part, str(member.facts.get("name", name)))
        known = newest.get(which)
        if known is None or _age(member) > _age(known):
            newest[which] = member
    objects = tuple({"part": part, **newest[part, name].facts} for part, name in sorted(newest))
    return Manifest(objects, tuple(take), dict(lists))


def _age(member: Member) -> tuple[int, int, str]:
    """Cloud Storage's generations grow; a laptop's do not, so there the later arrival is the newer."""
    generation = str(member.facts.get("generation", ""))
    return (int(generation) if generation.isdecimal() else 0, member.at, generation)


def facts(kind: str, name: str, doc: Set, manifest: Manifest, uri: str) -> dict[str, Any]:
    """What templates may know of a round's members as `trigger`, as far as the run's document keeps it."""
    seen = summary(manifest)
    if len(msgspec.json.encode(seen)) > LARGEST_INLINE:
        seen = {}
    hops = max((each.get("hops", 0) for each in manifest.objects), default=0)
    return {
        **doc.key,
        "on": kind,
        "set": name,
        "round": doc.round,
        "manifest": uri,
        "count": len(manifest.objects),
        "bytes": sum(each.get("size", 0) for each in manifest.objects),
        **seen,
        **({"hops": hops} if hops else {}),
    }


def summary(manifest: Manifest) -> dict[str, Any]:
    """`uris`, and `parts`: by name of the part its URI, or a list of them. Of runs, their ids."""
    parts: dict[str, Any] = {part: [] if many else None for part, many in manifest.lists.items()}
    for each in manifest.objects:
        told = each.get("uri", each.get("run"))
        if isinstance(parts.get(each["part"]), list):
            parts[each["part"]].append(told)
        else:
            parts[each["part"]] = told
    return {"uris": [each["uri"] for each in manifest.objects if "uri" in each], "parts": parts}


def agreed(doc: Set, manifest: Manifest) -> dict[str, Any]:
    """What the members say of parameters without contradicting each other."""
    said: dict[str, list[Any]] = {}
    for each in manifest.objects:
        for name, value in each.get("captures", {}).items():
            values = said.setdefault(name, [])
            if value not in values:
                values.append(value)
    return {**{name: values[0] for name, values in said.items() if len(values) == 1}, **doc.key}


# Parts, by their patterns ---------------------------------------------------


def lists(trigger: ObjectsTrigger) -> dict[str, bool]:
    """Of each part: whether objects of several names may be it in one set."""
    return {part.name: _is_open(part.match, trigger.by) for part in trigger.parts}


def _is_open(pattern: str, by: Sequence[str]) -> bool:
    rest = matching.CAPTURE.sub(lambda found: "" if found[1] in by else "*", pattern)
    return matching.SPECIAL.search(rest) is not None


def glob(pattern: str, key: Mapping[str, str]) -> str:
    """A glob without captures, for all names of the pattern that agree with `key`, perhaps some more."""

    def plain(found: re.Match[str]) -> str:
        value = key.get(found[1]) if found.lastindex and found[1] else None
        return matching.SPECIAL.sub("?", value) if value is not None else "*"

    return matching.CLASS.sub("?", matching.CAPTURE.sub(plain, pattern))


def part_of(trigger: ObjectsTrigger, name: str) -> tuple[str, dict[str, str]] | None:
    """Which part the object of that name is, and what is captured from it."""
    if matching.first(trigger.exclude, name) is not None:
        return None
    for part in trigger.parts:
        captured = matching.compile(part.match).match(name)
        if captured is not None:
            return part.name, captured
    return None


def listed_names(body: bytes, bucket: str) -> tuple[str, ...]:
    """The names that an object lists: as a JSON list, or line by line. Raises UserError."""
    if len(body) > LARGEST_LIST:
        raise UserError(f"it has more than {LARGEST_LIST:,} bytes")
    try:
        text = body.decode().strip()
    except UnicodeDecodeError:
        raise UserError("it is not UTF-8 text") from None
    lines: Any = text.splitlines()
    if text.startswith("["):
        try:
            lines = msgspec.json.decode(text)
        except (msgspec.MsgspecError, RecursionError):
            raise UserError("it is not the JSON list that it begins as") from None
    if not all(isinstance(line, str) for line in lines):
        raise UserError("its JSON list holds something that is not text")
    found = dict.fromkeys(_name(line.strip(), bucket) for line in lines if line.strip())
    if not found:
        raise UserError("it lists no objects")
    if len(found) > MOST_OBJECTS:
        raise UserError(f"it lists {len(found):,} objects; at most {MOST_OBJECTS:,} are allowed")
    return tuple(found)


def _name(line: str, bucket: str) -> str:
    if not line.startswith("gs://"):
        return line
    if not line.startswith(f"gs://{bucket}/"):
        raise UserError(f"it lists {shown(line)}, which is not in bucket {bucket}")
    return line.removeprefix(f"gs://{bucket}/")
