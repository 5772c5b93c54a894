"""What an error of a Google API means for a submit.

wait         RESOURCE_EXHAUSTED, and what names a quota under another code: no room now
unknown      UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL, ABORTED and their like: the job may exist or not
for good     everything else: the same request would fail the same way
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from onward.core.errors import Unavailable
from onward.core.pipeline import MINUTE
from onward.ports import Busy, Declined

if TYPE_CHECKING:
    from google.api_core.exceptions import GoogleAPICallError

WAIT = MINUTE
"""How long a submit waits for room; the engine spreads it."""
LONGEST = 1_000
"""Characters of a service's message that are kept."""

# UNAUTHENTICATED is a token that expired in between, or a clock that is off; a wrong account is denied.
_UNKNOWN = frozenset(
    [
        "ABORTED",
        "CANCELLED",
        "DATA_LOSS",
        "DEADLINE_EXCEEDED",
        "INTERNAL",
        "UNAUTHENTICATED",
        "UNAVAILABLE",
        "UNKNOWN",
    ]
)
# Dataproc refuses what Compute Engine has no quota for as INVALID_ARGUMENT: "Insufficient 'CPUS' quota".
_QUOTA = re.compile(r"insufficient '[^']*' quota|quota error|quota.{0,40}exceeded|exceed.{0,40}quota", re.I)
_TOO_LARGE = re.compile(r"larger than max|too large", re.I)
_ADVICE = {
    "PERMISSION_DENIED": "grant the service account of the functions what the message names",
    "NOT_FOUND": "check that it exists, in this project and region",
    "INVALID_ARGUMENT": "mend the step",
    "OUT_OF_RANGE": "mend the step",
    "UNIMPLEMENTED": "choose a region that has it",
}


def submission(title: str, error: GoogleAPICallError) -> Declined | Busy:
    """The answer to a submit that failed. Raises `Unavailable` when nobody knows whether there is a job."""
    code, message = code_of(error), said(error)
    if code in _UNKNOWN:
        raise Unavailable(f"{title} did not answer the submit: {message}") from error
    if code == "RESOURCE_EXHAUSTED" and not _TOO_LARGE.search(message):
        return Busy(f"{title} has no room: {message}", WAIT)
    if code in {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "PERMISSION_DENIED"} and _QUOTA.search(message):
        return Busy(f"{title} has no room: {message}", WAIT)
    advice = _ADVICE.get(code, "")
    return Declined(f"{title} refused the job: {message}" + (f"; {advice}" if advice else ""))


def code_of(error: GoogleAPICallError) -> str:
    """The name of the gRPC code, `UNKNOWN` where there is none."""
    code = error.grpc_status_code
    return str(code.name) if code is not None else "UNKNOWN"


def said(error: GoogleAPICallError) -> str:
    """The service's own words and the code, on one line."""
    words = " ".join(str(error.message).split())[:LONGEST] or "no reason given"
    return f"{words} ({code_of(error)})"
