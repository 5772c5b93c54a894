"""Sets under everything that may go wrong: each complete one has its run, and no member is lost or twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest
from msgspec.structs import replace
from onward.core import sets
from onward.core.commands import FindMembers
from onward.core.events import Arrived, Frozen, ManifestRead

from simulation.invariants import Violation
from simulation.sets import TRIGGERS, tell


@pytest.mark.parametrize("kind", TRIGGERS)
def test_each_complete_set_has_its_run_whatever_goes_wrong(kind: str) -> None:
    for seed in range(12):
        tell(seed, kind)


Break = Callable[[], AbstractContextManager[object]]


def _blind() -> AbstractContextManager[object]:
    """Whoever has closed a round does not look again."""

    def taken(draft: Any, event: Any) -> None:
        original(draft, event)
        draft.commands[:] = [each for each in draft.commands if not isinstance(each, FindMembers)]

    original = sets._RULES[ManifestRead]
    return patch.dict(sets._RULES, {ManifestRead: taken})


def _any_round() -> AbstractContextManager[object]:
    """A manifest of an earlier round closes this one."""

    def frozen(draft: Any, event: Any) -> None:
        doc = draft.set
        original(draft, event if doc is None else replace(event, round=doc.round))

    original = sets._RULES[Frozen]
    return patch.dict(sets._RULES, {Frozen: frozen})


def _forgetful() -> AbstractContextManager[object]:
    """A repeat does not go on with what a crash left."""
    return patch.object(sets, "_carry_on", lambda *_: None)


def _timeless() -> AbstractContextManager[object]:
    """No timer is set before a set is opened."""

    def arrived(draft: Any, event: Any) -> None:
        original(draft, event)
        draft.prepare.clear()

    original = sets._RULES[Arrived]
    return patch.dict(sets._RULES, {Arrived: arrived})


def _untaken() -> AbstractContextManager[object]:
    """Only the first members of a round are taken."""

    def taken(draft: Any, event: Any) -> None:
        original(draft, replace(event, done=event.total))

    original = sets._RULES[ManifestRead]
    return patch.dict(sets._RULES, {ManifestRead: taken})


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (_blind, "batch"),
        (_any_round, "batch"),
        (_forgetful, "parts"),
        (_timeless, "batch"),
        (_untaken, "batch of 40"),
    ],
)
def test_the_stories_would_notice_that(broken: Break, kind: str) -> None:
    with broken(), pytest.raises(Violation):
        _tell_many(kind)


def _tell_many(kind: str) -> None:
    for seed in range(200):
        tell(seed, kind)
