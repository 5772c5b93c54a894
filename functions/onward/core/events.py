"""Facts that arrived. Each names its run; the transition decides what follows.

`Verdict` is what one status read said. Everything else is only a reason to look.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from onward.core.backfill import Backfill

if TYPE_CHECKING:
    from onward.core.state import Waiter  # which holds events, too


class ItemList(msgspec.Struct, frozen=True):
    """The list of a `for_each`, written once: `name` follows from its content."""

    count: int
    name: str


class StartRun(msgspec.Struct, frozen=True, tag_field="event", tag="start_run"):
    """A trigger fired. The run id comes from the trigger's facts alone, so a repeat names the same run."""

    run: str
    pipeline: str
    plan: str
    params: dict[str, Any] = {}
    trigger: dict[str, Any] = {}


class CancelRun(msgspec.Struct, frozen=True, tag_field="event", tag="cancel_run"):
    """Somebody wants the run to stop."""

    run: str


class Sweep(msgspec.Struct, frozen=True, tag_field="event", tag="sweep"):
    """Time to reach the nodes of a run: `watch` looks at what is overdue, `cancel` and `deadline` stop what
    is active. Or to look at the run itself: `limits` at how long it takes."""

    run: str
    purpose: str
    n: int = 0
    """Counts the timers of this purpose."""


class Found(msgspec.Struct, frozen=True, tag_field="event", tag="found"):
    """What a sweep's query found: node ids, at most a transition's width of them, the most overdue first."""

    run: str
    purpose: str
    n: int
    nodes: tuple[str, ...]
    next_due: int | None = None


class Wake(msgspec.Struct, frozen=True, tag_field="event", tag="wake"):
    """Look at this node and do what is due: start it, submit again, check on it, go on to the next."""

    run: str
    node: str
    echo: bool = False
    """Sent by a repeated event: a step that had its own say already does not pass it on."""
    orphaned: bool = False
    """The process that owned the node's job is known to be gone."""


class Arrive(msgspec.Struct, frozen=True, tag_field="event", tag="arrive"):
    """A child of this gather has ended (sent where the child's own commit could not reach so far)."""

    run: str
    node: str
    child: str


class Joined(msgspec.Struct, frozen=True, tag_field="event", tag="joined"):
    """A lane of this `for_each`, or of this group of lanes, has joined it: perhaps it was the last."""

    run: str
    node: str


class CancelNode(msgspec.Struct, frozen=True, tag_field="event", tag="cancel_node"):
    """Stop this node, because its run is being cancelled."""

    run: str
    node: str


class Submitted(msgspec.Struct, frozen=True, tag_field="event", tag="submitted"):
    """The service took the job."""

    run: str
    node: str
    attempt: int
    job: str


class SubmitRefused(msgspec.Struct, frozen=True, tag_field="event", tag="submit_refused"):
    """The service will never take this job."""

    run: str
    node: str
    attempt: int
    token: str
    error: str


class SubmitDelayed(msgspec.Struct, frozen=True, tag_field="event", tag="submit_delayed"):
    """The service has no room now; try again after `wait` microseconds."""

    run: str
    node: str
    attempt: int
    token: str
    error: str
    wait: int


class Examined(msgspec.Struct, frozen=True, tag_field="event", tag="examined"):
    """What was seen of a step that may begin. The first of these that applies decides."""

    run: str
    node: str
    adopt: bool = False
    """What an earlier try achieved still holds."""
    error: str = ""
    """Why it can't be said: the step is refused."""
    wanted: bool = True
    """The value of its `if`."""
    done: bool = False
    """What it would make is there (`unless_exists`)."""
    items: ItemList | None = None
    """What it runs over, by its `for_each`."""


class Bell(msgspec.Struct, frozen=True, tag_field="event", tag="bell"):
    """The job of this attempt may have ended."""

    run: str
    node: str
    attempt: int


class Room(msgspec.Struct, frozen=True, tag_field="event", tag="room"):
    """What this node's submit was told to wait for may be there now."""

    run: str
    node: str


class JobState(StrEnum):
    """What a status read can say of a job."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    """It died with the process that ran it, without a result."""
    NOT_FOUND = "not_found"


class Verdict(msgspec.Struct, frozen=True, tag_field="event", tag="verdict"):
    """What one status read said."""

    run: str
    node: str
    attempt: int
    state: JobState
    job: str = ""
    output: Any = None
    output_uri: str | None = None
    error: str = ""
    belled: bool = True
    """The read followed a bell, not a due check."""
    read: bool = True
    """False: the service said it by itself, unasked."""
    orphaned: bool = False
    lost: int | None = None
    """How often the attempt's job had been lost when it was asked about: a job may have followed since."""


class RunEnded(msgspec.Struct, frozen=True, tag_field="event", tag="run_ended"):
    """A run has ended: it may start others. Decided by what is deployed, see `Engine.follow`."""

    run: str
    pipeline: str
    state: str
    params: dict[str, Any] = {}
    trigger: dict[str, Any] = {}


class Announced(msgspec.Struct, frozen=True, tag_field="event", tag="announced"):
    """The publisher has this announcement of a run, or of a node of it."""

    run: str
    node: str | None
    kind: str
    attempt: int = 0


class Admitted(msgspec.Struct, frozen=True, tag_field="event", tag="admitted"):
    """This gate let the run in, or this node of it. Believed only if the gate says so."""

    run: str
    node: str | None
    gate: str


class TurnedAway(msgspec.Struct, frozen=True, tag_field="event", tag="turned_away"):
    """There was no room for this run, and it does not wait for any."""

    run: str
    gate: str


class Arrived(msgspec.Struct, frozen=True, tag_field="event", tag="arrived"):
    """A fact that belongs to a set: one of its members."""

    set: str
    member: str
    pipeline: str
    plan: str
    trigger: int
    """Which of the pipeline's triggers it is for."""
    key: dict[str, str] = {}
    part: str = ""
    facts: dict[str, Any] = {}


class SetRang(msgspec.Struct, frozen=True, tag_field="event", tag="set_rang"):
    """Look at this set: it may be complete, or its time may have come."""

    set: str
    round: int = 0
    done: int = 0
    """How far the members of this round, which is being closed, are dealt with."""


class MembersFound(msgspec.Struct, frozen=True, tag_field="event", tag="members_found"):
    """What a look at a set's members found. Its round was read before them."""

    set: str
    round: int
    waiting: int
    """How many no round has taken, as far as it was asked to count."""
    timed: bool = False
    """Whether the times were asked for."""
    rung: bool = False
    """Because the set rang, not because somebody arrived."""
    earliest: int | None = None
    """When the first of those that wait was heard of (µs)."""
    newest: int | None = None
    """When the latest of all was heard of (µs)."""


class Frozen(msgspec.Struct, frozen=True, tag_field="event", tag="frozen"):
    """The members of a round are written down; or, without a `manifest`, they are not complete yet."""

    set: str
    round: int
    marked: str | None = None
    """The set's, when its members were looked up."""
    manifest: str = ""
    content: str = ""
    facts: dict[str, Any] = {}
    """What templates may know of them as `trigger`."""
    given: dict[str, Any] = {}
    """The values for parameters in which they agree."""
    problem: str = ""
    """Why they can't ever be complete as they are."""


class ManifestRead(msgspec.Struct, frozen=True, tag_field="event", tag="manifest_read"):
    """The next members of a round that is being closed: at most a transition's width of them."""

    set: str
    round: int
    members: tuple[str, ...]
    done: int
    """How far the manifest is dealt with after these."""
    total: int


class MembersSwept(msgspec.Struct, frozen=True, tag_field="event", tag="members_swept"):
    """Some members of a set that has expired."""

    set: str
    members: tuple[str, ...]
    more: bool


class Grant(msgspec.Struct, frozen=True, tag_field="event", tag="grant"):
    """Look at this gate: somebody may have come, or left."""

    gate: str
    by: str = ""
    """What came or left. A repeat of the grant tells those again that this one let in."""
    net: bool = False
    """Somebody has waited for long: see whether those who are in are still there."""


class WaitersFound(msgspec.Struct, frozen=True, tag_field="event", tag="waiters_found"):
    """Who waits at a gate: at most a grant's width of them, by their places."""

    gate: str
    by: str
    net: bool
    grants: int
    """How often the gate had let somebody in when they were looked for."""
    waiters: tuple[tuple[str, Waiter], ...]
    started: int = 0
    """Of a gate for runs: how many have started in the last hour, as far as that matters."""


class HoldersGone(msgspec.Struct, frozen=True, tag_field="event", tag="holders_gone"):
    """These have ended, or are not there any more, and are still in."""

    gate: str
    holders: tuple[str, ...]


class SetPaused(msgspec.Struct, frozen=True, tag_field="event", tag="set_paused"):
    """Somebody, at `at` (µs), wants the pipeline's next runs to wait, or to go on."""

    pipeline: str
    paused: bool
    at: int


class BeginBackfill(msgspec.Struct, frozen=True, tag_field="event", tag="begin_backfill"):
    """Somebody wants a backfill: this one, with nothing of it begun."""

    backfill: str
    doc: Backfill


class LookAtBackfill(msgspec.Struct, frozen=True, tag_field="event", tag="look_at_backfill"):
    """A run of this backfill may have ended: start what comes next."""

    backfill: str


class StopBackfill(msgspec.Struct, frozen=True, tag_field="event", tag="stop_backfill"):
    """Start no more of it. `running`: and cancel what is under way, too."""

    backfill: str
    running: bool = False


class PartitionsListed(msgspec.Struct, frozen=True, tag_field="event", tag="partitions_listed"):
    """The list of a backfill's partitions is written under this hash; or it can't be made."""

    backfill: str
    list: str = ""
    total: int = 0
    error: str | None = None


class PartitionsJudged(msgspec.Struct, frozen=True, tag_field="event", tag="partitions_judged"):
    """How the next partitions of a backfill are, from `next` up to `upto`, and how its open runs are."""

    backfill: str
    next: int
    upto: int
    starts: tuple[tuple[int, StartRun], ...] = ()
    """What has to run, and which partition that is; in order."""
    ended: dict[str, bool] = {}
    """Of the open runs those that have ended, or are somebody else's: whether they failed."""
    lost: tuple[StartRun, ...] = ()
    """The starts of open runs that are not there."""
    waiting: tuple[str, ...] = ()
    """Open runs that wait for admission."""
    running: tuple[str, ...] = ()


RunEvent = StartRun | CancelRun | Sweep | Found | TurnedAway
SetEvent = Arrived | SetRang | MembersFound | Frozen | ManifestRead | MembersSwept
GateEvent = Grant | WaitersFound | HoldersGone | SetPaused
BackfillEvent = BeginBackfill | LookAtBackfill | StopBackfill | PartitionsListed | PartitionsJudged
NodeEvent = (
    Wake
    | Arrive
    | Joined
    | CancelNode
    | Submitted
    | SubmitRefused
    | SubmitDelayed
    | Examined
    | Room
    | Bell
    | Verdict
)
OfRun = RunEvent | NodeEvent | Admitted | Announced
"""What `transition` decides."""
Event = OfRun | RunEnded | SetEvent | GateEvent | BackfillEvent
