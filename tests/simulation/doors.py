"""The ports of a world: each call goes through `World.call`, where things go wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from onward.core.commands import Announce
from onward.core.state import Backfill, Key, Member, Node, NodeKey, Run, RunKey, Set, Waiter
from onward.ports import Ages, Listed, Versioned, Write

if TYPE_CHECKING:
    from simulation.world import World


class StoreDoor:
    """The store, seen from a process; every commit is watched."""

    def __init__(self, world: World) -> None:
        self.world = world

    def read(self, keys: Iterable[Key]) -> dict[Key, Versioned]:
        """See `ports.Store`."""
        wanted = list(keys)
        return self.world.read(lambda: self.world.store.read(wanted))

    def commit(self, writes: Sequence[Write]) -> Mapping[Key, int]:
        """See `ports.Store`."""
        store = self.world.store
        keys: dict[Key, None] = dict.fromkeys(change.key for change, _ in writes)
        keys |= dict.fromkeys(RunKey(key.run) for key in list(keys) if isinstance(key, NodeKey))

        def do() -> Mapping[Key, int]:
            before = store.read(keys)
            versions = store.commit(writes)
            self.world.watcher.committed(before, store.read(keys))
            return versions

        return self.world.call(do, lost_answers=self.world.remote_store)

    def first(self, run: str, where: Literal["due", "active", "any"], limit: int) -> list[tuple[str, Node]]:
        """See `ports.Store`."""
        return self.world.read(lambda: self.world.store.first(run, where, limit))

    def members(
        self, of: str, where: Literal["waiting", "newest", "any"], limit: int
    ) -> list[tuple[str, Member]]:
        """See `ports.Store`."""
        return self.world.read(lambda: self.world.store.members(of, where, limit))

    def waiters(self, gate: str, limit: int) -> list[tuple[str, Waiter]]:
        """See `ports.Store`."""
        return self.world.read(lambda: self.world.store.waiters(gate, limit))

    def count(self, what: Literal["members", "waiters"], of: str, limit: int) -> int:
        """See `ports.Store`."""
        return self.world.read(lambda: self.world.store.count(what, of, limit))

    def open_sets(self, limit: int) -> list[tuple[str, Set]]:
        """See `ports.Store`."""
        return self.world.read(lambda: self.world.store.open_sets(limit))

    def started(self, pipeline: str, since: int, limit: int) -> int:
        """See `ports.Store`."""
        return self.world.read(lambda: self.world.store.started(pipeline, since, limit))

    def backfills(self, limit: int, *, open_only: bool = False) -> list[tuple[str, Backfill]]:
        """See `ports.Store`."""
        return self.world.read(lambda: self.world.store.backfills(limit, open_only=open_only))

    def runs(self, **which: Any) -> list[tuple[str, Run]]:
        """See `ports.Store`."""
        return self.world.read(lambda: self.world.store.runs(**which))


class Announcer:
    """Those who listen: what they hear is watched."""

    def __init__(self, world: World) -> None:
        self.world = world

    def announce(self, facts: Sequence[Announce]) -> None:
        """See `ports.Announcer`."""
        self.world.call(lambda: self.world.watcher.announced(facts))


class Objects:
    """Outputs are there until the world takes some away."""

    def __init__(self, world: World) -> None:
        self.world = world

    def put(self, name: str, body: bytes) -> str:
        """See `ports.Objects`."""
        return self.world.call(lambda: self.world.keep(name, body))

    def get(self, uri: str) -> bytes:
        """See `ports.Objects`."""
        return self.world.call(lambda: self.world.objects[uri])

    def own(self, name: str) -> bytes | None:
        """See `ports.Objects`."""
        return self.world.call(lambda: self.world.objects.get(f"gs://state/{name}"))

    def exists(self, uri: str) -> bool:
        """See `ports.Objects`."""
        world = self.world
        return world.call(lambda: bool(uri) and world.rng.random() >= world.faults.gone_output)

    def ages(self, uri: str) -> Ages | None:
        """See `ports.Objects`."""
        at = self.world.time - 1
        return Ages(at, at) if self.exists(uri) else None

    def list(self, glob: str, limit: int) -> Sequence[Listed]:
        """See `ports.Objects`."""
        return self.world.call(lambda: self.world.listed(glob)[:limit])
