"""What the engine asks of the world: small Protocols, each with a contract suite in `tests/contract`.

Every method is synchronous. A failure that may pass is raised as `errors.Temporary`: the event is delivered
again. Nothing here is inherited from; an adapter only has to fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from onward.core.backfill import Backfill
from onward.core.commands import Announce, Change, SetTimer
from onward.core.events import Event, JobState
from onward.core.pipeline import Cluster, Step
from onward.core.state import Document, Key, Member, Node, Run, Set, Waiter


class Versioned(NamedTuple):
    """A document and the version that a write over it must name."""

    doc: Document
    version: int


class Write(NamedTuple):
    """A change and the version that was read: 0 where there was no document. A join ignores it."""

    change: Change
    version: int


class Reads(Protocol):
    """Where documents come from."""

    def read(self, keys: Iterable[Key]) -> dict[Key, Versioned]:
        """The documents that exist, in one round trip."""


class Store(Reads, Protocol):
    """Keeps the documents."""

    def commit(self, writes: Sequence[Write]) -> Mapping[Key, int]:
        """All of the writes or none; the new version of each document that was put. Raises `Conflict` if one
        is not at the version named."""

    def first(self, run: str, where: Literal["due", "active", "any"], limit: int) -> list[tuple[str, Node]]:
        """Some nodes of a run: by `due` those that have one, the earliest first; `active` those that wait for
        a slot, have a job or will, and were not told to stop; `any` all."""

    def members(
        self, of: str, where: Literal["waiting", "newest", "any"], limit: int
    ) -> list[tuple[str, Member]]:
        """Some members of a set: `waiting` those that no round has taken, the earliest first; `newest` the
        latest first, whether taken or not; `any` in no order."""

    def waiters(self, gate: str, limit: int) -> list[tuple[str, Waiter]]:
        """The first that wait for admission, in the order of their names."""

    def count(self, what: Literal["members", "waiters"], of: str, limit: int) -> int:
        """How many members of a set wait (no round has taken them), or how many wait at a gate: at most
        `limit`, counted by the store, not read."""

    def open_sets(self, limit: int) -> list[tuple[str, Set]]:
        """Sets with a `due`, the earliest first."""

    def backfills(self, limit: int, *, open_only: bool = False) -> list[tuple[str, Backfill]]:
        """Backfills, the latest first; only those that have not ended."""

    def started(self, pipeline: str, since: int, limit: int) -> int:
        """How many runs of a pipeline have begun since then, at most `limit`; counted, not read. One that
        waits for admission has not."""

    def runs(
        self,
        *,
        pipeline: str | None = None,
        open_only: bool = False,
        before: int | None = None,
        limit: int = 50,
    ) -> list[tuple[str, Run]]:
        """Runs, the latest start first; only those of a pipeline, not ended, started before a time (µs)."""


class EphemeralCluster(msgspec.Struct, frozen=True):
    """One of a pipeline's clusters in one run. Its incarnations are named `job_name(…, number, n)`."""

    run: str
    pipeline: str
    cluster: Cluster
    number: int
    """That of the plan's node which deletes it."""


class JobRequest(msgspec.Struct, frozen=True):
    """A job to submit: everything rendered, nothing left to look up."""

    name: str
    run: str
    node: str
    attempt: int
    pipeline: str
    plan: str
    step: Step
    """Its templates are rendered."""
    until: int
    """No submit call may go on after this time (µs)."""
    again: bool = False
    """A job of this name may exist already."""
    cluster: EphemeralCluster | None = None
    """Of the step: the one that it runs on, or deletes."""
    target: JobRef | None = None
    """The job that this one drains; None while it has none."""


class JobRef(msgspec.Struct, frozen=True):
    """A job that was, or may have been, submitted."""

    name: str
    run: str
    node: str
    attempt: int
    step: Step
    """As the plan has it; its templates are not rendered."""
    job: str | None = None
    """The service's own id, where it is known."""
    cluster: EphemeralCluster | None = None
    over: bool = False
    """Its step has ended: nothing of it runs any more, or ever will."""


class Accepted(msgspec.Struct, frozen=True, tag=True):
    """The service has the job, under this id of its own."""

    job: str
    rings: bool = True
    """Somebody will say when it ends. A job that was found may have ended, and its bell with it."""


class Declined(msgspec.Struct, frozen=True, tag=True):
    """The service refuses the job, and would refuse it again."""

    error: str


class Busy(msgspec.Struct, frozen=True, tag=True):
    """No room now: try again after `wait` microseconds."""

    error: str
    wait: int


Submission = Accepted | Declined | Busy


class Status(msgspec.Struct, frozen=True):
    """What one read of a job's status said."""

    state: JobState
    job: str = ""
    output: Any = None
    error: str = ""


class Owned(NamedTuple):
    """A job found by its service's own id: the derived name on its label, and how it is, if that was seen."""

    name: str
    status: Status | None = None


class Service(Protocol):
    """Runs jobs: Dataflow, Dataproc, Cloud Workflows, python, or what stands for them on a laptop."""

    def submit(self, request: JobRequest) -> Submission:
        """Submit under the request's name; a job of that name that is ours is adopted."""

    def status(self, ref: JobRef) -> Status:
        """One read; NOT_FOUND when the service knows no such job."""

    def cancel(self, ref: JobRef) -> None:
        """Tell the job to stop. A job that has ended, or never was, is none of our worry."""


class Timers(Protocol):
    """Delivers events later, at least once, under names that are used once."""

    def set(self, timers: Sequence[SetTimer]) -> None:
        """A name that was set before is left as it is."""


class Bus(Protocol):
    """Carries events to later invocations, at least once, in any order."""

    def publish(self, events: Sequence[Event]) -> None:
        """Returns when all of them are safe."""


class Listed(NamedTuple):
    """An object that is there."""

    uri: str
    generation: str
    size: int
    """Bytes."""
    updated: int = 0
    """When it was written (µs)."""
    metadata: Mapping[str, str] = {}
    """What its writer said of it."""


class Ages(NamedTuple):
    """When the content of the oldest and of the newest of some objects was written (µs)."""

    oldest: int
    newest: int


class Objects(Protocol):
    """Keeps what is too large for the state, and knows which objects exist."""

    def put(self, name: str, body: bytes) -> str:
        """Store under a name of ours; returns the URI."""

    def get(self, uri: str) -> bytes:
        """The content. Raises `NotFound`."""

    def own(self, name: str) -> bytes | None:
        """The content of what was put under a name of ours; None if nothing was."""

    def exists(self, uri: str) -> bool:
        """Whether the object, or at least one that the pattern matches, is there."""

    def ages(self, uri: str) -> Ages | None:
        """Of all that `exists` would find there; None for nothing."""

    def list(self, glob: str, limit: int) -> Sequence[Listed]:
        """The objects whose URIs the glob matches (see `core.matching`), by name, at most `limit`."""


class Announcer(Protocol):
    """Publishes facts to whoever has subscribed."""

    def announce(self, facts: Sequence[Announce]) -> None:
        """Returns when all of them are safe. One that is published again has the same id."""


class Unheard:
    """An `Announcer` without subscribers."""

    def announce(self, facts: Sequence[Announce]) -> None:
        """See `Announcer`."""


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> int:
        """Microseconds since 1970, UTC."""


Services = Mapping[str, Service]
"""By step kind: `dataflow`, `dataproc`, `workflow`, `python`, `pipeline`, `cluster`, `drain`."""
