"""A local interpreter of Google Cloud Workflows definitions.

`load` checks a definition as a whole: what it lacks is refused by name before anything runs. `run`
executes it over an `Io`, so that nothing here but `world` touches the network, the disk or the clock.
"""

from onward.local.gcw.definition import Definition
from onward.local.gcw.errors import WorkflowError
from onward.local.gcw.interpreter import run
from onward.local.gcw.loader import load
from onward.local.gcw.ports import HttpRequest, HttpResponse, Io, Objects, StoredObject
from onward.local.gcw.values import Value

__all__ = [
    "Definition",
    "HttpRequest",
    "HttpResponse",
    "Io",
    "Objects",
    "StoredObject",
    "Value",
    "WorkflowError",
    "load",
    "run",
]
