"""What the one flow promises: in which order things are done, what is repeated, and what is handed back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from onward.core.commands import Announce, CancelJob, Put, ReadStatus
from onward.core.errors import Conflict, Unavailable
from onward.core.events import (
    Bell,
    CancelRun,
    Event,
    JobState,
    RunEnded,
    StartRun,
    Sweep,
    Verdict,
    Wake,
)
from onward.core.naming import next_try
from onward.core.pipeline import DAY, HOUR, MINUTE, SECOND, Pipeline, Retry, Step
from onward.core.plan import compile_plan
from onward.core.state import (
    HISTORY_LENGTH,
    Failed,
    Key,
    Node,
    NodeKey,
    Running,
    RunState,
    Submitting,
    Succeeded,
)
from onward.engine import COMMIT_TRIES
from onward.ports import Busy, Declined, JobRef, Status, Write
from unit.shelf import NOON, RUN, Shelf, step


def finish(shelf: Shelf, *names: str, run: str = RUN) -> None:
    for name in names:
        shelf.engine.handle(Bell(run, name, 1))


# One event --------------------------------------------------------------


def test_the_net_is_set_before_the_run_is_committed_and_the_job_submitted_after() -> None:
    shelf = Shelf(step("a"))
    shelf.start()
    assert shelf.journal == ["set timers", "commit", "submit a", "commit"]
    assert shelf.state("a") == "running"
    assert shelf.node("a").job == "id-a"


def test_one_bell_is_one_status_read_and_the_next_job() -> None:
    shelf = Shelf(step("a"), step("b", "a"))
    shelf.start()
    shelf.journal.clear()
    finish(shelf, "a")
    assert [line for line in shelf.journal if line != "commit"] == ["status a", "submit b"]
    finish(shelf, "b")
    assert shelf.run().state is RunState.SUCCEEDED


def test_in_a_chain_each_step_costs_one_read_and_one_commit_to_decide_and_one_commit_to_settle() -> None:
    shelf = Shelf(step("a"), step("b", "a"), step("c", "b", args={"of": "{{ run.id }} {{ steps.b.output }}"}))
    shelf.start()
    for name in ("a", "b"):
        shelf.journal.clear()
        shelf.store.reads.clear()
        finish(shelf, name)
        assert len(shelf.store.reads) == 1
        assert shelf.journal.count("commit") == 2


def test_what_a_run_comes_to_is_told_and_that_it_is_open_for_too_long() -> None:
    shelf = Shelf(step("a"))
    told: list[str] = []
    shelf.engine.on_run = lambda run, doc, state: told.append(f"{run} {doc.pipeline} {state}")
    shelf.start()
    shelf.time += DAY - HOUR
    shelf.engine.handle(Sweep(RUN, "watch", 2))
    shelf.time += HOUR
    shelf.engine.handle(Sweep(RUN, "watch", 3))
    finish(shelf, "a")
    shelf.engine.handle(Sweep(RUN, "watch", 4))
    assert told == [f"{RUN} p running", f"{RUN} p overdue", f"{RUN} p succeeded"]


def test_what_another_changed_meanwhile_is_read_again() -> None:
    shelf = Shelf(step("a"), step("b", "a"))
    shelf.start()
    shelf.store.errors.append(Conflict("another was faster"))
    shelf.store.reads.clear()
    finish(shelf, "a")
    assert len(shelf.store.reads) == 2
    assert (shelf.state("a"), shelf.state("b")) == ("succeeded", "running")


def test_what_was_read_a_while_ago_is_read_again() -> None:
    shelf = Shelf(step("a"), step("b", "a"))
    shelf.start()

    def slow(ref: JobRef) -> Status:  # noqa: ARG001 - a service's method
        shelf.time += 20 * SECOND
        return Status(JobState.SUCCEEDED, "id-a")

    shelf.service.status = slow  # type: ignore[method-assign]
    shelf.store.reads.clear()
    finish(shelf, "a")
    assert len(shelf.store.reads) == 2


def test_an_event_that_changes_nothing_calls_nobody() -> None:
    shelf = Shelf(step("a"))
    shelf.start()
    shelf.journal.clear()
    shelf.engine.handle(Wake(RUN, "a"))
    assert [line for line in shelf.journal if line != "commit"] == []


@pytest.mark.parametrize("event", [Wake("b" * 20, "a"), Bell("b" * 20, "a", 1), CancelRun("x\n/..")])
def test_an_event_of_an_unknown_run_is_done_with(event: Event) -> None:
    shelf = Shelf(step("a"))
    shelf.engine.handle(event)
    assert shelf.published == []
    assert len(shelf.store.docs) == 1, "the plan"


def test_a_start_of_an_unknown_plan_starts_nothing() -> None:
    shelf = Shelf(step("a"))
    shelf.engine.handle(StartRun(RUN, "p", "0" * 32))
    assert shelf.service.requests == []


def test_a_start_repeated_by_a_newer_deploy_goes_on_with_the_plan_the_run_began_with() -> None:
    shelf = Shelf(step("a"), step("b", "a"))
    shelf.start()
    newer = compile_plan(shelf.plan.pipeline, {"work": "other"})
    shelf.engine.plans.add(newer)
    shelf.engine.handle(StartRun(RUN, "p", newer.name))
    finish(shelf, "a", "b")
    assert shelf.run().plan == shelf.plan.name
    assert {request.plan for request in shelf.service.requests} == {shelf.plan.name}


# Submits ----------------------------------------------------------------


def test_a_refused_submit_fails_the_step_with_the_reason() -> None:
    shelf = Shelf(step("a"))
    shelf.service.answers["a"] = Declined("no such machine type")
    shelf.start()
    assert shelf.node("a").phase == Failed("no such machine type")
    assert shelf.run().state is RunState.FAILED


def test_a_template_that_can_not_be_rendered_fails_the_step_and_nothing_else() -> None:
    shelf = Shelf(step("a", args={"x": "{{ 1 // (run.try - 1) }}"}), step("b"))
    shelf.start()
    for event in list(shelf.published):
        shelf.engine.handle(event)
    assert shelf.state("a") == "failed"
    assert shelf.state("b") == "running"


def test_a_full_service_is_asked_again_when_it_says() -> None:
    shelf = Shelf(step("a"))
    shelf.service.answers["a"] = Busy("quota", 100 * SECOND)
    shelf.start()
    assert shelf.state("a") == "retrying"
    (timer,) = [timer for timer in shelf.timers if timer.event == Wake(RUN, "a")]
    assert 75 * SECOND <= timer.at - NOON <= 125 * SECOND


def test_trouble_at_a_submit_is_settled_by_asking_again_and_not_by_delivering_again() -> None:
    shelf = Shelf(step("a"))
    shelf.service.answers["a"] = Unavailable("deadline exceeded")
    shelf.start()
    assert shelf.state("a") == "retrying"
    shelf.service.answers.clear()
    shelf.time += MINUTE
    shelf.engine.handle(Wake(RUN, "a"))
    assert [request.again for request in shelf.service.requests] == [False, True]
    assert len({request.name for request in shelf.service.requests}) == 1


def test_a_submit_is_not_sent_after_its_time() -> None:
    shelf = Shelf(step("a"))
    commit = shelf.store.commit

    def frozen(writes: Sequence[Write]) -> dict[Key, int]:
        versions = commit(writes)
        shelf.time += 2 * MINUTE
        return versions

    shelf.store.commit = frozen  # type: ignore[method-assign]
    shelf.start()
    assert shelf.service.requests == []
    assert shelf.state("a") == "retrying"


def test_a_job_found_by_its_name_is_looked_at_for_its_bell_may_be_gone() -> None:
    shelf = Shelf(step("a"))
    shelf.service.answers["a"] = Unavailable("?")
    shelf.start()
    shelf.service.answers.clear()
    shelf.time += MINUTE
    shelf.engine.handle(Wake(RUN, "a"))
    assert shelf.state("a") == "succeeded"


# Conflicts and repeats --------------------------------------------------


def test_who_loses_a_race_reads_and_decides_again() -> None:
    shelf = Shelf(step("a"))
    shelf.store.errors = [Conflict("x")] * 3
    shelf.start()
    assert shelf.state("a") == "running"
    assert [request.node for request in shelf.service.requests] == ["a"], (
        "only what was committed is carried out"
    )


def test_who_loses_too_often_hands_the_event_back() -> None:
    shelf = Shelf(step("a"))
    shelf.store.errors = [Conflict("x")] * COMMIT_TRIES
    with pytest.raises(Conflict):
        shelf.start()
    assert shelf.service.requests == []


def test_what_another_process_decided_meanwhile_is_not_decided_twice() -> None:
    shelf = Shelf(step("a"))
    commit = shelf.store.commit

    def beaten(writes: Sequence[Write]) -> None:
        shelf.store.commit = commit  # type: ignore[method-assign]
        shelf.start()
        commit(writes)

    shelf.store.commit = beaten  # type: ignore[method-assign]
    shelf.engine.handle(shelf.start_event())
    assert len(shelf.service.requests) == 1


def test_an_event_whose_node_somebody_is_submitting_is_to_be_delivered_again() -> None:
    shelf = Shelf(step("a"))
    shelf.start()
    key = NodeKey(RUN, "a")
    version = shelf.store.docs[key].version
    shelf.store.commit([Write(Put(key, Node(Submitting("other", NOON + MINUTE, NOON), 1)), version)])
    with pytest.raises(Unavailable, match="another invocation"):
        shelf.engine.handle(Wake(RUN, "a"))


def test_one_command_that_fails_keeps_no_other_from_being_carried_out() -> None:
    shelf = Shelf(step("a"), step("b"))
    shelf.start()
    for event in list(shelf.published):
        shelf.engine.handle(event)
    shelf.service.states["a"] = Unavailable("no answer")
    turn = shelf.engine.turn([Bell(RUN, "a", 1), Bell(RUN, "b", 1)])
    assert turn.unfinished is shelf.service.states["a"]
    assert turn.left == [ReadStatus(RUN, "a", 1, "id-a")]
    assert [type(report) for report in turn.reports] == [Verdict]
    with pytest.raises(Unavailable, match="no answer"):
        shelf.engine.handle(Bell(RUN, "a", 1))


def test_what_was_left_can_be_carried_out_later() -> None:
    shelf = Shelf(step("a"), alone=True)
    shelf.start()
    shelf.service.states["a"] = Unavailable("no answer")
    left = shelf.engine.turn([Bell(RUN, "a", 1)]).left
    shelf.service.states.clear()
    reports = shelf.engine.carry_out(left).reports
    shelf.engine.turn(reports)
    assert shelf.state("a") == "succeeded"


def test_a_cancel_names_the_job_as_the_service_does() -> None:
    shelf = Shelf(step("a"))
    shelf.start()
    shelf.engine.carry_out([CancelJob(RUN, "a", 1, "id-a")])
    (ref,) = shelf.service.cancelled
    assert ref.job == "id-a"
    assert ref.name == shelf.service.requests[0].name


# Groups -----------------------------------------------------------------


def test_events_that_wait_together_share_one_commit() -> None:
    shelf = Shelf(step("a"), alone=True)
    shelf.engine.turn([shelf.start_event(run=f"{n:020}") for n in range(50)])
    assert shelf.journal.count("commit") == 1
    assert len(shelf.service.requests) == 50


def test_each_event_of_a_group_sees_what_the_ones_before_decided() -> None:
    shelf = Shelf(step("a"), step("b", "a"), alone=True)
    turn = shelf.engine.turn([shelf.start_event(), shelf.start_event()])
    assert [request.node for request in shelf.service.requests] == ["a"]
    verdict = Verdict(RUN, "a", 1, JobState.SUCCEEDED, "job")
    shelf.engine.turn([*turn.reports, verdict, verdict])
    assert [request.node for request in shelf.service.requests] == ["a", "b"]


def test_who_is_alone_decides_what_it_tells_in_the_same_turn_and_publishes_nothing() -> None:
    many = [step(f"s{n}", "a") for n in range(70)]
    shelf = Shelf(step("a"), *many, step("z", *(one.name for one in many)), alone=True)
    reports = list(shelf.engine.turn([shelf.start_event()]).reports)
    reports += shelf.engine.turn([*reports, Verdict(RUN, "a", 1, JobState.SUCCEEDED)]).reports
    commits = shelf.journal.count("commit")
    shelf.engine.turn([Verdict(RUN, one.name, 1, JobState.SUCCEEDED) for one in many])
    assert shelf.journal.count("commit") == commits + 1
    assert shelf.state("z") == "submitting"
    assert shelf.published == []


def test_a_submit_that_a_later_event_of_the_group_has_overtaken_is_not_sent() -> None:
    shelf = Shelf(step("a", retry=Retry(2, SECOND // 10)), alone=True)
    shelf.start()
    shelf.service.requests.clear()
    shelf.time += HOUR
    lost = Verdict(RUN, "a", 1, JobState.LOST)
    shelf.engine.turn([lost, Verdict(RUN, "a", 1, JobState.SUCCEEDED)])
    assert shelf.state("a") == "succeeded"
    assert shelf.service.requests == []


def test_who_is_alone_does_not_wait_for_itself() -> None:
    shelf = Shelf(step("a"), alone=True)
    shelf.engine.turn([shelf.start_event()])
    assert shelf.state("a") == "submitting"
    turn = shelf.engine.turn([Wake(RUN, "a")])
    assert (turn.reports, turn.unfinished) == ([], None)


# Many processes ---------------------------------------------------------


def test_wakes_are_published_in_one_batch_after_the_commit() -> None:
    shelf = Shelf(step("a"), *(step(f"s{n}", "a") for n in range(5)))
    shelf.start()
    shelf.journal.clear()
    finish(shelf, "a")
    assert shelf.published == [Wake(RUN, f"s{n}") for n in range(5)]
    assert shelf.journal.count("publish") == 1
    assert shelf.journal.index("commit") < shelf.journal.index("publish")
    assert [request.node for request in shelf.service.requests] == ["a"], (
        "an invocation submits at most one job"
    )


def test_a_gather_is_looked_at_after_the_commit_that_joined_it_and_by_the_same_process() -> None:
    shelf = Shelf(step("a"), step("b"), step("c", "a", "b"))
    shelf.start()
    for event in list(shelf.published):
        shelf.engine.handle(event)
    shelf.published.clear()
    finish(shelf, "a", "b")
    assert shelf.state("c") == "running"
    assert shelf.published == []


# Sweeps -----------------------------------------------------------------


def overdue(shelf: Shelf, due: dict[str, int]) -> None:
    for name, at in due.items():
        key = NodeKey(RUN, name)
        found = shelf.store.docs.get(key)
        running = Node(Running("job", NOON, at), 1)
        shelf.store.commit([Write(Put(key, running), found.version if found else 0)])


def test_a_watch_wakes_what_is_overdue_and_comes_back_when_the_next_is() -> None:
    shelf = Shelf(step("a"), step("b"), step("c"))
    shelf.start()
    overdue(shelf, {"a": NOON - 1, "b": NOON + 20 * MINUTE, "c": NOON + 30 * MINUTE})
    shelf.published.clear()
    shelf.timers.clear()
    shelf.engine.handle(Sweep(RUN, "watch", 1))
    assert shelf.published == [Wake(RUN, "a")]
    assert [(timer.at, timer.event) for timer in shelf.timers] == [
        (NOON + 20 * MINUTE, Sweep(RUN, "watch", 2))
    ]


def test_a_watch_of_a_wide_run_takes_as_many_as_it_may_touch_the_most_overdue_first() -> None:
    names = [f"s{n:02}" for n in range(60)]
    shelf = Shelf(*(step(name) for name in names))
    shelf.start()
    overdue(shelf, {name: NOON - n for n, name in enumerate(names)})
    shelf.published.clear()
    shelf.engine.handle(Sweep(RUN, "watch", 1))
    assert shelf.published == [Wake(RUN, name) for name in reversed(names[28:])]
    assert shelf.timers[-1].at == NOON + MINUTE


# History and tries ------------------------------------------------------


def test_what_a_history_drops_is_an_object_before_the_commit_drops_it() -> None:
    shelf = Shelf(step("a"))
    shelf.start()
    shelf.service.states["a"] = Status(JobState.RUNNING)
    while "put object" not in shelf.journal:
        shelf.journal.clear()
        shelf.time += HOUR
        finish(shelf, "a")
    assert shelf.journal.index("put object") < shelf.journal.index("commit", shelf.journal.index("status a"))
    node = shelf.node("a")
    assert node.spilled == HISTORY_LENGTH // 2
    assert list(shelf.objects) == [f"gs://state/history/{RUN}/a/0.json"]


def test_a_later_try_adopts_what_is_still_there_and_makes_the_rest() -> None:
    outputs = ("gs://work/a",)
    shelf = Shelf(step("a", outputs=outputs), step("b", "a"))
    shelf.objects["gs://work/a"] = b""
    shelf.start()
    finish(shelf, "a")
    shelf.service.states["b"] = Status(JobState.FAILED)
    finish(shelf, "b")
    again = next_try(RUN)
    shelf.engine.handle(shelf.start_event(run=again))
    for event in list(shelf.published):
        shelf.engine.handle(event)
    assert shelf.node("a", again).phase == Succeeded({"of": "a"}, None, RUN)
    assert shelf.state("b", again) == "running"


# Announcements ------------------------------------------------------------


class Heard:
    """An announcer that may be out of order."""

    def __init__(self, journal: list[str]) -> None:
        self.journal = journal
        self.facts: list[Announce] = []
        self.trouble = False

    def announce(self, facts: Sequence[Announce]) -> None:
        self.journal.append("announce")
        if self.trouble:
            raise Unavailable("no answer")
        self.facts += facts


def announcing(*steps: Step) -> tuple[Shelf, Heard]:
    shelf = Shelf(pipeline=Pipeline("p", steps, announce=("run_started", "run_ended")))
    shelf.engine.announcer = heard = Heard(shelf.journal)
    return shelf, heard


def test_a_fact_is_published_after_the_commit_that_made_it_true_and_then_crossed_out() -> None:
    shelf, heard = announcing(step("a"))
    shelf.start()
    assert shelf.journal == ["set timers", "commit", "submit a", "announce", "commit"]
    assert [fact.kind for fact in heard.facts] == ["run_started"]
    assert shelf.run().untold == ()


def test_a_publisher_in_trouble_keeps_nothing_else_from_going_on_and_has_the_event_come_again() -> None:
    shelf, heard = announcing(step("a"))
    heard.trouble = True
    with pytest.raises(Unavailable):
        shelf.start()
    assert shelf.state("a") == "running"
    assert [note.kind for note in shelf.run().untold] == ["run_started"]
    heard.trouble = False
    shelf.start()
    assert [fact.kind for fact in heard.facts] == ["run_started"]
    assert shelf.run().untold == ()


def test_the_crossing_out_is_no_news_of_the_run() -> None:
    shelf, _ = announcing(step("a"))
    news: list[str] = []
    shelf.engine.on_run = lambda _, __, state: news.append(state)
    shelf.start()
    assert news == ["running"]


def test_the_end_of_a_run_is_published_where_somebody_waits_for_it_and_only_there() -> None:
    for followed in (False, True):
        shelf = Shelf(step("a"))
        shelf.engine.followed = lambda _, followed=followed: followed  # type: ignore[misc]
        shelf.start(n=1)
        finish(shelf, "a")
        ended = RunEnded(RUN, "p", "succeeded", {"n": 1}, {"on": "hand"})
        assert [each for each in shelf.published if isinstance(each, RunEnded)] == [ended] * followed


def test_who_is_alone_starts_what_waits_for_the_end_of_a_run_in_the_commit_of_that_end() -> None:
    shelf = Shelf(step("a"), alone=True)
    shelf.engine.followed = lambda _: True
    shelf.engine.follow = lambda ended: (
        [shelf.start_event("b" * 20, after=ended.run)] if ended.run == RUN else []
    )
    reports = shelf.engine.turn([shelf.start_event()]).reports
    commits = shelf.journal.count("commit")
    shelf.engine.turn([*reports, Verdict(RUN, "a", 1, JobState.SUCCEEDED)])
    assert shelf.journal.count("commit") == commits + 1
    assert shelf.run("b" * 20).params == {"after": RUN}
