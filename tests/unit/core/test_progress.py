"""How the end of one step reaches the others: needs, gathers, scatters, failures, later tries, repeats."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onward.core.commands import Examine, Join, Submit
from onward.core.events import Bell, CancelNode, CancelRun, Event, JobState, Sweep, Verdict, Wake
from onward.core.naming import next_try
from onward.core.pipeline import HOUR, MINUTE, Pipeline, Step
from onward.core.plan import WIDTH, Gather, compile_plan
from onward.core.state import Failed, Node, NodeKey, Run, RunState, Succeeded, UpstreamFailed
from unit.core.graphs import pipelines
from unit.core.telling import RUN, Life, only, play, step

OUTCOMES = (JobState.SUCCEEDED, JobState.SUCCEEDED, JobState.SUCCEEDED, JobState.FAILED)


def done(life: Life, *names: str, state: JobState = JobState.SUCCEEDED) -> Life:
    for name in names:
        life.submitted(name)
        life.verdict(name, state)
    return life


# Needs ------------------------------------------------------------------


def test_the_end_of_a_step_and_the_start_of_its_only_successor_are_one_commit() -> None:
    life = Life(step("a"), step("b", "a"))
    life.start()
    life.submitted("a")
    decision = life.hear(Verdict(RUN, "a", 1, JobState.SUCCEEDED, "job"))
    assert {change.key for change in decision.changes} == {NodeKey(RUN, "a"), NodeKey(RUN, "b")}
    assert only(Submit, decision.commands)
    assert life.states() == {"a": "succeeded", "b": "submitting"}


def test_several_successors_are_woken_each_by_a_message_of_its_own() -> None:
    life = Life(step("a"), step("b", "a"), step("c", "a"))
    life.start()
    decision = life.hear(Verdict(RUN, "a", 1, JobState.SUCCEEDED, "job"))
    assert decision.events == (Wake(RUN, "b"), Wake(RUN, "c"))
    assert only(Submit, decision.commands) == []


def test_a_step_begins_only_when_all_that_it_needs_has_succeeded() -> None:
    life = Life(step("a"), step("b"), step("c", "a", "b"))
    life.start()
    done(life, "b")
    assert life.wake("c") == []
    assert life.state("c") == "waiting"
    done(life, "a")
    assert life.state("c") == "submitting"


def test_an_end_joins_its_gather_in_the_same_commit() -> None:
    life = Life(step("a"), step("b"), step("c", "a", "b"))
    life.start()
    decision = life.hear(Verdict(RUN, "a", 1, JobState.SUCCEEDED, "job"))
    assert Join(NodeKey(RUN, "~gather1"), ("a",)) in decision.changes


def test_an_end_told_twice_counts_once_in_its_gather() -> None:
    life = Life(step("a"), step("b"), step("c", "a", "b"))
    life.start()
    done(life, "a")
    for _ in range(5):
        life.wake("a")
        life.bell("a")
        life.verdict("a", JobState.SUCCEEDED)
        life.wake("~gather1")
    assert life.state("c") == "waiting"


# Failures ---------------------------------------------------------------


def test_what_needs_a_failed_step_never_starts_and_names_it_as_the_cause() -> None:
    life = Life(step("a"), step("b", "a"), step("c", "b"), step("d", "c"), step("e"))
    life.start()
    done(life, "a", state=JobState.FAILED)
    assert isinstance(life.phase("a"), Failed)
    assert [life.phase(name) for name in "bcd"] == [UpstreamFailed("a")] * 3
    assert life.run.state is RunState.RUNNING, "e still runs"
    done(life, "e")
    assert life.run.state is RunState.FAILED
    assert "step a" in (life.run.error or "")


def test_a_failure_travels_through_gathers_when_all_of_their_children_have_ended() -> None:
    life = Life(step("a"), step("b"), step("c", "a", "b"), step("d"), step("e", "c", "d"))
    life.start()
    done(life, "b", state=JobState.FAILED)
    assert life.state("c") == "waiting"
    done(life, "a")
    assert life.phase("c") == UpstreamFailed("b")
    done(life, "d")
    assert life.phase("e") == UpstreamFailed("b")


def test_one_of_a_thousand_failures_stops_what_needs_them_all() -> None:
    many = [step(f"s{n}") for n in range(1_000)]
    life = Life(*many, step("last", *(one.name for one in many)))
    life.start()
    for one in many:
        done(life, one.name, state=JobState.FAILED if one.name == "s500" else JobState.SUCCEEDED)
    assert life.phase("last") == UpstreamFailed("s500")
    assert life.run.state is RunState.FAILED


@given(pipelines(), st.data())
def test_in_whatever_order_things_end_each_step_ends_as_its_needs_say(
    pipeline: Pipeline, data: st.DataObject
) -> None:
    outcomes = {one.name: data.draw(st.sampled_from(OUTCOMES)) for one in pipeline.steps}
    life = Life(plan=compile_plan(pipeline))
    rng = data.draw(st.randoms(use_true_random=False))
    play(life, outcomes, lambda waiting: rng.randrange(len(waiting)))
    wanted: dict[str, str] = {}
    for one in pipeline.steps:
        passed_over = _passed_over(one.when, {wanted[need] for need in one.needs})
        wanted[one.name] = passed_over or outcomes[one.name].value
    assert life.states() == wanted
    for one in pipeline.steps:
        phase = life.phase(one.name)
        if isinstance(phase, UpstreamFailed):
            assert wanted[phase.cause] == "failed"
            assert phase.cause in _above(pipeline, one)
    everything = all(state in ("succeeded", "skipped") for state in wanted.values())
    assert life.run.state is (RunState.SUCCEEDED if everything else RunState.FAILED)
    jobs = [(command.node, command.attempt) for command in life.commands if isinstance(command, Submit)]
    assert (
        len(jobs)
        == len(set(jobs))
        == sum(state not in ("upstream_failed", "skipped") for state in wanted.values())
    )


def _passed_over(when: str, needs: set[str]) -> str | None:
    """The state of a step that does not begin after its needs came to these."""
    failed = bool(needs & {"failed", "upstream_failed"})
    match when:
        case "success" if failed:
            return "upstream_failed"
        case "success" if "skipped" in needs:
            return "skipped"
        case "failure" if not failed:
            return "skipped"
        case _:
            return None


def _above(pipeline: Pipeline, one: Step) -> set[str]:
    found = set(one.needs)
    for need in one.needs:
        found |= _above(pipeline, pipeline.step(need))
    return found


# A repeat changes nothing -----------------------------------------------


@given(pipelines(), st.integers(0, 2**32))
def test_an_event_told_twice_leaves_what_it_left_when_told_once(pipeline: Pipeline, seed: int) -> None:
    """Also for events that are late, early, or of a step they can't be about."""
    rng = Random(seed)
    life = Life(plan=compile_plan(pipeline))
    life.hear(life.start_event())
    names = list(life.plan.nodes)
    for _ in range(60):
        event = _anything(rng, rng.choice(names))
        life.hear(event)
        once = _what_is_so(life)
        life.hear(event)
        assert _what_is_so(life) == once, event
        life.later(rng.choice((0, 0, MINUTE, HOUR)))


def _anything(rng: Random, name: str) -> Event:
    attempt = rng.choice((1, 1, 1, 2))
    match rng.randrange(8):
        case 0 | 1:
            return Wake(RUN, name, echo=rng.random() < 0.3)
        case 2:
            return Bell(RUN, name, attempt)
        case 3 | 4 | 5:
            return Verdict(RUN, name, attempt, rng.choice(list(JobState)), "job")
        case 6:
            return CancelNode(RUN, name)
        case _:
            return rng.choice((CancelRun(RUN), Sweep(RUN, "watch", 1)))


def _what_is_so(life: Life) -> dict[object, object]:
    """States, attempts and sets; not when, by whom, or how often it was looked at."""
    so: dict[object, object] = {}
    for key, doc in life.docs.items():
        if isinstance(doc, Node):
            so[key] = (str(doc.phase.__struct_config__.tag), doc.attempt, doc.lost, set(doc.arrived), doc.job)
        elif isinstance(doc, Run):
            so[key] = doc
    return so


# Later tries ------------------------------------------------------------

FAILED_RUN = Life(step("a"), step("b", "a"), step("c", "b"))
FAILED_RUN.start()
done(FAILED_RUN, "a")
done(FAILED_RUN, "b", state=JobState.FAILED)


def try_again(before: Life) -> Life:
    """The next try of an ended run, started."""
    assert before.run.state.ended
    life = Life(plan=before.plan, run=next_try(before.id))
    life.docs = dict(before.docs)
    life.start()
    return life


def test_a_second_try_takes_over_what_succeeded_and_does_the_rest() -> None:
    life = try_again(FAILED_RUN)
    assert only(Examine, life.commands) == [Examine(f"{RUN}~2", "a", RUN)]
    life.examined("a", adopt=True)
    assert life.phase("a") == Succeeded(adopted=RUN)
    assert life.node("a").attempt == 0, "no job of its own"
    assert life.states() == {"a": "succeeded", "b": "submitting", "c": "waiting"}
    done(life, "b", "c")
    assert life.run.state is RunState.SUCCEEDED


def test_a_third_try_names_the_run_that_did_the_work() -> None:
    second = try_again(FAILED_RUN)
    second.examined("a", adopt=True)
    done(second, "b", state=JobState.FAILED)
    third = try_again(second)
    third.examined("a", adopt=True)
    assert third.phase("a") == Succeeded(adopted=RUN)


def test_a_try_after_a_success_takes_everything_over_and_ends() -> None:
    life = Life(step("a"), step("b"), step("c", "a", "b"), step("d", "c"))
    life.start()
    done(life, "a", "b", "c", "d")
    again = try_again(life)
    for name in "abcd":
        again.examined(name, adopt=True)
    assert only(Submit, again.commands) == []
    assert again.run.state is RunState.SUCCEEDED


def test_what_rests_on_a_result_that_is_made_again_is_made_again() -> None:
    """Also behind a gather: what it knows of its children says that one of them is new."""
    life = Life(step("a"), step("b"), step("c", "a", "b"), step("d", "c"), step("e", "d"))
    life.start()
    done(life, "a", "b", "c", "d")
    done(life, "e", state=JobState.FAILED)
    again = try_again(life)
    again.examined("a", adopt=True)
    again.examined("b", adopt=False)
    done(again, "b", "c", "d", "e")
    assert [command.node for command in only(Submit, again.commands)] == ["b", "c", "d", "e"]  # type: ignore[union-attr]


def again_from_a() -> Life:
    life = Life(step("a", outputs=("gs://work/a",)), step("b", "a"))
    life.start()
    done(life, "a")
    done(life, "b", state=JobState.FAILED)
    again = try_again(life)
    assert again.state("a") == "waiting"
    return again


def test_a_result_that_still_holds_is_taken_over() -> None:
    life = again_from_a()
    life.examined("a", adopt=True)
    assert life.phase("a") == Succeeded(adopted=RUN)
    assert life.state("b") == "submitting"


def test_a_result_that_does_not_hold_any_more_is_made_again() -> None:
    life = again_from_a()
    assert only(Submit, life.examined("a"))
    assert life.state("a") == "submitting"


@pytest.mark.parametrize("adopt", [True, False])
def test_nothing_is_taken_over_or_begun_once_the_try_is_being_cancelled(adopt: bool) -> None:
    life = again_from_a()
    life.follow(CancelRun(life.id))
    assert only(Submit, life.examined("a", adopt=adopt)) == []
    assert life.run.state is RunState.CANCELLED


# Width ------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, WIDTH, WIDTH + 1, WIDTH * WIDTH, WIDTH * WIDTH + 1])
def test_every_width_comes_to_its_end_and_no_transition_touches_more_than_a_few_documents(count: int) -> None:
    names = [f"s{n}" for n in range(count)]
    life = Life(step("first"), *(step(name, "first") for name in names), step("last", *names))
    play(life, {}, lambda waiting: len(waiting) - 1)
    assert life.run.state is RunState.SUCCEEDED
    assert len(only(Submit, life.commands)) == count + 2
    for doc in life.docs.values():
        assert not isinstance(doc, Node) or len(doc.arrived) <= WIDTH


def test_a_scatter_of_first_steps_starts_them_all() -> None:
    life = Life(*(step(f"s{n}") for n in range(100)))
    life.start()
    assert set(life.states().values()) == {"submitting"}


def test_a_step_whose_many_gathers_are_out_of_reach_tells_each_of_them() -> None:
    """One step in the needs of 40 others, each of which needs another one as well."""
    others = [step(f"o{n}") for n in range(40)]
    both = [step(f"b{n}", "hub", f"o{n}") for n in range(40)]
    life = Life(step("hub"), *others, *both)
    assert sum(isinstance(node, Gather) for node in life.plan.nodes.values()) >= 40
    life.start()
    done(life, *(one.name for one in others))
    done(life, "hub")
    assert {life.state(one.name) for one in both} == {"submitting"}


# Crashes between a commit and what it tells -----------------------------


def test_an_end_told_again_mends_what_its_crash_left_undone() -> None:
    life = Life(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))
    life.start()
    life.submitted("a")
    life.hear(Verdict(RUN, "a", 1, JobState.SUCCEEDED, "job"))  # and crashes before it wakes b and c
    assert life.states() == {"a": "succeeded", "b": "waiting", "c": "waiting", "d": "waiting"}
    life.bell("a")
    assert life.states() == {"a": "succeeded", "b": "submitting", "c": "submitting", "d": "waiting"}


def test_an_echo_stops_at_a_step_that_got_further() -> None:
    life = Life(step("a"), step("b", "a"), step("c", "b"), step("d", "b"))
    life.start()
    done(life, "a", "b")
    decision = life.hear(Wake(RUN, "b", echo=True))
    assert decision.events == ()


def test_a_repeated_bell_sets_the_timer_of_the_successor_that_waits_for_room() -> None:
    life = Life(step("a"), step("b", "a"))
    life.start()
    done(life, "a")
    phase = life.phase("b")
    life.delayed("b", phase.token, MINUTE)  # type: ignore[union-attr]
    before = life.node("b")
    commands = life.bell("a")
    assert [command.at for command in commands] == [before.due]  # type: ignore[union-attr]
    assert life.node("b") == before
