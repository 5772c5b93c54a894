"""A step that runs once per item: lanes, the tally, the gather, cancel, retry; on the pure transition."""

from __future__ import annotations

import msgspec
import pytest
from onward.core.commands import Find, Submit
from onward.core.events import CancelRun, Examined, Found, ItemList, JobState, Joined, Verdict, Wake
from onward.core.maps import Mark
from onward.core.naming import next_try
from onward.core.pipeline import HOUR, Allowance, ForEach
from onward.core.state import (
    Cancelled,
    Failed,
    Mapped,
    Node,
    NodeKey,
    Running,
    RunState,
    Submitting,
    Succeeded,
    Tally,
    WaiterKey,
)
from unit.core.telling import NOON, RUN, Life, only, retried, step

LIST = ItemList(7, "lists/seven")


def mapped(count: int = 7, **fields: object) -> Life:
    """A run whose step `m` runs over so many items, and has come to its first ones; `z` comes after it."""
    fields = {"max_parallel": 2, **fields}
    life = Life(step("m", for_each=ForEach([]), **fields), step("z", "m"))
    life.start()
    life.examined("m", items=ItemList(count, f"lists/{count}"))
    return life


def live(life: Life) -> list[str]:
    """The items that are under way."""
    nodes = ((key, doc) for key, doc in life.docs.items() if isinstance(key, NodeKey) and key.run == life.id)
    return sorted(
        key.node
        for key, doc in nodes
        if isinstance(doc, Node) and isinstance(doc.phase, Submitting | Running)
    )


def succeed(life: Life, *indices: int) -> None:
    for index in indices:
        life.verdict(f"m[{index}]", JobState.SUCCEEDED, output=index)


def fail(life: Life, *indices: int) -> None:
    for index in indices:
        life.verdict(f"m[{index}]", JobState.FAILED, error=f"no {index}")


def test_a_step_with_a_list_looks_at_it_before_it_begins() -> None:
    life = Life(step("m", for_each=ForEach([])))
    commands = life.start()
    assert [type(command).__name__ for command in commands] == ["Examine"]
    assert life.state("m") == "waiting"


def test_each_lane_begins_with_its_first_item() -> None:
    life = mapped(7, max_parallel=3)
    assert isinstance(life.phase("m"), Mapped)
    assert life.node("m").items == ItemList(7, "lists/7")
    assert live(life) == ["m[0]", "m[1]", "m[2]"]


def test_fewer_items_than_lanes_begin_together() -> None:
    assert live(mapped(2, max_parallel=30)) == ["m[0]", "m[1]"]


def test_an_items_end_and_the_start_of_the_next_of_its_lane_are_one_commit() -> None:
    life = mapped(7)
    commands = life.verdict("m[1]", JobState.SUCCEEDED)
    assert [command.node for command in commands if isinstance(command, Submit)] == ["m[3]"]
    assert live(life) == ["m[0]", "m[3]"]
    assert len(life.node("m[3]").history) == 1


def test_a_step_ends_with_the_last_of_its_lanes_and_what_follows_begins() -> None:
    life = mapped(3)
    succeed(life, 0, 2)
    assert life.state("m") == "mapping"
    succeed(life, 1)
    assert life.phase("m") == Succeeded()
    assert live(life) == ["z"]


def test_a_step_without_items_has_succeeded_at_once_with_an_empty_list() -> None:
    life = mapped(0)
    assert life.phase("m") == Succeeded([])
    assert live(life) == ["z"]


def test_a_list_that_there_can_not_be_fails_the_step() -> None:
    life = Life(step("m", for_each=ForEach([])), step("z", "m"))
    life.start()
    life.examined("m", error="`for_each` must give a list, and gives 3")
    assert life.phase("m") == Failed("`for_each` must give a list, and gives 3")
    assert life.run.state is RunState.FAILED


def test_an_item_is_tried_again_like_any_step() -> None:
    life = mapped(2, retry=retried(2))
    fail(life, 0)
    assert life.state("m[0]") == "retrying"
    life.later(HOUR).wake("m[0]")
    life.verdict("m[0]", JobState.SUCCEEDED, attempt=2)
    succeed(life, 1)
    assert life.state("m") == "succeeded"


def test_as_many_items_as_allowed_may_fail() -> None:
    life = mapped(4, allow_failures=Allowance(2))
    fail(life, 0, 1)
    succeed(life, 2, 3)
    assert life.phase("m") == Succeeded()
    assert life.node("m[3]").tally == Tally(1, 1, "no 1")


def test_a_share_of_the_items_may_fail() -> None:
    life = mapped(7, max_parallel=7, allow_failures=Allowance(percent=30.0))
    fail(life, 0, 1)
    succeed(life, 2, 3, 4, 5, 6)
    assert life.state("m") == "succeeded"


def test_one_failure_more_fails_the_step_and_it_says_how_many_which_and_why() -> None:
    life = mapped(4, max_parallel=4, allow_failures=Allowance(1))
    fail(life, 3, 1)
    succeed(life, 0, 2)
    assert life.phase("m") == Failed("2 of 4 items failed, at most 1 may; first: item 1: no 1")
    assert life.state("z") == "upstream_failed"
    assert life.run.error == "step m did not succeed"


def test_a_lane_ends_when_more_items_have_failed_than_may_and_the_others_do_when_they_hear_of_it() -> None:
    life = mapped(20)
    fail(life, 0)
    assert life.phase("m[2]") == Cancelled()
    assert life.state("m[4]") == "waiting"
    assert life.state("m") == "mapping"
    succeed(life, 1)
    assert life.phase("m[3]") == Cancelled()
    assert life.phase("m") == Failed(
        "1 of 20 items failed, at most 0 may; 18 were not begun or stopped; first: item 0: no 0"
    )


def test_a_cancel_stops_what_runs_and_begins_nothing_more() -> None:
    life = mapped(7)
    life.running("m[0]").running("m[1]")
    life.follow(CancelRun(RUN))
    life.follow(Found(RUN, "cancel", 0, ("m[0]", "m[1]")))
    life.verdict("m[0]", JobState.CANCELLED)
    assert life.phase("m[0]") == Cancelled()
    assert NodeKey(RUN, "m[2]") not in life.docs
    life.verdict("m[1]", JobState.SUCCEEDED)
    assert life.phase("m[3]") == Cancelled(), "an item that was not begun ends its lane"
    assert NodeKey(RUN, "m[5]") not in life.docs
    assert life.phase("m") == Cancelled()
    assert life.run.state is RunState.CANCELLED


def test_an_item_that_its_lane_has_not_come_to_does_not_begin() -> None:
    life = mapped(7)
    for index in (2, 6, 7, 100):
        life.wake(f"m[{index}]")
        life.wake(f"m[{index}]", echo=True)
    life.wake("z[1]")
    life.wake("m[~0]")
    life.wake("m[x]")
    assert live(life) == ["m[0]", "m[1]"]


def test_the_repeat_of_an_items_end_begins_the_next_or_tells_the_step() -> None:
    life = mapped(3)
    life.hear(Wake(RUN, "m[0]"))
    decision = life.hear(_verdict("m[1]"))  # nobody carries out what it tells
    assert decision.events == (Joined(RUN, "m"),)
    assert life.hear(_verdict("m[1]")).events == (Joined(RUN, "m"),)
    life.hear(_verdict("m[0]"))
    again = life.hear(_verdict("m[0]"))
    assert again.events == (Wake(RUN, "m[2]"),), "its intent may have nobody who carries it out"
    succeed(life, 2)
    assert life.state("m") == "succeeded"


def _verdict(node: str) -> Verdict:
    return Verdict(RUN, node, 1, JobState.SUCCEEDED, "job")


def test_the_repeat_of_the_steps_own_wake_looks_for_lanes_that_stand_still() -> None:
    life = mapped(7)
    assert only(Find, life.wake("m")) == [Find(RUN, "lanes", 0, "m")]
    assert life.follow(Found(RUN, "lanes", 0, ())) == []


def test_a_watch_reaches_a_step_whose_lanes_stand_still_and_looks_less_and_less_often() -> None:
    life = mapped(7)
    assert life.node("m").due == NOON + HOUR
    life.later(HOUR)
    assert only(Find, life.follow(Found(RUN, "watch", 1, ("m",)))) == [Find(RUN, "lanes", 0, "m")]
    assert life.node("m").due == NOON + 3 * HOUR


def test_an_end_that_was_joined_twice_counts_once() -> None:
    life = mapped(2)
    succeed(life, 0)
    succeed(life, 0)
    life.follow(Joined(RUN, "m"))
    assert life.state("m") == "mapping"
    assert len(life.node("m").arrived) == 1


def test_many_lanes_begin_and_are_joined_in_groups() -> None:
    life = mapped(1_000, max_parallel=100)
    assert life.commands[-4:] == [Find(RUN, "lanes", 0, f"m[~{group}]") for group in range(4)]
    life.follow(Found(RUN, "lanes", 0, tuple(f"m[{index}]" for index in range(32))))
    life.follow(Found(RUN, "lanes", 0, tuple(f"m[{index}]" for index in range(32, 64))))
    life.follow(Found(RUN, "lanes", 0, tuple(f"m[{index}]" for index in range(64, 96))))
    life.follow(Found(RUN, "lanes", 0, tuple(f"m[{index}]" for index in range(96, 100))))
    assert len(live(life)) == 100
    others = [index for index in range(1_000) if index % 100 != 4]
    succeed(life, *others)
    assert [life.state(f"m[~{group}]") for group in range(4)] == ["waiting", *["succeeded"] * 3]
    assert life.state("m") == "mapping"
    succeed(life, *range(4, 1_000, 100))
    assert life.phase("m") == Succeeded()
    assert len(life.node("m").arrived) == 4
    assert live(life) == ["z"]


def test_few_items_in_many_lanes_fill_one_group() -> None:
    life = mapped(3, max_parallel=100)
    life.follow(Found(RUN, "lanes", 0, ("m[0]", "m[1]", "m[2]")))
    fail(life, 1)
    succeed(life, 0, 2)
    assert life.phase("m") == Failed("1 of 3 items failed, at most 0 may; first: item 1: no 1")
    assert life.wake("m[~0]") == [], "a repeat changes nothing"


@pytest.mark.parametrize("lanes", [1, 2, 3, 7])
def test_what_the_lanes_tell_adds_up(lanes: int) -> None:
    life = mapped(7, max_parallel=lanes, allow_failures=Allowance(7))
    for index in range(7):
        (fail if index % 3 == 1 else succeed)(life, index)
    told = [msgspec.json.decode(mark, type=Mark) for mark in life.node("m").arrived]
    assert len(told) == lanes
    assert sum(mark.done for mark in told) == 7
    assert sum(mark.failed for mark in told) == 2
    assert min(mark.first for mark in told if mark.first is not None) == 1


# Another try ------------------------------------------------------------


def tried_again(life: Life, items: ItemList) -> Life:
    """The next try of the run, in which `m` has its list."""
    again = Life(run=next_try(RUN), plan=life.plan)
    again.docs |= life.docs
    again.start()
    again.examined("m", items=items)
    return again


def test_another_try_takes_over_the_items_that_succeeded_and_runs_all_others() -> None:
    life = mapped(5, allow_failures=Allowance(0))
    succeed(life, 1)
    fail(life, 0)
    assert life.state("m") == "mapping"
    succeed(life, 3)
    assert life.state("m") == "failed"
    assert NodeKey(RUN, "m[4]") not in life.docs
    again = tried_again(life, ItemList(5, "lists/5"))
    assert live(again) == ["m[0]"]
    again.examined("m[1]", adopt=True)
    again.examined("m[3]", adopt=True)
    assert again.phase("m[3]") == Succeeded(3, adopted=RUN)
    succeed(again, 0, 2, 4)
    assert again.state("m") == "succeeded"


def test_an_item_whose_outputs_are_gone_is_done_again() -> None:
    life = mapped(2)
    succeed(life, 1)
    fail(life, 0)
    again = tried_again(life, ItemList(2, "lists/2"))
    again.examined("m[1]", adopt=False)
    assert live(again) == ["m[0]", "m[1]"]


def test_nothing_is_taken_over_by_index_when_the_list_is_another() -> None:
    life = mapped(2)
    succeed(life, 1)
    fail(life, 0)
    again = tried_again(life, ItemList(2, "lists/other"))
    assert live(again) == ["m[0]", "m[1]"]


def test_a_step_that_succeeded_is_taken_over_as_a_whole_with_its_list() -> None:
    life = Life(step("m", for_each=ForEach([])), step("z", "m"))
    life.start()
    life.examined("m", items=LIST)
    succeed(life, *range(7))
    life.verdict("z", JobState.FAILED)
    again = Life(run=next_try(RUN), plan=life.plan)
    again.docs |= life.docs
    again.start()
    again.examined("m", adopt=True, items=LIST)
    assert again.phase("m") == Succeeded(adopted=RUN)
    assert again.node("m").items == LIST
    assert live(again) == ["z"]


# Beside other features --------------------------------------------------


def test_a_pool_counts_items_and_not_the_step() -> None:
    life = Life(step("m", for_each=ForEach([]), max_parallel=2, pool="database"))
    life.start()
    for begins in life.hear(Examined(RUN, "m", items=ItemList(3, "lists/3"))).events:
        life.hear(begins)
    assert life.state("m") == "mapping"
    assert [life.state(f"m[{index}]") for index in range(3)] == ["queued", "queued", "waiting"]
    waiters = [key for key in life.docs if isinstance(key, WaiterKey)]
    assert len(waiters) == 2


def test_a_condition_is_about_the_step_and_looked_at_once() -> None:
    life = Life(step("m", for_each=ForEach([]), condition="{{ true }}"), step("z", "m"))
    life.start()
    life.examined("m", wanted=False, items=LIST)
    assert life.state("m") == "skipped"
    assert life.state("z") == "skipped"


def test_an_item_whose_outputs_are_there_is_done_without_a_job() -> None:
    life = mapped(2, unless_exists="exists", outputs=("gs://w/{{ item }}",))
    assert live(life) == []
    life.examined("m[0]", done=True)
    assert life.state("m[0]") == "succeeded"
    life.examined("m[1]")
    assert live(life) == ["m[1]"]


def test_the_job_of_an_item_leads_back_to_it() -> None:
    plan = mapped(3).plan
    assert plan.numbered(0, 2) == "m[2]"
    assert plan.numbered(0) is None, "the step has no job of its own"
    assert plan.numbered(1) == "z"
    assert plan.numbered(1, 2) is None, "`z` has no items"
    found = plan.step_node("m[2]")
    assert (found.step.name, found.number, found.step.for_each) == ("m", 0, None)
    for name in ("m[x]", "z[1]", "m[01]", "m["):
        assert plan.node(name) is None
