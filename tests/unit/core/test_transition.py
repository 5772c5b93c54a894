"""Every pair of state and event is in the table, or changes nothing."""

from __future__ import annotations

from typing import get_args

import pytest
from msgspec.structs import replace
from onward.core.commands import Decision
from onward.core.events import (
    Arrive,
    Bell,
    CancelNode,
    CancelRun,
    Event,
    Examined,
    Found,
    ItemList,
    JobState,
    Joined,
    NodeEvent,
    Room,
    StartRun,
    SubmitDelayed,
    SubmitRefused,
    Submitted,
    Sweep,
    Verdict,
    Wake,
)
from onward.core.pipeline import SECOND
from onward.core.plan import END
from onward.core.state import (
    Backoff,
    Cancelled,
    Cancelling,
    Failed,
    Mapped,
    Node,
    Phase,
    Queued,
    Running,
    RunState,
    Skipped,
    Submitting,
    Succeeded,
    UpstreamFailed,
    Waiting,
)
from onward.core.transition import STEP_RULES
from unit.core.telling import NOON, RUN, Life, step

LATER = NOON + 3600 * SECOND

PHASES: tuple[Phase, ...] = (
    Waiting(),
    Queued("pool:db", NOON, LATER),
    Submitting("t", LATER, NOON),
    Running("job", NOON, LATER),
    Backoff(LATER, 2, "it said no", NOON),
    Cancelling(LATER, LATER, False, NOON, "job"),
    Mapped(NOON, LATER),
    Succeeded(),
    Failed("it said no"),
    UpstreamFailed("x"),
    Skipped("its `if` is false"),
    Cancelled(),
)
EVENTS: tuple[NodeEvent, ...] = (
    Wake(RUN, "b"),
    Arrive(RUN, "b", "a"),
    Joined(RUN, "b"),
    CancelNode(RUN, "b"),
    Submitted(RUN, "b", 1, "job"),
    SubmitRefused(RUN, "b", 1, "t", "no"),
    SubmitDelayed(RUN, "b", 1, "t", "quota", SECOND),
    Examined(RUN, "b"),
    Room(RUN, "b"),
    Bell(RUN, "b", 1),
    Verdict(RUN, "b", 1, JobState.SUCCEEDED, "job"),
)

TABLE = """
                wake arrive cancel_node submitted submit_refused submit_delayed examined room bell verdict admitted joined
waiting         yes  -      -           -         -              -              yes      -    -    -       -        -
queued          yes  -      yes         -         -              -              -        -    -    -       yes      -
submitting      yes  -      yes         yes       yes            yes            -        -    yes  yes     yes      -
running         yes  -      yes         -         -              -              -        -    yes  yes     -        -
retrying        yes  -      yes         yes       -              -              -        yes  yes  yes     -        -
cancelling      yes  -      yes         yes       yes            -              -        -    yes  yes     -        -
mapping         yes  -      -           -         -              -              -        -    -    -       -        yes
succeeded       yes  -      yes         yes       yes            -              -        -    yes  yes     yes      yes
failed          yes  -      yes         yes       yes            -              -        -    yes  yes     yes      yes
upstream_failed yes  -      yes         yes       yes            -              -        -    yes  yes     yes      yes
skipped         yes  -      yes         yes       yes            -              -        -    yes  yes     yes      yes
cancelled       yes  -      yes         yes       yes            -              -        -    yes  yes     yes      yes
"""  # noqa: E501


def tag(thing: object) -> str:
    return str(thing.__struct_config__.tag)  # type: ignore[attr-defined]


def in_the_table() -> set[tuple[str, str]]:
    header, *lines = TABLE.strip("\n").splitlines()
    rows = [line.split() for line in lines]
    columns = header.split()
    return {(row[0], columns[n]) for row in rows for n, cell in enumerate(row[1:]) if cell == "yes"}


def in_phase(phase: Phase) -> Life:
    """`b` of a → b → c is in this phase; `a` has not ended, so that nothing moves by itself."""
    life = Life(step("a"), step("b", "a"), step("c", "b"))
    life.put_run()
    life.put("b", Node(phase, attempt=1, items=ItemList(3, "lists/x")))
    return life


def pairs() -> list[tuple[Phase, NodeEvent]]:
    return [(phase, event) for phase in PHASES for event in EVENTS]


def named(value: object) -> str:
    return tag(value)


def test_the_table_is_the_one_written_here() -> None:
    rules = {(tag(phase), tag(event)) for phase, event in STEP_RULES}
    assert rules == in_the_table()


def test_every_phase_and_event_is_in_these_tests() -> None:
    assert {type(phase) for phase in PHASES} == set(get_args(Phase))
    assert {type(event) for event in EVENTS} == set(get_args(NodeEvent))


@pytest.mark.parametrize(("phase", "event"), pairs(), ids=named)
def test_a_pair_that_is_not_in_the_table_changes_nothing(phase: Phase, event: NodeEvent) -> None:
    if (tag(phase), tag(event)) not in in_the_table():
        assert in_phase(phase).would(event) == Decision()


@pytest.mark.parametrize(("phase", "event"), [pair for pair in pairs() if pair[0].ended], ids=named)
def test_nothing_changes_what_has_ended(phase: Phase, event: NodeEvent) -> None:
    life = in_phase(phase)
    life.hear(event)
    assert life.phase("b") == phase


@pytest.mark.parametrize(("phase", "event"), pairs(), ids=named)
def test_an_event_of_a_run_that_does_not_exist_changes_nothing(phase: Phase, event: NodeEvent) -> None:
    life = in_phase(phase)
    life.docs.pop(next(iter(life.docs)))
    assert life.would(event) == Decision()


@pytest.mark.parametrize(("phase", "event"), pairs(), ids=named)
@pytest.mark.parametrize("state", [state for state in RunState if state.ended])
def test_after_the_run_only_a_late_submit_is_heard_and_its_job_stopped(
    phase: Phase, event: NodeEvent, state: RunState
) -> None:
    life = in_phase(phase)
    life.put_run(state, ended=NOON)
    decision = life.would(event)
    if phase.ended:
        assert decision.changes == ()
    if not isinstance(event, Submitted):
        assert decision == Decision()


@pytest.mark.parametrize("event", [event for event in EVENTS if hasattr(event, "attempt")], ids=named)
@pytest.mark.parametrize("phase", PHASES[1:], ids=named)
def test_what_is_said_of_another_attempt_changes_no_state(phase: Phase, event: NodeEvent) -> None:
    life = in_phase(phase)
    life.put("b", Node(phase, attempt=2))
    assert life.would(event).changes == ()


@pytest.mark.parametrize("event", EVENTS, ids=named)
@pytest.mark.parametrize("name", ["~gather1", END, "nobody", "", "../..", "b\n"])
def test_an_event_for_a_helper_or_for_nobody_is_refused(event: NodeEvent, name: str) -> None:
    life = Life(step("a"), step("b"), step("c", "a", "b"))
    life.put_run()
    assert life.would(replace(event, node=name)).changes == () or (tag(event), name) == ("arrive", "~gather1")


@pytest.mark.parametrize(
    "event",
    [
        CancelRun(RUN),
        Sweep(RUN, "watch", 3),
        Sweep(RUN, "cancel", 3),
        Found(RUN, "watch", 1, ("b",)),
        Found(RUN, "cancel", 1, ("b",)),
        Found(RUN, "expire", 1, ("b",)),
    ],
    ids=named,
)
def test_what_is_told_to_a_run_that_does_not_exist_changes_nothing(event: Event) -> None:
    assert Life(step("a")).would(event) == Decision()


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.CANCELLING])
def test_only_an_ended_run_is_removed(state: RunState) -> None:
    life = in_phase(Succeeded())
    life.put_run(state)
    assert life.would(Found(RUN, "expire", 1, ("b",))) == Decision()


@pytest.mark.parametrize("state", [state for state in RunState if state.ended])
@pytest.mark.parametrize(
    "event", [CancelRun(RUN), StartRun(RUN, "tale", "plan"), Found(RUN, "cancel", 1, ("b",))]
)
def test_an_ended_run_neither_starts_nor_is_cancelled(state: RunState, event: Event) -> None:
    life = in_phase(Succeeded())
    life.put_run(state, ended=NOON)
    decision = life.would(event)
    assert decision.changes == ()
    assert decision.commands == ()


def test_the_same_arguments_give_the_same_decision() -> None:
    for phase, event in pairs():
        assert in_phase(phase).would(event) == in_phase(phase).would(event)
