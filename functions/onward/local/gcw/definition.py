"""A Cloud Workflows definition as frozen, checked data. Only the loader builds these."""

from __future__ import annotations

from dataclasses import dataclass

from onward.local.gcw.expressions import Expression
from onward.local.gcw.values import Value


@dataclass(frozen=True, slots=True)
class Constant:
    value: Value


@dataclass(frozen=True, slots=True)
class Computed:
    """A value written `${...}`."""

    expression: Expression
    line: int


@dataclass(frozen=True, slots=True)
class Items:
    items: tuple[Template, ...]


@dataclass(frozen=True, slots=True)
class Entries:
    entries: tuple[tuple[str, Template], ...]


Template = Constant | Computed | Items | Entries
"""Data with expressions in it, evaluated when its step runs."""


@dataclass(frozen=True, slots=True)
class Assignment:
    variable: str
    path: tuple[Expression, ...]
    """The indices after the variable: `a.b[i]` is `a` with `"b"` and `i`."""
    value: Template


@dataclass(frozen=True, slots=True)
class Assign:
    assignments: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class CallStep:
    function: str
    """A sub-workflow, or a function of the standard library or a connector."""
    line: int
    arguments: Template
    """An `Entries` (by name), an `Items` (by position) or one expression for either."""
    result: str | None


@dataclass(frozen=True, slots=True)
class Case:
    condition: Template
    body: Step


@dataclass(frozen=True, slots=True)
class Switch:
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Each:
    """`in:` of a loop."""

    items: Template


@dataclass(frozen=True, slots=True)
class Range:
    """`range:` of a loop, both ends included."""

    bounds: Template


@dataclass(frozen=True, slots=True)
class For:
    value: str
    index: str | None
    over: Each | Range
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Branches:
    branches: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Parallel:
    shared: tuple[str, ...]
    limit: Template
    work: Branches | For


@dataclass(frozen=True, slots=True)
class Retry:
    predicate: str
    """A predicate of the standard library, or a sub-workflow of one parameter."""
    line: int
    max_retries: Template
    initial_delay: Template
    max_delay: Template
    multiplier: Template


@dataclass(frozen=True, slots=True)
class Except:
    variable: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Try:
    body: Step
    retry: Retry | None
    handler: Except | None


@dataclass(frozen=True, slots=True)
class Raise:
    error: Template


@dataclass(frozen=True, slots=True)
class Return:
    value: Template


@dataclass(frozen=True, slots=True)
class Nested:
    """`steps:`, or nothing at all beside `next`."""

    steps: tuple[Step, ...]


Action = Assign | CallStep | Switch | For | Parallel | Try | Raise | Return | Nested


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    line: int
    action: Action
    next: str | None = None
    """A step's name, `end`, `break` or `continue`; None goes on with the next step."""


@dataclass(frozen=True, slots=True)
class Param:
    name: str
    default: Template | None


@dataclass(frozen=True, slots=True)
class Workflow:
    name: str
    line: int
    params: tuple[Param, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """A whole source file: `main` and its sub-workflows, by name."""

    filename: str
    workflows: dict[str, Workflow]
