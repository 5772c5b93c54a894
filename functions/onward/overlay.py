"""The documents as they will be after the changes decided so far, and the writes that make them so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from onward.core.commands import Change, Delete, Join, Leave, Put, adjusted
from onward.core.pipeline import SECOND
from onward.core.state import Document, Gate, GateKey, Key, PipelineKey, Run, RunKey
from onward.ports import Reads, Store, Versioned, Write

FRESH = 10 * SECOND
"""Well below the margin by which a cancel's last sweep outlasts the longest submit."""
_ABSENT = 0


class Known:
    """The documents that the handling of one event has read or written: it reads none twice.

    A commit checks the version of what a decision rests on, so what is known may have grown old. Only the
    run's own state is not checked: that it may be a little old is part of how long a cancel sweeps.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[Key, Versioned | None] = {}
        self._since = 0

    def read(self, keys: Iterable[Key]) -> dict[Key, Versioned]:
        """See `Reads`."""
        wanted = list(keys)
        missing = [key for key in wanted if key not in self._found]
        if missing:
            found = self._store.read(missing)
            self._found.update((key, found.get(key)) for key in missing)
        return {key: versioned for key in wanted if (versioned := self._found[key]) is not None}

    def wrote(self, writes: Sequence[Write], versions: Mapping[Key, int]) -> None:
        """What a commit made of them. What was joined or left is read again, and so is all that lets others
        in: whoever wrote that he waits must not rest on what was there before.
        """
        for key in [key for key in self._found if writes and isinstance(key, GateKey | PipelineKey)]:
            del self._found[key]
        for change, _ in writes:
            if isinstance(change.key, GateKey | PipelineKey):
                continue
            if isinstance(change, Put) and change.key in versions:
                self._found[change.key] = Versioned(change.doc, versions[change.key])
            else:
                self._found.pop(change.key, None)

    def not_before(self, now: int) -> None:
        """Know nothing that was read longer than `FRESH` before now."""
        if now - self._since > FRESH:
            self.forget()
            self._since = now

    def forget(self, *keys: Key) -> None:
        """Know nothing of these; without any, nothing at all."""
        for key in keys:
            self._found.pop(key, None)
        if not keys:
            self._found.clear()


class Overlay:
    """A group's view of the store. A document is read once; its version then guards the write."""

    def __init__(self, store: Reads) -> None:
        self._store = store
        self._versions: dict[Key, int] = {}
        self._docs: dict[Key, Document | None] = {}
        self._changes: dict[Key, Change] = {}
        self._before: dict[Key, Run | Gate] = {}

    def read(self, keys: Iterable[Key]) -> dict[Key, Document | None]:
        """The documents as decided so far; None for one that does not exist."""
        docs = self._docs
        missing = [key for key in keys if key not in docs]
        if missing:
            self._load(missing)
        return {key: docs[key] for key in keys}

    def _load(self, keys: list[Key]) -> None:
        found = self._store.read(keys)
        for key in keys:
            versioned = found.get(key)
            self._versions[key] = versioned.version if versioned is not None else _ABSENT
            doc = versioned.doc if versioned is not None else None
            if isinstance(doc, Run | Gate):
                self._before[key] = doc
            change = self._changes.get(key)
            self._docs[key] = adjusted(doc, change) if isinstance(change, Join | Leave) else doc

    def apply(self, changes: Iterable[Change]) -> None:
        """Take these changes in: later reads see them, and `writes` will hold them."""
        for change in changes:
            key = change.key
            match change:
                case Put(doc=doc):
                    self._docs[key] = doc
                    self._changes[key] = change
                case Delete():
                    self._docs[key] = None
                    self._changes[key] = change
                case Join() | Leave():
                    self._adjust(change)

    def _adjust(self, change: Join | Leave) -> None:
        key = change.key
        if key in self._docs:
            self._docs[key] = adjusted(self._docs[key], change)
        match self._changes.get(key):
            case Put() | Delete():
                # It is decided what the document will be: this is part of that.
                doc = self._docs[key]
                self._changes[key] = Delete(key) if doc is None else Put(key, doc)
            case Join(members=before) | Leave(members=before):
                members = (*before, *(name for name in change.members if name not in before))
                self._changes[key] = replace(change, members=members)
            case None:
                self._changes[key] = change

    def runs(self) -> Iterator[tuple[Run | None, str, Run]]:
        """The runs that change: as they were, their ids, as they will be."""
        for change in self._changes.values():
            match change:
                case Put(key=RunKey(run=run) as key, doc=Run() as doc):
                    before = self._before.get(key)
                    yield before if isinstance(before, Run) else None, run, doc

    def crowded(self) -> Iterator[str]:
        """The gates whose waiters begin to wait for a time at which to look again."""
        for change in self._changes.values():
            match change:
                case Put(key=GateKey(gate=gate) as key, doc=Gate(look=look)) if look:
                    before = self._before.get(key)
                    if not (isinstance(before, Gate) and before.look):
                        yield gate

    def writes(self) -> list[Write]:
        """What to commit."""
        versions = self._versions
        return [Write(change, versions.get(key, _ABSENT)) for key, change in self._changes.items()]
