"""Whether a step begins: what is looked at before, what comes of it, and how that travels."""

from __future__ import annotations

import pytest
from onward.core.commands import Examine, Submit
from onward.core.events import CancelRun, Examined, JobState, Verdict, Wake
from onward.core.readiness import mark, outcome
from onward.core.state import (
    Cancelled,
    Failed,
    Node,
    Phase,
    RunState,
    Skipped,
    Succeeded,
    UpstreamFailed,
)
from unit.core.telling import RUN, Life, only, step

ASKED = "{{ params.asked }}"


def done(life: Life, *names: str, state: JobState = JobState.SUCCEEDED) -> None:
    for name in names:
        life.submitted(name)
        life.verdict(name, state)


def asked() -> Life:
    """a → b → c, where b has an `if`; a has succeeded."""
    life = Life(step("a"), step("b", "a", condition=ASKED), step("c", "b"))
    life.start()
    done(life, "a")
    return life


# `if` -------------------------------------------------------------------


def test_a_step_with_an_if_is_examined_before_it_begins_and_no_other_is() -> None:
    life = asked()
    assert only(Examine, life.commands) == [Examine(RUN, "b")]
    assert life.states() == {"a": "succeeded", "b": "waiting", "c": "waiting"}


def test_a_step_whose_if_is_true_begins() -> None:
    life = asked()
    assert only(Submit, life.examined("b"))
    assert life.state("b") == "submitting"


def test_a_step_whose_if_is_false_is_skipped_and_so_is_what_needs_it() -> None:
    life = asked()
    assert only(Submit, life.examined("b", wanted=False)) == []
    assert life.phase("b") == Skipped("its `if` is false")
    assert life.phase("c") == Skipped("step b was skipped", "b")
    assert life.node("b").job is None
    assert life.node("b").attempt == 0
    assert life.run.state is RunState.SUCCEEDED, "a skip is no failure"


def test_an_if_that_can_not_be_told_fails_its_step_without_an_attempt() -> None:
    life = asked()
    life.examined("b", error="there is no `rows`")
    assert life.phase("b") == Failed("there is no `rows`")
    assert life.node("b").attempt == 0
    assert life.phase("c") == UpstreamFailed("b")
    assert life.run.state is RunState.FAILED


def test_the_event_of_another_step_only_wakes_a_step_that_must_be_examined() -> None:
    life = Life(step("a"), step("b", "a", condition=ASKED))
    life.start()
    life.submitted("a")
    decision = life.hear(Verdict(RUN, "a", 1, JobState.SUCCEEDED, "job"))
    assert decision.events == (Wake(RUN, "b"),)
    assert decision.commands == ()


def test_the_first_step_may_have_an_if() -> None:
    life = Life(step("a", condition=ASKED), step("b", "a"))
    assert only(Submit, life.start()) == []
    life.examined("a", wanted=False)
    assert life.states() == {"a": "skipped", "b": "skipped"}
    assert life.run.state is RunState.SUCCEEDED


def test_what_was_seen_counts_for_nothing_when_the_run_is_being_cancelled() -> None:
    life = asked()
    life.follow(CancelRun(RUN))
    assert only(Submit, life.examined("b")) == []
    assert life.phase("b") == Cancelled()


def test_what_was_seen_of_a_step_whose_needs_have_not_ended_counts_for_nothing() -> None:
    life = Life(step("a"), step("b", "a", condition=ASKED))
    life.start()
    assert life.examined("b") == []
    assert life.state("b") == "waiting"


def test_a_repeat_of_the_skip_passes_it_on() -> None:
    life = asked()
    life.hear(Examined(RUN, "b", wanted=False))  # and crashes before c is told
    assert life.state("c") == "waiting"
    life.wake("b")
    assert life.state("c") == "skipped"


# What is there already ----------------------------------------------------


def test_a_step_whose_outputs_are_there_is_done_without_a_job_and_says_why() -> None:
    life = Life(step("a", outputs=("gs://w/a",), unless_exists="exists"), step("b", "a"))
    life.start()
    assert only(Examine, life.commands) == [Examine(RUN, "a")]
    life.examined("a", done=True)
    assert life.phase("a") == Succeeded()
    assert life.node("a").history[-1].why == "what it would make is there"
    assert life.state("b") == "submitting"


def test_an_if_comes_before_what_is_there() -> None:
    life = Life(step("a", condition=ASKED, outputs=("gs://w/a",), unless_exists="exists"))
    life.start()
    life.examined("a", wanted=False, done=True)
    assert life.state("a") == "skipped"


# Gathers ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "marked"),
    [
        (Succeeded(), "x"),
        (Succeeded(adopted="r"), "x="),
        (Failed("no"), "x!x"),
        (UpstreamFailed("y"), "x!y"),
        (Skipped("its `if` is false"), "x?x"),
        (Skipped("step y was skipped", "y"), "x?y"),
        (Cancelled(), "x!x"),
    ],
)
def test_a_mark_tells_what_a_child_came_to_and_who_began_it(phase: Phase, marked: str) -> None:
    assert mark("x", Node(phase)) == marked


@pytest.mark.parametrize(
    ("marks", "run", "came_to"),
    [
        (["a"], RUN, None),
        (["a", "b"], RUN, Succeeded()),
        (["b!c", "a"], RUN, UpstreamFailed("c")),
        (["b?c", "a"], RUN, Skipped(cause="c")),
        (["a?a", "b!b"], RUN, UpstreamFailed("b")),
        (["a=", "b="], f"{RUN}~2", Succeeded(adopted=RUN)),
        (["a=", "b"], f"{RUN}~2", Succeeded()),
    ],
)
def test_a_gather_ends_with_the_worst_of_its_children(
    marks: list[str], run: str, came_to: Phase | None
) -> None:
    assert outcome(("a", "b"), marks, run) == came_to


def test_a_skip_travels_through_a_gather_and_a_failure_outranks_it() -> None:
    steps = (step("a", condition=ASKED), step("b"), step("c", "a", "b"), step("d", "c"))
    life = Life(*steps)
    life.start()
    life.examined("a", wanted=False)
    done(life, "b")
    assert life.phase("d") == Skipped("step a was skipped", "a")
    assert life.run.state is RunState.SUCCEEDED
    life = Life(*steps)
    life.start()
    life.examined("a", wanted=False)
    done(life, "b", state=JobState.FAILED)
    assert life.phase("d") == UpstreamFailed("b")
    assert life.run.state is RunState.FAILED
