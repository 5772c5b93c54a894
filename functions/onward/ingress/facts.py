"""What a request can turn out to be: facts, nothing for us, or poison."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Literal

import msgspec

from onward.core.commands import SetTimer
from onward.core.errors import BadEvent
from onward.core.events import Event
from onward.core.facts import ByHand, Message, StopsBackfill, Tick, WantsBackfill
from onward.core.matching import ObjectArrival
from onward.core.naming import JobName
from onward.ingress.envelope import Request


class ObjectFinalized(msgspec.Struct, frozen=True):
    """An object's generation became final at that time (µs)."""

    object: ObjectArrival
    updated: int


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Do this to a run."""

    command: Literal["cancel", "retry"]
    run: str
    newest_plan: bool = False


class Switch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Have a pipeline's next runs wait, or go on."""

    command: Literal["pause", "resume"]
    pipeline: str
    at: int = 0
    """When it was given (µs); what the message itself says of that is not taken."""


class Doorbell(msgspec.Struct, frozen=True):
    """A service says that something of its own may have ended: where to look, never what became of it."""

    service: Literal["dataflow", "dataproc", "workflows", "onward"]
    kind: Literal["job", "batch", "cluster", "template", "execution"]
    project: str
    region: str
    id: str
    """A name (job, batch, cluster), or the id of an execution, a Dataflow job or a template's operation."""
    owner: JobName | None = None
    """Whose it is, where a derived name says so."""
    parent: str = ""
    """The workflow of an execution."""
    begins: bool = False
    """It may have begun, not ended: for jobs that are handed over then."""


class Told(msgspec.Struct, frozen=True):
    """What one invocation told another."""

    event: Event


class Rang(msgspec.Struct, frozen=True):
    """A timer of ours."""

    timer: SetTimer


Fact = (
    ObjectFinalized
    | WantsBackfill
    | StopsBackfill
    | ByHand
    | Message
    | Tick
    | Command
    | Switch
    | Doorbell
    | Told
    | Rang
)


class Facts(msgspec.Struct, frozen=True):
    """To act on."""

    facts: tuple[Fact, ...]


class Ignored(msgspec.Struct, frozen=True):
    """Nothing for us: acknowledge and count."""

    reason: str


class Poison(msgspec.Struct, frozen=True):
    """Not what it should be, and never will be: dead letter."""

    reason: str


Result = Facts | Ignored | Poison
NOT_OURS = "not ours: its name is none that we give"
Parser = Callable[[Request], Result]


def parser(parse: Parser) -> Parser:
    """A parser for which a bad event is an answer."""

    @wraps(parse)
    def parsed(request: Request) -> Result:
        try:
            return parse(request)
        except BadEvent as error:
            return Poison(str(error))

    return parsed
