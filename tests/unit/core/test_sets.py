"""The rules of sets, each decided on its own documents alone."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from onward.core import sets
from onward.core.commands import Decision, Delete, FindMembers, Freeze, Put, ReadManifest, SetTimer, TellOfSet
from onward.core.draft import Context
from onward.core.events import (
    Arrived,
    Frozen,
    ManifestRead,
    MembersFound,
    MembersSwept,
    SetEvent,
    SetRang,
    StartRun,
)
from onward.core.horizon import HORIZON, LONGEST_TIMER
from onward.core.manifests import MARK
from onward.core.pipeline import (
    HOUR,
    MINUTE,
    SECOND,
    AbsentTrigger,
    BatchTrigger,
    ObjectsTrigger,
    Param,
    Part,
    Pipeline,
    Python,
    Step,
)
from onward.core.plan import WIDTH, Plan, compile_plan
from onward.core.state import Closing, Document, Key, Member, MemberKey, Set, SetKey

NOON = 1_700_000_000 * SECOND
PARTS = (Part("orders", "orders/{day}.csv"), Part("rates", "rates/{day}.csv"))
STEPS = (Step("a", Python("steps.py", "a")),)
SET = SetKey("s")


def compiled(trigger: Any, *params: Param) -> Plan:
    return compile_plan(Pipeline("p", STEPS, triggers=(trigger,), params=params))


PARTED = compiled(ObjectsTrigger("landing", PARTS, ("day",)), Param("day", "date"))
MARKED = compiled(ObjectsTrigger("landing", PARTS, ("day",), marker="done/{day}"), Param("day", "date"))
QUIET = compiled(ObjectsTrigger("landing", PARTS, ("day",), quiet=MINUTE), Param("day", "date"))
BATCH = compiled(BatchTrigger("landing", ("*.csv",), 3, MINUTE))


class Story:
    """A set whose documents live in a dictionary, and whose clock moves when told."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.now = NOON
        self.docs: dict[Key, Document] = {}

    def hear(self, event: SetEvent) -> Decision:
        keys = sets.scope(event)
        assert len(keys) <= WIDTH
        docs = {key: self.docs.get(key) for key in keys}
        decision = sets.decide(self.plan, docs, event, Context(self.now, "token"))
        assert len(decision.changes) <= WIDTH
        for change in decision.changes:
            assert change.key in keys, "it writes what it has not read"
            match change:
                case Put(key=key, doc=doc):
                    self.docs[key] = doc
                case Delete(key=key):
                    del self.docs[key]
        return decision

    def arrives(self, member: str, part: str = "") -> Decision:
        return self.hear(Arrived("s", member, "p", self.plan.name, 0, {"day": "1"}, part, {"name": member}))

    def finds(self, waiting: int, earliest: int | None = None, newest: int | None = None) -> Decision:
        timed = earliest is not None or newest is not None
        return self.hear(MembersFound("s", self.set.round, waiting, timed, True, earliest, newest))

    def frozen(self, **fields: Any) -> Decision:
        told = {"round": self.set.round, "marked": self.set.marked, "manifest": "gs://m", "content": "c"}
        return self.hear(Frozen("s", **{**told, "given": {"day": "2026-01-01"}, **fields}))

    @property
    def set(self) -> Set:
        found = self.docs[SET]
        assert isinstance(found, Set)
        return found

    def change(self, **fields: Any) -> None:
        self.docs[SET] = replace(self.set, **fields)


def kinds(decision: Decision) -> list[type]:
    return [type(command) for command in decision.commands]


# Arrivals ---------------------------------------------------------------------


def test_a_set_is_opened_with_its_timer_set_first() -> None:
    story = Story(BATCH)
    decision = story.arrives("a")
    (timer,) = decision.prepare
    assert isinstance(timer, SetTimer)
    assert (timer.at, timer.event) == (NOON + MINUTE, SetRang("s"))
    assert story.set.due == timer.at


def test_a_set_that_is_opened_again_after_a_crash_has_another_timer() -> None:
    first, second = Story(BATCH), Story(BATCH)
    second.now += SECOND
    assert first.arrives("a").prepare != second.arrives("a").prepare


def test_an_arrival_writes_its_member_alone_and_looks_after_that() -> None:
    story = Story(PARTED)
    story.arrives("a", "orders")
    decision = story.arrives("b", "orders")
    assert [change.key for change in decision.changes] == [MemberKey("s", "b")]
    assert kinds(decision) == [FindMembers]


def test_an_arrival_that_is_told_again_writes_nothing_and_rings() -> None:
    story = Story(PARTED)
    story.arrives("a", "orders")
    assert story.arrives("a", "orders") == Decision(events=(SetRang("s"),))


def test_an_arrival_that_completes_a_set_touches_no_object_but_rings() -> None:
    story = complete()
    assert story.hear(MembersFound("s", 1, 0)) == Decision(events=(SetRang("s"),))


def test_a_set_goes_by_the_plan_of_its_latest_arrival() -> None:
    story = Story(PARTED)
    story.arrives("a", "orders")
    story.plan = compiled(ObjectsTrigger("landing", PARTS, ("day",), on_rewrite="ignore"))
    story.arrives("b", "orders")
    assert story.set.plan == story.plan.name


def test_a_set_whose_trigger_became_another_kind_is_left_alone() -> None:
    story = Story(PARTED)
    story.arrives("a", "orders")
    story.plan = compile_plan(Pipeline("p", STEPS))
    assert story.hear(SetRang("s")) == Decision()


# Complete, or not yet -----------------------------------------------------------


def test_a_set_is_complete_when_each_part_is_there() -> None:
    story = Story(PARTED)
    story.arrives("a", "orders")
    assert story.finds(0).commands == ()
    story.arrives("b", "rates")
    assert story.finds(0).commands == (Freeze("s", 1),)


def test_a_look_at_an_earlier_round_closes_nothing() -> None:
    story = Story(BATCH)
    story.arrives("a")
    story.change(round=2)
    assert story.hear(MembersFound("s", 1, 3)) == Decision()


def test_a_batch_whose_window_is_over_is_closed_however_few_wait() -> None:
    story = Story(BATCH)
    story.arrives("a")
    assert story.finds(1, earliest=NOON, newest=NOON).commands == ()
    story.now += MINUTE
    assert kinds(story.finds(1, earliest=NOON, newest=NOON)) == [Freeze]


def test_the_first_of_a_new_batch_brings_its_window_forward() -> None:
    story = Story(BATCH)
    story.arrives("a")
    story.change(due=NOON + LONGEST_TIMER)
    assert story.finds(1).commands == (FindMembers("s", 3, True, True),)
    story.finds(1, earliest=NOON - SECOND, newest=NOON)
    assert story.set.due == NOON - SECOND + MINUTE


def test_a_quiet_time_begins_anew_with_the_newest_member() -> None:
    story = Story(QUIET)
    story.arrives("a", "orders")
    story.now += MINUTE
    (timer,) = story.finds(1, earliest=NOON, newest=NOON + 50 * SECOND).commands
    assert isinstance(timer, SetTimer)
    assert timer.at == NOON + 50 * SECOND + MINUTE
    story.now = timer.at
    assert kinds(story.finds(1, earliest=NOON, newest=NOON + 50 * SECOND)) == [Freeze]


def test_a_timer_whose_setting_a_crash_left_out_is_set_when_its_event_comes_again() -> None:
    story = Story(QUIET)
    story.arrives("a", "orders")
    story.now += MINUTE
    (timer,) = story.finds(1, earliest=NOON, newest=story.now).commands
    assert timer in story.hear(SetRang("s")).commands


# Closing -----------------------------------------------------------------------


def complete(plan: Plan = PARTED) -> Story:
    story = Story(plan)
    story.arrives("a", "orders")
    story.arrives("b", "rates")
    return story


def test_a_round_is_closed_in_one_write_that_holds_the_run_and_then_its_members_are_taken() -> None:
    story = complete()
    decision = story.frozen(facts={"uris": ["gs://x"]})
    (start,) = decision.events
    assert isinstance(start, StartRun)
    assert (start.params, start.trigger) == ({"day": "2026-01-01"}, {"uris": ["gs://x"]})
    assert story.set.closing == Closing("gs://m", "c", start)
    assert ReadManifest("s", 1, "gs://m") in decision.commands
    decision = story.hear(ManifestRead("s", 1, ("a", "b"), 2, 2))
    assert (story.set.round, story.set.closing, story.set.last) == (2, None, "c")
    assert [story.docs[MemberKey("s", name)].taken for name in "ab"] == [1, 1]  # type: ignore[union-attr]
    assert FindMembers in kinds(decision), "it looks again at what came meanwhile"


def test_whatever_comes_again_goes_on_with_a_round_that_is_being_closed() -> None:
    story = complete()
    first = story.frozen()
    assert story.arrives("a", "orders").events == (SetRang("s"),)
    again = story.hear(SetRang("s"))
    assert again.events == first.events
    assert ReadManifest("s", 1, "gs://m") in again.commands


def test_an_arrival_that_comes_while_a_round_is_being_closed_waits_for_the_next() -> None:
    story = complete()
    story.frozen()
    story.arrives("c", "orders")
    assert story.finds(1) == Decision()


def test_what_was_frozen_in_an_earlier_round_or_under_another_marker_closes_nothing() -> None:
    story = complete(MARKED)
    story.arrives("m1", MARK)
    assert story.frozen(round=2) == Decision()
    story.arrives("m2", MARK)
    assert story.frozen(marked="m1") == Decision()
    assert story.frozen().events != ()


def test_a_set_that_is_as_it_was_starts_no_other_run() -> None:
    story = complete()
    story.change(last="c", round=2)
    assert story.frozen().events == ()
    assert story.set.closing is not None, "but what came is dealt with"


def test_members_are_taken_by_so_many_that_a_commit_stays_small() -> None:
    story = complete()
    names = tuple(f"m{number}" for number in range(sets.CHUNK))
    for each in names:
        story.docs[MemberKey("s", each)] = Member(NOON)
    story.frozen()
    decision = story.hear(ManifestRead("s", 1, names, sets.CHUNK, 40))
    assert decision.events == (SetRang("s", 1, sets.CHUNK),)
    assert story.set.round == 1
    assert story.hear(SetRang("s", 1, sets.CHUNK)).commands == (ReadManifest("s", 1, "gs://m", sets.CHUNK),)


def test_a_ring_of_an_earlier_round_does_not_skip_members_of_this_one() -> None:
    story = complete()
    story.change(round=2)
    story.frozen(content="d")
    assert ReadManifest("s", 2, "gs://m") in story.hear(SetRang("s", 1, sets.CHUNK)).commands


def test_a_run_that_can_not_start_is_told_and_holds_up_nothing() -> None:
    story = complete()
    decision = story.frozen(given={"day": "no day"})
    assert decision.events == ()
    (told,) = [command for command in decision.commands if isinstance(command, TellOfSet)]
    assert told.what == "refused"
    assert "the parameter `day` must be a date" in told.why


def test_a_manifest_that_is_none_is_told_once_and_waits_for_another() -> None:
    story = complete(MARKED)
    story.arrives("m1", MARK)
    decision = story.frozen(manifest="", problem="it is empty")
    assert TellOfSet in kinds(decision)
    assert story.set.marked is None


def test_a_round_that_is_being_closed_is_looked_at_within_the_hour() -> None:
    story = complete()
    story.frozen()
    assert story.set.due == NOON + HOUR


# Expiry ------------------------------------------------------------------------


def test_a_set_to_which_nothing_comes_is_removed_when_its_time_is_over() -> None:
    story = Story(PARTED)
    story.arrives("a", "orders")
    story.now += LONGEST_TIMER
    story.finds(0, newest=NOON)
    assert story.set.due == NOON + HORIZON
    story.now = NOON + HORIZON
    assert [type(each).__name__ for each in story.finds(0, newest=NOON).commands] == ["SweepMembers"]
    decision = story.hear(MembersSwept("s", ("a",), False))
    assert story.docs == {}
    (told,) = decision.commands
    assert isinstance(told, TellOfSet)
    assert told.what == "expired"


def test_an_object_that_came_on_a_day_of_which_nobody_asks_is_forgotten_in_silence() -> None:
    story = Story(compiled(AbsentTrigger("06:00", bucket="landing", match=("{date}",))))
    story.arrives("a")
    story.now += HORIZON
    assert story.hear(MembersSwept("s", ("a",), False)).commands == ()
    assert story.docs == {}


def test_a_set_to_which_something_came_in_the_last_moment_is_kept() -> None:
    story = Story(PARTED)
    story.arrives("a", "orders")
    story.now += HORIZON
    story.arrives("b", "orders")
    before = dict(story.docs)
    story.hear(MembersSwept("s", ("a", "b"), False))
    assert story.docs.keys() == before.keys()


@pytest.mark.parametrize("event", [SetRang("s"), MembersFound("s", 1, 3), MembersSwept("s", (), False)])
def test_a_set_that_is_gone_stays_gone(event: SetEvent) -> None:
    assert Story(PARTED).hear(event) == Decision()
