"""The items of a `for_each` outside of the core: the frozen list, how far the lanes are, the results."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from onward.core.errors import NotFound, UserError
from onward.core.events import Bell, ItemList, JobState
from onward.core.naming import next_try
from onward.core.pipeline import Allowance, ForEach
from onward.core.state import Cancelled, Failed, Node, NodeKey, Running, Succeeded, Tally
from onward.items import LARGEST_ITEM, PAGE, Lists, expand, named, progress, standing_still
from onward.ports import Status, Versioned
from onward.views import Views
from unit.shelf import NOON, RUN, Shelf, step

ITEM = {"item": "{{ item }}", "place": "{{ index }}"}


def mapped(each: Any, alone: bool = True, **fields: Any) -> Shelf:
    """An engine with a step `m` over a list and `z` after it, which takes the list of outputs."""
    first = step("m", args=ITEM, for_each=ForEach(each) if isinstance(each, list | str) else each, **fields)
    return Shelf(first, step("z", "m", args={"all": "{{ steps.m.output }}"}), alone=alone)


def put(shelf: Shelf, nodes: dict[str, Node]) -> None:
    for name, node in nodes.items():
        shelf.store.docs[NodeKey(RUN, name)] = Versioned(node, 1)


# The list ---------------------------------------------------------------


def test_each_item_is_rendered_with_its_value_and_its_place() -> None:
    shelf = mapped(["a", {"b": 1}])
    shelf.start()
    assert [request.step.does.args for request in shelf.service.requests] == [  # type: ignore[union-attr]
        {"item": "a", "place": 0},
        {"item": {"b": 1}, "place": 1},
    ]
    assert [request.node for request in shelf.service.requests] == ["m[0]", "m[1]"]


def test_a_list_is_kept_in_pages_under_its_content_and_read_page_by_page() -> None:
    shelf = mapped([])
    lists = Lists(shelf)
    frozen = lists.freeze(list(range(PAGE + 2)))
    assert frozen == ItemList(PAGE + 2, frozen.name)
    assert lists.freeze(list(range(PAGE + 2))) == frozen
    assert lists.freeze(list(range(PAGE + 1))).name != frozen.name
    assert sorted(name for name in shelf.objects if frozen.name in name) == [
        f"gs://state/{frozen.name}/0.json",
        f"gs://state/{frozen.name}/1.json",
    ]
    assert [lists.item(frozen, index) for index in (0, PAGE - 1, PAGE, PAGE + 1)] == [
        0,
        PAGE - 1,
        PAGE,
        PAGE + 1,
    ]
    shelf.objects.clear()
    assert lists.item(frozen, 1) == 1, "a page is kept once it was read"
    with pytest.raises(NotFound, match="is not there any more"):
        Lists(shelf).item(frozen, 1)


def test_an_item_that_is_too_large_is_refused() -> None:
    with pytest.raises(UserError, match=r"item 1 of `for_each` takes 8,195 bytes, of at most 8,192"):
        Lists(mapped([])).freeze(["a", "x" * (LARGEST_ITEM + 1)])


@pytest.mark.parametrize(
    ("value", "shown"), [(3, "3"), ("text", "text"), ({"a": 1}, '{"a":1}'), (None, "null")]
)
def test_what_is_no_list_is_refused(value: object, shown: str) -> None:
    with pytest.raises(UserError, match="`for_each` must give a list, and gives") as caught:
        expand(ForEach("{{ x }}"), {"x": value}, mapped([]))
    assert shown in str(caught.value)


@pytest.mark.parametrize(
    "each", [ForEach("{{ x }}"), ForEach("{{ x[:400] }}", name="a", inner=ForEach("{{ x[:400] }}"))]
)
def test_a_list_that_is_too_long_is_refused(each: ForEach) -> None:
    with pytest.raises(UserError, match=r"more than 100,000 items: run over batches of them"):
        expand(each, {"x": list(range(100_001))}, mapped([]))


def test_a_list_within_a_list_gives_each_pair_and_may_name_the_outer_item() -> None:
    each = ForEach(["a", "b"], name="x", inner=ForEach(["{{ x }}1", 2], name="y"))
    found = expand(each, {}, mapped([]))
    assert found == [["a", "a1"], ["a", 2], ["b", "b1"], ["b", 2]]
    assert named(each, 2, found[2]) == {"x": "b", "y": "b1", "index": 2}


def test_the_objects_of_a_glob_are_items_in_the_order_of_their_names() -> None:
    shelf = mapped([])
    for name in ("b.csv", "a.csv", "c.txt"):
        shelf.objects[f"gs://w/{name}"] = b"1"
    each = ForEach(None, "gs://{{ env.work }}/*.csv")
    assert expand(each, {"env": {"work": "w"}}, shelf) == ["gs://w/a.csv", "gs://w/b.csv"]


def test_a_list_that_can_not_be_made_fails_the_step_with_the_reason() -> None:
    shelf = mapped("{{ 3 }}")
    shelf.start()
    assert shelf.node("m").phase == Failed("`for_each` must give a list, and gives `3`")
    assert not shelf.service.requests


# The whole --------------------------------------------------------------


def ended(shelf: Shelf) -> None:
    """All jobs end by and by."""
    rung = 0
    while rung < len(shelf.service.requests):
        request = shelf.service.requests[rung]
        rung += 1
        shelf.engine.handle(Bell(request.run, request.node, request.attempt))


def test_what_comes_after_it_gets_the_outputs_in_order_composed_once() -> None:
    shelf = mapped(["a", "b", "c"], max_parallel=2, allow_failures=Allowance(1))
    for name, status in {
        "m[0]": Status(JobState.SUCCEEDED, "job", {"rows": 1}),
        "m[1]": Status(JobState.FAILED, "job", error="no"),
        "m[2]": Status(JobState.SUCCEEDED, "job", "x" * 40_000),
    }.items():
        shelf.service.states[name] = status
    shelf.start()
    ended(shelf)
    assert shelf.run().state == "succeeded"
    does = shelf.service.requests[-1].step.does
    assert does.args == {"all": [{"rows": 1}, None, "x" * 40_000]}  # type: ignore[union-attr]
    assert msgspec.json.decode(shelf.objects[f"gs://state/outputs/{RUN}/m.json"])[0] == {"rows": 1}


def test_a_new_try_runs_over_the_same_list_although_a_glob_would_give_another() -> None:
    shelf = mapped(ForEach(None, "gs://in/*.csv"))
    shelf.objects["gs://in/a.csv"] = shelf.objects["gs://in/b.csv"] = b"1"
    shelf.service.states["m[1]"] = Status(JobState.FAILED, "job", error="no")
    shelf.start()
    ended(shelf)
    assert shelf.run().state == "failed"
    shelf.objects["gs://in/0.csv"] = b"1"
    del shelf.service.states["m[1]"]
    again = next_try(RUN)
    shelf.engine.handle(shelf.start_event(again))
    ended(shelf)
    assert shelf.run(again).state == "succeeded"
    assert shelf.node("m", again).items == shelf.node("m").items
    assert shelf.state("m[0]", again) == "succeeded"
    assert [request.node for request in shelf.service.requests if request.run == again] == ["m[1]", "z"]


# The lanes --------------------------------------------------------------


def lanes() -> Shelf:
    """Ten items in four lanes: 0 stands still after an item, 1 runs its third, 2 has not begun, 3 is over."""
    shelf = mapped(list(range(10)), alone=False, max_parallel=4)
    put(
        shelf,
        {
            "m": Node(items=ItemList(10, "lists/ten")),
            "m[0]": Node(Succeeded(), tally=Tally()),
            "m[1]": Node(Succeeded(), tally=Tally()),
            "m[5]": Node(Failed("no"), tally=Tally()),
            "m[9]": Node(Running("job", NOON, NOON), tally=Tally(1, 5, "no")),
            "m[3]": Node(Succeeded(), tally=Tally()),
            "m[7]": Node(Cancelled(), tally=Tally()),
        },
    )
    return shelf


def test_of_lanes_that_stand_still_the_next_item_is_woken_or_the_last_to_tell_its_parent() -> None:
    shelf = lanes()
    assert standing_still(shelf.store, shelf.plan, RUN, "m") == ["m[4]", "m[2]", "m[7]"]
    assert standing_still(shelf.store, shelf.plan, RUN, "m[~0]") == ["m[4]", "m[2]", "m[7]"]
    assert standing_still(shelf.store, shelf.plan, RUN, "m[~1]") == []
    assert standing_still(shelf.store, shelf.plan, RUN, "z") == []


def test_how_far_it_is_is_told_from_the_last_items_of_its_lanes() -> None:
    shelf = lanes()
    shelf.store.reads.clear()
    counts = progress(shelf.store, shelf.plan.step_node("m").step, RUN, ItemList(10, "lists/ten"))
    assert counts == {"count": 10, "succeeded": 3, "failed": 1, "running": 1}
    assert len(shelf.store.reads) <= 3


def test_a_step_over_a_list_is_one_step_to_those_who_look_and_its_items_are_listed_when_asked() -> None:
    shelf = mapped(["a", "b", "c"], max_parallel=1)
    shelf.start()
    views = Views(shelf.store, shelf)
    steps = views.run(RUN)["steps"]
    assert [each["name"] for each in steps] == ["m", "z"]
    assert steps[0]["state"] == "mapping"
    assert steps[0]["items"] == {"count": 3, "succeeded": 0, "failed": 0, "running": 1}
    assert "items" not in steps[1]
    found = views.items(RUN, "m", first=0, limit=2)
    assert [(each["name"], each["state"]) for each in found] == [("m[0]", "running"), ("m[1]", "waiting")]
    assert found[0]["job"] == "id-m[0]"
    assert views.items(RUN, "z") == []
    with pytest.raises(NotFound, match="has no step `x`; there are `m` and `z`"):
        views.items(RUN, "x")
