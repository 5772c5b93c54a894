"""What goes into a worker process and what comes out of it."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Call(msgspec.Struct, frozen=True, gc=False):
    """One call of a function that a user wrote."""

    id: str  #: the attempt's job name; unique among the calls under way
    folder: str  #: absolute path of the folder that holds the file; the file may import its siblings
    target: str  #: `file.py:function`
    args: bytes  #: the keyword arguments, a JSON object
    log: str  #: where what it prints goes; on a laptop the path of a file


class Returned(msgspec.Struct, frozen=True, gc=False):
    """The function returned."""

    id: str
    output: bytes  #: the value, as JSON


class Raised(msgspec.Struct, frozen=True, gc=False):
    """The function raised, could not be loaded, or returned what JSON cannot hold."""

    id: str
    error: str  #: `type: message`; the traceback is in the log


class Died(msgspec.Struct, frozen=True, gc=False):
    """The call was lost with its process, or cancelled."""

    id: str
    how: str  #: `killed by signal 9`, `exited with code 3`, `cancelled before it started`


Outcome: TypeAlias = Returned | Raised | Died
