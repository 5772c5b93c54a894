"""A request comes in: parse it, act on it, answer, and write one line about each thing that came of it.

handled, ignored    204
delayed             204: a submit waits for room, or for a service that did not answer; a timer is set
failed              204: a service refused a job for good, or a job failed
poison              204, once it is published to the dead-letter topic with its reason
again               500: whoever sent it delivers it again. Not 503, for which Cloud Tasks would slow down
                    the whole queue; and never 202, which Pub/Sub takes for a failure
crashed             500, with the stack
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from onward.core.commands import SetTimer
from onward.core.errors import Temporary, UserError
from onward.core.events import Event, JobState, SubmitDelayed, SubmitRefused, Verdict
from onward.core.naming import JobName
from onward.engine import Engine
from onward.ingress.envelope import Request, letter
from onward.ingress.facts import Doorbell, Fact, Facts, Ignored, Parser, Poison, Rang, Told
from onward.intake import Intake, Outcome
from onward.ports import Clock

DONE, AGAIN = 204, 500
LONGEST_REASON = 4_000
"""Characters of a reason in a log line."""
SEVERITY = {
    "handled": "INFO",
    "ignored": "INFO",
    "delayed": "WARNING",
    "failed": "ERROR",
    "poison": "ERROR",
    "again": "WARNING",
    "crashed": "ERROR",
}
_NAMES = {"run": "run", "pipeline": "pipeline", "node": "step", "attempt": "attempt", "backfill": "backfill"}
Log = Callable[[Mapping[str, Any]], None]


class DeadLetters(Protocol):
    """Keeps what could not be dealt with."""

    def bury(self, door: str, reason: str, data: bytes, attributes: Mapping[str, str]) -> None:
        """Returns when it is safe."""


class Receiver:
    """What every entry point does with a request. `door` is the entry point's name."""

    def __init__(
        self, intake: Intake, engine: Engine, dead_letters: DeadLetters, clock: Clock, log: Log
    ) -> None:
        self._intake = intake
        self._engine = engine
        self._dead_letters = dead_letters
        self._clock = clock
        self._log = log

    def receive(self, door: str, parse: Parser, headers: Mapping[str, str], body: bytes) -> int:
        """The status to answer with."""
        lower = {name.lower(): value for name, value in headers.items()}
        request = Request(lower, body, self._clock.now())
        # The trouble of one thing in a request keeps none of the others from being done.
        statuses = [self._settle(door, request, *found) for found in self._outcomes(parse, request)]
        return max(statuses, default=DONE)

    def _outcomes(self, parse: Parser, request: Request) -> Iterator[tuple[Fact | None, Outcome | Exception]]:
        fact = None
        try:
            match parse(request):
                case Facts(facts=facts):
                    for fact in facts:
                        for outcome in self._intake.outcomes(fact):
                            yield fact, outcome
                case Ignored() | Poison() as nothing:
                    yield None, nothing
        except Exception as error:
            yield fact, error

    def _settle(self, door: str, request: Request, fact: Fact | None, outcome: Outcome | Exception) -> int:
        began, stack = self._clock.now(), {}
        try:
            what, reason = self._act(door, request, outcome)
        except Temporary as error:
            what, reason = "again", str(error)
        except Exception as error:
            what, reason = "crashed", f"{type(error).__name__}: {error}"
            stack = {"stack_trace": traceback.format_exc()}
        self._log(
            {
                "severity": SEVERITY[what],
                "message": f"{door}: {what}" + (f": {reason[:LONGEST_REASON]}" if reason else ""),
                "door": door,
                "outcome": what,
                **_about(fact, outcome),
                "milliseconds": (self._clock.now() - began) // 1000,
                **stack,
            }
        )
        return AGAIN if what in ("again", "crashed") else DONE

    def _act(self, door: str, request: Request, outcome: Outcome | Exception) -> tuple[str, str]:
        try:
            match outcome:
                case Exception():
                    raise outcome
                case Ignored(reason=reason):
                    return "ignored", reason
                case Poison(reason=reason):
                    pass
                case _:
                    return _went(self._engine.handle(outcome))
        except UserError as error:
            reason = str(error)
        data, attributes = letter(request)
        self._dead_letters.bury(door, reason, data, attributes)
        return "poison", reason


def _went(reports: Sequence[Event]) -> tuple[str, str]:
    """What should be heard of, the worst first."""
    failed, delayed = [], []
    for report in reports:
        match report:
            case SubmitRefused() | Verdict(state=JobState.FAILED):
                failed.append(f"step {report.node}: {report.error}")
            case SubmitDelayed():
                delayed.append(f"step {report.node}: {report.error}")
    if failed:
        return "failed", "; ".join(failed)
    return ("delayed", "; ".join(delayed)) if delayed else ("handled", "")


def _about(fact: Fact | None, outcome: Outcome | Exception) -> dict[str, Any]:
    """The event that came of a fact, or the fact if none did, under the names that people know."""
    about: Any = fact if isinstance(outcome, Exception | Ignored | Poison) else outcome
    match about:
        case None:
            return {}
        case Told(event=event) | Rang(timer=SetTimer(event=event)):
            about = event
        case Doorbell(owner=JobName() as owner):
            about = owner
        case _:
            pass
    told = msgspec.structs.asdict(about)
    found = {name: told[field] for field, name in _NAMES.items() if field in told}
    tag = about.__struct_config__.tag
    return found if tag is None else {"event": tag, **found}
