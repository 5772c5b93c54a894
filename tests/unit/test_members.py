"""What a look at a set's members may rest on, and what is asked of the bucket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from onward.core.errors import Unavailable
from onward.core.events import Arrived, Event, StartRun
from onward.core.matching import ObjectArrival
from onward.core.pipeline import MINUTE, BatchTrigger, ObjectsTrigger, Param, Part, Pipeline, Python, Step
from onward.core.plan import Plan, compile_plan
from onward.core.starting import Refused, starts
from onward.core.state import MemberKey, SetKey
from onward.ports import Write
from unit.shelf import Shelf

DAY = (Param("day", "string"),)
BATCH = BatchTrigger("landing", ("in/*.csv",), 2, MINUTE)
MARKED = ObjectsTrigger("landing", (Part("0", "in/{day}/*.csv"),), ("day",), marker="{day}.done")


class World:
    """A pipeline with one trigger, in the cloud."""

    def __init__(self, trigger: Any) -> None:
        params = () if isinstance(trigger, BatchTrigger) else DAY
        steps = (Step("a", Python("steps.py", "a", {"of": "{{ trigger.uris }} {{ trigger.count }}"})),)
        self.compiled = compile_plan(Pipeline("p", steps, triggers=(trigger,), params=params))
        self.pipelines = {"p": self.compiled.pipeline}
        self.shelf = Shelf(pipeline=self.compiled.pipeline)
        self.shelf.engine.plans.add(self.compiled)
        self.starts: list[StartRun] = []

    def plan(self, _: str) -> Plan:
        return self.compiled

    def events(self, name: str) -> list[Arrived]:
        found = starts(ObjectArrival("landing", name, "1", 10), self)
        return [event for event in found if isinstance(event, Arrived)]

    def put(self, name: str) -> None:
        self.shelf.objects[f"gs://landing/{name}"] = b"1"

    def hear(self, name: str) -> None:
        """With all that is published of sets: nothing waits."""
        for event in self.events(name):
            self.shelf.engine.handle(event)
        self.deliver()

    def deliver(self) -> None:
        while self.shelf.published:
            event = self.shelf.published.pop(0)
            if isinstance(event, StartRun):
                self.starts.append(event)
            else:
                self.shelf.engine.handle(event)

    def started(self) -> list[StartRun]:
        return self.starts


def test_an_arrival_that_is_committed_after_another_has_closed_the_round_is_not_overlooked() -> None:
    """It read the set before, and may not decide by what it read."""
    world = World(BatchTrigger("landing", ("in/*.csv",), 1, MINUTE))
    store, commit = world.shelf.store, world.shelf.store.commit
    world.hear("in/first.csv")
    (late,) = world.events("in/late.csv")
    between: list[str] = ["in/other.csv"]

    def interrupted(writes: Sequence[Write]) -> Any:
        if between and any(write.change.key == MemberKey(late.set, late.member) for write in writes):
            world.hear(between.pop())
        return commit(writes)

    store.commit = interrupted  # type: ignore[method-assign]
    world.shelf.engine.handle(late)
    world.deliver()
    taken = [member.taken for _, member in store.members(late.set, "any", 10)]
    assert sorted(taken) == [1, 2, 3]  # type: ignore[type-var]
    assert len({start.run for start in world.started()}) == 3


def test_an_arrival_whose_set_expires_under_it_opens_it_again() -> None:
    world = World(BATCH)
    (event,) = world.events("in/a.csv")
    store, commit = world.shelf.store, world.shelf.store.commit

    def interrupted(writes: Sequence[Write]) -> Any:
        done = commit(writes)
        if SetKey(event.set) in store.docs and len(store.docs) == 3:
            del store.docs[SetKey(event.set)]
            store.commit = commit  # type: ignore[method-assign]
        return done

    store.commit = interrupted  # type: ignore[method-assign]
    world.shelf.engine.handle(event)
    assert SetKey(event.set) in store.docs
    world.hear("in/b.csv")
    assert len(world.started()) == 1


def test_with_a_marker_the_bucket_says_what_the_set_is_whatever_was_told_so_far() -> None:
    world = World(MARKED)
    for name in ("in/1/a.csv", "in/1/b.csv", "in/2/c.csv", "in/1/deep/d.csv"):
        world.put(name)
    world.hear("in/1/a.csv")
    world.hear("1.done")
    (start,) = world.started()
    assert start.trigger["uris"] == ["gs://landing/in/1/a.csv", "gs://landing/in/1/b.csv"]
    world.hear("in/1/b.csv")
    world.hear("1.done")
    assert len(world.started()) == 1


def test_a_run_reads_a_list_that_is_too_long_for_it_from_the_manifest() -> None:
    world = World(MARKED)
    for number in range(200):
        world.put(f"in/1/{number:0100}.csv")
    world.hear("1.done")
    (start,) = world.started()
    assert "uris" not in start.trigger
    world.shelf.engine.handle(start)
    (request,) = world.shelf.service.requests
    assert request.step.does.args["of"].count("gs://landing/in/1/") == 200  # type: ignore[union-attr]
    assert request.step.does.args["of"].endswith(" 200")  # type: ignore[union-attr]


def test_more_objects_than_a_set_may_hold_are_told_and_start_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onward.members.MOST_OBJECTS", 3)
    world = World(MARKED)
    told: list[str] = []
    world.shelf.engine.on_set = lambda command: told.append(command.why)
    for number in range(4):
        world.put(f"in/1/{number}.csv")
    world.hear("1.done")
    assert told == ["more than 3 objects are there; a set holds no more"]
    assert world.started() == []


def test_a_bucket_that_can_not_be_listed_is_asked_again_when_the_event_comes_again() -> None:
    world = World(MARKED)
    world.put("in/1/a.csv")
    listed = world.shelf.list

    def fails(glob: str, limit: int) -> Any:
        world.shelf.list = listed  # type: ignore[method-assign]
        raise Unavailable(f"{glob} {limit}")

    world.shelf.list = fails  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        world.hear("1.done")
    assert world.started() == []
    world.hear("1.done")
    assert len(world.started()) == 1


def test_what_a_parameter_could_never_be_is_no_member() -> None:
    trigger = ObjectsTrigger("landing", (Part("0", "{day}.csv"), Part("1", "{day}.json")), ("day",))
    pipeline = Pipeline(
        "p", (Step("a", Python("s.py", "a")),), triggers=(trigger,), params=(Param("day", "date"),)
    )
    plan = compile_plan(pipeline)

    class Deployed:
        pipelines = {"p": pipeline}  # noqa: RUF012

        def plan(self, _: str) -> Plan:
            return plan

    found: list[Event | Refused] = list(starts(ObjectArrival("landing", "x.csv", "1"), Deployed()))  # type: ignore[arg-type]
    (refused,) = found
    assert isinstance(refused, Refused)
    assert "the parameter `day` must be a date" in refused.reason
