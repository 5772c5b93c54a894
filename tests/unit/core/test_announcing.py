"""What a pipeline asks to have announced is published once it is true: at least once, under one id."""

from __future__ import annotations

from onward.core import announcing
from onward.core.commands import Announce, Command
from onward.core.events import Announced, Bell, CancelRun, Found, JobState, StartRun, Sweep, Wake
from onward.core.pipeline import ANNOUNCEMENTS, HOUR, MINUTE, Pipeline, Step
from onward.core.plan import compile_plan
from onward.core.state import RunState
from unit.core.telling import NOON, RUN, Life, retried, step

RUNS = ("run_started", "run_ended", "run_late")


def life(*steps: Step, announce: tuple[str, ...] = ANNOUNCEMENTS, expect_within: int | None = None) -> Life:
    pipeline = Pipeline("tale", steps, announce=announce, expect_within=expect_within)
    return Life(plan=compile_plan(pipeline))


def told(commands: list[Command] | tuple[Command, ...]) -> list[Announce]:
    return [command for command in commands if isinstance(command, Announce)]


def confirm(made: Life, *facts: Announce) -> None:
    for fact in facts:
        assert fact.run is not None
        made.follow(Announced(fact.run, fact.node, fact.kind, fact.attempt))


def test_a_pipeline_that_asks_for_nothing_has_nothing_published() -> None:
    made = life(step("a"), announce=())
    commands = made.start()
    made.submitted("a")
    commands += made.verdict("a", JobState.FAILED, error="no")
    assert told(commands) == []
    assert made.run.untold == ()


def test_only_what_is_asked_for_is_published() -> None:
    made = life(step("a"), announce=("run_ended",))
    commands = made.start()
    made.submitted("a")
    commands += made.verdict("a", JobState.FAILED, error="no")
    assert [fact.kind for fact in told(commands)] == ["run_ended"]


def test_the_start_and_the_end_of_a_run_say_what_it_was_started_with_and_came_to() -> None:
    made = life(step("a"))
    trigger = {"on": "object", "uri": "gs://landing/x.csv"}
    (started,) = told(made.follow(StartRun(RUN, "tale", made.plan.name, {"day": "2026-11-22"}, trigger)))
    assert (started.kind, started.state, started.subject, started.at) == ("run_started", "running", RUN, NOON)
    about = {"run": RUN, "pipeline": "tale", "params": {"day": "2026-11-22"}, "trigger": trigger}
    assert started.data == {**about, "state": "running", "started": NOON, "ended": None, "error": None}
    made.submitted("a")
    made.later(MINUTE)
    by_kind = {fact.kind: fact for fact in told(made.verdict("a", JobState.FAILED, error="no"))}
    assert by_kind["run_ended"].data == {
        **about,
        "state": "failed",
        "started": NOON,
        "ended": NOON + MINUTE,
        "error": "step a did not succeed",
    }
    assert by_kind["step_failed"].subject == f"{RUN}/a"
    assert by_kind["step_failed"].data == {
        **about,
        "step": "a",
        "attempt": 1,
        "state": "failed",
        "started": NOON,
        "ended": NOON + MINUTE,
        "error": "no",
    }


def test_a_step_has_failed_with_its_last_attempt_not_before() -> None:
    made = life(step("a", retry=retried(2)))
    made.start()
    made.submitted("a")
    assert "step_failed" not in {fact.kind for fact in told(made.verdict("a", JobState.FAILED, error="no"))}
    made.later(HOUR).wake("a")
    made.submitted("a", 2)
    (fact,) = [each for each in told(made.verdict("a", JobState.FAILED, 2, error="no")) if each.node]
    assert (fact.kind, fact.attempt) == ("step_failed", 2)


def test_what_was_lost_with_a_crash_is_published_by_the_event_that_comes_again_under_the_same_id() -> None:
    made = life(step("a"))
    (first,) = told(made.start())
    (again,) = told(made.start())
    assert again == first
    confirm(made, first)
    assert told(made.start()) == []


def test_the_repeat_of_an_ended_run_tells_its_end_and_its_steps_until_both_are_published() -> None:
    made = life(step("a"), announce=("step_failed", "run_ended"))
    made.start()
    made.submitted("a")
    first = told(made.verdict("a", JobState.FAILED, error="no"))
    assert {fact.kind for fact in first} == {"step_failed", "run_ended"}
    again = told(made.follow(Bell(RUN, "a", 1)))
    assert sorted(again, key=str) == sorted(first, key=str)
    confirm(made, first[0])
    assert told(made.follow(Bell(RUN, "a", 1))) == [first[1]]
    confirm(made, first[1])
    assert told(made.follow(Bell(RUN, "a", 1))) == []


def test_who_only_passes_by_does_not_tell_of_a_start_that_is_being_published() -> None:
    made = life(step("a"), step("b"))
    assert told(made.hear(made.start_event()).commands)
    assert told(made.hear(Wake(RUN, "a")).commands) == []


def test_a_confirmation_changes_nothing_else() -> None:
    made = life(step("a"), announce=("run_started",))
    (fact,) = told(made.start())
    before = made.run
    confirm(made, fact)
    assert made.run == type(before)(**{**_fields(before), "untold": ()})
    confirm(made, fact)


def _fields(run: object) -> dict[str, object]:
    return {name: getattr(run, name) for name in run.__struct_fields__}  # type: ignore[attr-defined]


def test_each_attempt_that_is_late_and_a_run_that_is_late_are_told_once() -> None:
    made = life(step("a", expect_within=20 * MINUTE), announce=("run_late", "step_late"), expect_within=HOUR)
    made.start()
    made.submitted("a")
    made.later(20 * MINUTE).wake("a")
    (fact,) = told(made.verdict("a", JobState.RUNNING, belled=False))
    assert (fact.kind, fact.node, fact.attempt, fact.state) == ("step_late", "a", 1, "running")
    confirm(made, fact)
    made.later(HOUR)
    (late,) = [each for each in told(made.follow(Sweep(RUN, "watch", 1))) if each.kind == "run_late"]
    confirm(made, late)
    assert told(made.follow(Sweep(RUN, "watch", 2))) == []
    made.wake("a")
    assert told(made.verdict("a", JobState.RUNNING, belled=False)) == []


def test_a_cancelled_run_tells_that_it_was() -> None:
    made = life(step("a"), announce=("run_ended",))
    made.start()
    made.submitted("a")
    made.follow(CancelRun(RUN))
    made.follow(Found(RUN, "cancel", 0, ("a",)))
    (fact,) = told(made.verdict("a", JobState.CANCELLED))
    assert (fact.kind, fact.state) == ("run_ended", RunState.CANCELLED.value)


def test_an_object_that_is_absent_is_one_fact_per_pipeline_and_day() -> None:
    one = announcing.absent("tale", "2026-11-22", NOON, {"expected": ["gs://landing/2026-11-22.csv"]})
    same = announcing.absent("tale", "2026-11-22", NOON + 1, {})
    assert one.id == same.id
    assert one.id != announcing.absent("tale", "2026-11-23", NOON, {}).id
    assert (one.kind, one.state, one.run) == ("object_absent", "absent", None)


def test_a_failure_beyond_the_node_that_is_told_again_is_found_also_when_the_run_has_ended() -> None:
    made = life(step("a"), step("b"), step("c", "a", "b"), announce=("step_failed",))
    made.start()
    made.submitted("b")
    made.verdict("b", JobState.SUCCEEDED)
    made.submitted("a")
    made.verdict("a", JobState.SUCCEEDED)
    token = made.phase("c").token  # type: ignore[union-attr]
    (first,) = told(made.refused("c", token))
    assert made.run.state is RunState.FAILED
    assert first in told(made.follow(Bell(RUN, "a", 1))), "the bell by whose handling c was submitted"
