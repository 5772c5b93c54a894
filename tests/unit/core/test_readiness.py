"""Whether a step begins: what is looked at before, what comes of it, and how that travels."""

from __future__ import annotations

import pytest
from onward.core.commands import Examine, Submit
from onward.core.events import CancelNode, CancelRun, Examined, JobState, Verdict, Wake
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


# `when` -------------------------------------------------------------------

WELL, FAILED, PASSED = JobState.SUCCEEDED, JobState.FAILED, None
"""What a step that others need comes to: the last one is skipped."""


def after(when: str, *came_to: JobState | None) -> Life:
    """`z` by its `when` after steps that came to this."""
    names = "abc"[: len(came_to)]
    conditions = [ASKED if state is None else None for state in came_to]
    needed = [step(name, condition=one) for name, one in zip(names, conditions, strict=True)]
    life = Life(*needed, step("z", *names, when=when))
    life.start()
    for name, state in zip(names, came_to, strict=True):
        if state is None:
            life.examined(name, wanted=False)
        else:
            done(life, name, state=state)
    return life


@pytest.mark.parametrize(
    ("came_to", "success", "failure", "all_done"),
    [
        ([WELL], "submitting", "skipped", "submitting"),
        ([FAILED], "upstream_failed", "submitting", "submitting"),
        ([PASSED], "skipped", "skipped", "submitting"),
        ([WELL, WELL, WELL], "submitting", "skipped", "submitting"),
        ([WELL, PASSED, WELL], "skipped", "skipped", "submitting"),
        ([WELL, FAILED, WELL], "upstream_failed", "submitting", "submitting"),
        ([PASSED, WELL, FAILED], "upstream_failed", "submitting", "submitting"),
        ([FAILED, PASSED], "upstream_failed", "submitting", "submitting"),
    ],
)
def test_a_step_begins_by_its_when(
    came_to: list[JobState | None], success: str, failure: str, all_done: str
) -> None:
    for when, state in {"success": success, "failure": failure, "all_done": all_done}.items():
        assert after(when, *came_to).state("z") == state, when
    assert after("always", *came_to).state("z") == all_done


def test_a_step_that_was_kept_from_beginning_by_a_failure_counts_as_failed() -> None:
    life = Life(step("a"), step("b", "a"), step("c", "b", when="failure"))
    life.start()
    done(life, "a", state=FAILED)
    assert life.states() == {"a": "failed", "b": "upstream_failed", "c": "submitting"}


def test_steps_of_equal_needs_share_a_gather_whatever_their_when() -> None:
    life = Life(step("a"), step("b"), step("ok", "a", "b"), step("oh", "a", "b", when="failure"))
    life.start()
    done(life, "a")
    done(life, "b", state=FAILED)
    assert life.plan.step_node("ok").after == life.plan.step_node("oh").after
    assert (life.state("ok"), life.state("oh")) == ("upstream_failed", "submitting")


@pytest.mark.parametrize("when", ["failure", "all_done", "always"])
def test_a_run_fails_although_what_came_after_the_failure_succeeded(when: str) -> None:
    life = after(when, FAILED)
    assert life.run.state is RunState.RUNNING
    done(life, "z")
    assert life.run.state is RunState.FAILED
    assert life.run.error == "step a did not succeed"


@pytest.mark.parametrize(("when", "state"), [("failure", "skipped"), ("all_done", "succeeded")])
def test_a_run_in_which_nothing_failed_succeeds(when: str, state: str) -> None:
    life = after(when, WELL)
    if state == "succeeded":
        done(life, "z")
    assert life.state("z") == state
    assert life.run.state is RunState.SUCCEEDED


@pytest.mark.parametrize("when", ["success", "failure", "all_done", "always"])
def test_in_a_run_that_is_being_cancelled_only_what_always_runs_begins(when: str) -> None:
    life = Life(step("a"), step("b"), step("z", "a", "b", when=when))
    life.start()
    done(life, "a", state=FAILED)
    life.submitted("b")
    life.follow(CancelRun(RUN))
    life.follow(CancelNode(RUN, "b"))
    life.verdict("b", JobState.CANCELLED)
    assert life.state("b") == "cancelled"
    assert life.state("z") == ("submitting" if when == "always" else "cancelled")
    if when == "always":
        life.submitted("z")
        life.follow(CancelNode(RUN, "z"))
        assert life.state("z") == "running", "no cancel stops it"
        life.verdict("z", WELL)
    assert life.run.state is RunState.CANCELLED


def test_an_if_is_asked_after_the_when() -> None:
    life = Life(step("a"), step("z", "a", when="failure", condition=ASKED))
    life.start()
    done(life, "a")
    assert life.state("z") == "skipped"
    assert only(Examine, life.commands) == []


@pytest.mark.parametrize("when", ["failure", "all_done", "always"])
def test_another_try_does_again_what_is_there_for_what_others_come_to(when: str) -> None:
    life = after(when, FAILED)
    done(life, "z")
    again = Life(plan=life.plan, run=f"{RUN}~2")
    again.docs = dict(life.docs)
    again.start()
    done(again, "a")
    assert again.state("z") == ("skipped" if when == "failure" else "submitting")


def test_what_was_skipped_is_judged_anew_by_another_try() -> None:
    life = after("success", FAILED, PASSED)
    again = Life(plan=life.plan, run=f"{RUN}~2")
    again.docs = dict(life.docs)
    again.start()
    assert only(Examine, again.commands) == [Examine(again.id, "b")]
    again.examined("b")
    done(again, "a", "b", "z")
    assert again.run.state is RunState.SUCCEEDED


def test_a_repeated_start_finds_each_of_many_first_steps_that_was_to_be_examined() -> None:
    """A crash may come between what is seen of one and of another, although they were told together."""
    life = Life(*(step(f"s{n}", condition=ASKED) for n in range(40)))
    life.start()
    life.examined("s0")
    assert len(only(Examine, life.follow(life.start_event()))) == 39
