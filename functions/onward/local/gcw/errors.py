"""Errors raised inside a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onward.core.errors import UserError

if TYPE_CHECKING:
    from onward.local.gcw.values import Value


MAX_BRANCH_ERRORS = 100
"""Workflows' limit."""


class WorkflowError(UserError):
    """An error raised inside a workflow.

    `payload` is what `except` binds: the documented map {message, tags, code?, ...}, or whatever a
    `raise` step raised. `step` and `line` say where it happened; None until a step has seen it.
    """

    def __init__(self, payload: Value) -> None:
        super().__init__(payload)
        self.payload = payload
        self.step: str | None = None
        self.line: int | None = None

    @property
    def tags(self) -> tuple[str, ...]:
        tags = self.payload.get("tags") if isinstance(self.payload, dict) else None
        return tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()

    @property
    def message(self) -> str:
        """One line for people."""
        match self.payload:
            case {"message": str(text)}:
                pass
            case str(text):
                pass
            case other:
                text = repr(other)
        line = " ".join(text.split())
        clean = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        return "".join(clean)

    def __str__(self) -> str:
        return self.message


def failure(tag: str, message: str, **fields: Value) -> WorkflowError:
    """An error with a documented tag, such as KeyError; `fields` join its map."""
    tags: Value = [tag]
    return WorkflowError({"message": f"{tag}: {message}", "tags": tags, **fields})


def http_failure(code: int, message: str, **fields: Value) -> WorkflowError:
    """An HttpError, as an answer with that status raises it."""
    return failure("HttpError", f"HTTP {code}: {message}", code=code, **fields)


def unhandled_branches(failed: list[tuple[str, WorkflowError]]) -> WorkflowError:
    """What a parallel step raises when branches failed: their ids and own errors inside one."""
    branches: list[Value] = []
    for branch, error in failed[:MAX_BRANCH_ERRORS]:
        context = f"in step {error.step!r}, line {error.line}: {error.message}"
        branches.append({"id": branch, "error": {"payload": error.payload, "context": context}})
    branch, first = failed[0]
    message = (
        f"{len(failed)} failed, first {branch!r} in step {first.step!r}, line {first.line}: {first.message}"
    )
    truncated = len(failed) > MAX_BRANCH_ERRORS
    return failure("UnhandledBranchError", message, branches=branches, truncated=truncated)
