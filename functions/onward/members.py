"""What a decision about a set asks for: looking its members up, writing them down, telling of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from onward.core import manifests
from onward.core.commands import FindMembers, Freeze, OfSet, ReadManifest, SweepMembers, TellOfSet
from onward.core.errors import UserError
from onward.core.events import Event, Frozen, ManifestRead, MembersFound, MembersSwept, SetRang
from onward.core.manifests import MARK, MOST_OBJECTS, Manifest, SetTrigger
from onward.core.pipeline import AbsentTrigger, BatchTrigger, ObjectsTrigger, PipelineTrigger
from onward.core.problems import shown
from onward.core.sets import CHUNK, is_marked, set_trigger
from onward.core.state import Member, MemberKey, Set, SetKey
from onward.overlay import Known
from onward.plans import Plans
from onward.ports import Objects, Store

Tell = Callable[[TellOfSet], None]
_ALL = 2 * MOST_OBJECTS
"""Members of a set that are read: room for an earlier generation of each object."""


class Members:
    """Carries out the commands of sets; each answers with an event."""

    def __init__(self, store: Store, plans: Plans, objects: Objects) -> None:
        self._store = store
        self._plans = plans
        self._objects = objects

    def carry_out(self, command: OfSet, known: Known | None, tell: Tell) -> Sequence[Event]:
        """What came of it."""
        match command:
            case FindMembers():
                return self._find(command, known)
            case Freeze():
                return self._freeze(command, known)
            case ReadManifest():
                return (self._read(command),)
            case SweepMembers(set=name):
                found = self._store.members(name, "any", CHUNK)
                return (MembersSwept(name, tuple(member for member, _ in found), len(found) == CHUNK),)
            case TellOfSet():
                tell(command)
                told = command.what == "absent"
                return (SetRang(command.set, command.round, done=1),) if told else ()

    def _set(self, name: str, known: Known | None) -> Set | None:
        found = (known or self._store).read([SetKey(name)]).get(SetKey(name))
        return found.doc if found is not None and isinstance(found.doc, Set) else None

    def _find(self, command: FindMembers, known: Known | None) -> Sequence[Event]:
        name = command.set
        if known is not None:
            # What it was before the commit that this look follows says nothing.
            known.forget(SetKey(name))
        doc = self._set(name, known)
        if doc is None:
            return (command.after,) if command.after is not None else ()
        store, earliest, newest = self._store, None, None
        waiting = store.count("members", name, command.enough) if command.enough else 0
        if command.timed:
            earliest = next((member.at for _, member in store.members(name, "waiting", 1)), None)
            newest = next((member.at for _, member in store.members(name, "newest", 1)), None)
        return (MembersFound(name, doc.round, waiting, command.timed, command.rung, earliest, newest),)

    def _read(self, command: ReadManifest) -> ManifestRead:
        take = manifests.decode(self._objects.get(command.manifest)).take
        done = command.done + CHUNK
        return ManifestRead(
            command.set, command.round, take[command.done : done], min(done, len(take)), len(take)
        )

    # Writing down what a round consists of --------------------------------

    def _freeze(self, command: Freeze, known: Known | None) -> Sequence[Event]:
        doc = self._set(command.set, known)
        plan = self._plans.get(doc.plan) if doc is not None else None
        if doc is None or plan is None or doc.closing is not None or doc.round != command.round:
            return ()
        trigger = set_trigger(plan, SetRang(command.set), doc)
        if trigger is None or (doc.marked is None and is_marked(trigger)):
            return ()
        incomplete = Frozen(command.set, doc.round, doc.marked)
        try:
            manifest = self._manifest(command.set, doc, trigger)
        except UserError as error:
            return (Frozen(command.set, doc.round, doc.marked, problem=str(error)),)
        if manifest is None:
            return (incomplete,)
        body = manifests.encode(manifest)
        uri = self._objects.put(f"sets/{command.set}/{manifests.digest(body)}.json", body)
        kind = str(trigger.__struct_config__.tag)
        facts = manifests.facts(kind, command.set, doc, manifest, uri)
        given = manifests.agreed(doc, manifest)
        if isinstance(trigger, AbsentTrigger):
            mark = self._mark(command.set, doc)
            facts |= {"time": mark.facts.get("time")}
            given = {"on_absent": mark.facts.get("on_absent")}
        return (Frozen(command.set, doc.round, doc.marked, uri, manifests.content(manifest), facts, given),)

    def _manifest(self, name: str, doc: Set, trigger: SetTrigger) -> Manifest | None:
        """The members of the set's round; None: they are not complete. Raises `UserError`."""
        store = self._store
        match trigger:
            case BatchTrigger(count=count):
                return manifests.of_members(store.members(name, "waiting", count), {"": True})
            case PipelineTrigger(pipelines=pipelines):
                return manifests.of_members(store.members(name, "any", _ALL), dict.fromkeys(pipelines, False))
            case AbsentTrigger():
                return self._awaited(name, doc, trigger)
            case ObjectsTrigger() if is_marked(trigger):
                return self._listed(name, doc, trigger)
            case ObjectsTrigger(count=count):
                members = store.members(name, "any", _ALL)
                found = manifests.of_members(members, manifests.lists(trigger))
                if len(members) == _ALL or len(found.objects) > MOST_OBJECTS:
                    raise UserError(f"more than {MOST_OBJECTS:,} objects have come; a set holds no more")
                return None if count is not None and len(found.objects) < count else found

    def _awaited(self, name: str, doc: Set, trigger: AbsentTrigger) -> Manifest:
        """What has come of it by now: told, or there."""
        told = self._store.members(name, "any", 2)
        objects = [{"part": "", **member.facts} for _, member in told if member.part != MARK]
        for pattern in trigger.match if not objects else ():
            there = self._objects.list(f"gs://{trigger.bucket}/{manifests.glob(pattern, doc.key)}", 1)
            objects += [{"part": "", "uri": each.uri} for each in there]
        return Manifest(tuple(objects))

    def _listed(self, name: str, doc: Set, trigger: ObjectsTrigger) -> Manifest | None:
        """What is in the bucket: events do not come in order, but what they tell of is there."""
        take = tuple(member for member, _ in self._store.members(name, "waiting", _ALL))
        wanted = self._wanted(name, doc, trigger) if trigger.manifest is not None else None
        objects = {}
        for part in trigger.parts:
            uri = f"gs://{trigger.bucket}/{manifests.glob(part.match, doc.key)}"
            found = self._objects.list(uri, MOST_OBJECTS + 1)
            if len(found) > MOST_OBJECTS:
                raise UserError(f"more than {MOST_OBJECTS:,} objects are there; a set holds no more")
            for each in found:
                object_name = each.uri.removeprefix(f"gs://{trigger.bucket}/")
                which = manifests.part_of(trigger, object_name)
                if which is None or any(which[1].get(key) != doc.key.get(key) for key in trigger.by):
                    continue
                if wanted is None or object_name in wanted:
                    objects[which[0], object_name] = {
                        "part": which[0],
                        "uri": each.uri,
                        "name": object_name,
                        "generation": each.generation,
                        "size": each.size,
                        "captures": which[1],
                    }
        if wanted is not None:
            self._check(wanted, trigger)
            if len(objects) < len(wanted):
                return None
        return Manifest(tuple(objects[key] for key in sorted(objects)), take, manifests.lists(trigger))

    def _wanted(self, name: str, doc: Set, trigger: ObjectsTrigger) -> frozenset[str]:
        uri = str(self._mark(name, doc).facts.get("uri"))
        try:
            return frozenset(manifests.listed_names(self._objects.get(uri), trigger.bucket))
        except UserError as error:
            raise UserError(f"{shown(uri)} does not say what the set consists of: {error}") from None

    @staticmethod
    def _check(wanted: frozenset[str], trigger: ObjectsTrigger) -> None:
        strange = [name for name in sorted(wanted) if manifests.part_of(trigger, name) is None]
        for name in islice(strange, 1):
            raise UserError(f"the manifest lists {shown(name)}, which no part of the set matches")

    def _mark(self, name: str, doc: Set) -> Member:
        key = MemberKey(name, doc.marked or "")
        found = self._store.read([key]).get(key)
        return found.doc if found is not None and isinstance(found.doc, Member) else Member(0)
