"""What a round consists of, and what its run sees of it."""

from __future__ import annotations

import json

import pytest
from onward.core import manifests
from onward.core.errors import UserError
from onward.core.manifests import Manifest
from onward.core.pipeline import ObjectsTrigger, Part
from onward.core.state import Member, Set

TRIGGER = ObjectsTrigger(
    "landing",
    (Part("orders", "orders/{day}.csv"), Part("extra", "extra/{day}/{n}.csv")),
    ("day",),
    ("**/x*",),
)
MANY = json.dumps([str(n) for n in range(10_001)]).encode()
DOC = Set("p", "plan", 0, {"day": "1"})


def member(
    name: str, generation: str = "1", *, at: int = 0, taken: int | None = None, **captures: str
) -> Member:
    facts = {
        "uri": f"gs://landing/{name}",
        "name": name,
        "generation": generation,
        "size": 2,
        "captures": captures,
    }
    return Member(at, facts, "orders", taken)


def test_the_newest_generation_of_each_object_counts() -> None:
    found = manifests.of_members(
        [("a1", member("a", "9")), ("a2", member("a", "10")), ("b", member("b", taken=1))], {}
    )
    assert [(each["name"], each["generation"]) for each in found.objects] == [("a", "10"), ("b", "1")]
    assert found.take == ("a1", "a2"), "what an earlier round has taken is not taken again"


def test_where_generations_do_not_grow_the_later_arrival_is_the_newer() -> None:
    members = [("a1", member("a", "7.9.3", at=1)), ("a2", member("a", "7.1.3", at=2))]
    for order in (members, members[::-1]):
        (found,) = manifests.of_members(order, {}).objects
        assert found["generation"] == "7.1.3"


def test_equal_sets_have_the_same_content_whoever_told_of_them_and_in_which_order() -> None:
    one = manifests.of_members([("a", member("a")), ("b", member("b"))], {})
    other = manifests.of_members([("b", member("b", at=5)), ("a", member("a", taken=1))], {})
    assert manifests.content(one) == manifests.content(other)
    assert manifests.content(one) != manifests.content(Manifest(one.objects[:1]))


def test_a_part_whose_name_is_open_is_a_list_and_any_other_a_uri() -> None:
    objects = ({"part": "orders", "uri": "gs://o"}, {"part": "extra", "uri": "gs://e"})
    seen = manifests.summary(Manifest(objects, (), manifests.lists(TRIGGER)))
    assert seen == {"uris": ["gs://o", "gs://e"], "parts": {"orders": "gs://o", "extra": ["gs://e"]}}
    assert manifests.summary(Manifest(lists=manifests.lists(TRIGGER)))["parts"] == {
        "orders": None,
        "extra": [],
    }


def test_a_list_that_is_too_long_for_the_run_is_left_in_the_manifest() -> None:
    few = manifests.of_members([("a", member("a"))], {})
    facts = manifests.facts("objects", "s", DOC, few, "gs://m")
    assert (facts["day"], facts["uris"], facts["count"], facts["bytes"]) == ("1", ["gs://landing/a"], 1, 2)
    many = manifests.of_members([(f"m{n}", member(f"{n:0200}")) for n in range(100)], {})
    facts = manifests.facts("objects", "s", DOC, many, "gs://m")
    assert (facts["count"], facts["manifest"]) == (100, "gs://m")
    assert "uris" not in facts
    assert "parts" not in facts


def test_members_give_the_parameters_in_which_they_agree() -> None:
    found = manifests.of_members(
        [("a", member("a", day="1", shop="x")), ("b", member("b", day="1", shop="y", kind="z"))], {}
    )
    assert manifests.agreed(DOC, found) == {"day": "1", "kind": "z"}


@pytest.mark.parametrize(
    ("pattern", "glob"),
    [
        ("orders/{day}.csv", "orders/a?b.csv"),
        ("orders/{shop}/{day}*.csv", "orders/*/a?b*.csv"),
        ("**/{day}_v[0-9].csv", "**/a?b_v?.csv"),
    ],
)
def test_a_part_is_looked_for_by_a_glob_in_which_the_key_stands_for_itself(pattern: str, glob: str) -> None:
    assert manifests.glob(pattern, {"day": "a*b"}) == glob


def test_an_object_is_the_first_part_that_matches_unless_it_is_excluded() -> None:
    assert manifests.part_of(TRIGGER, "extra/1/2.csv") == ("extra", {"day": "1", "n": "2"})
    assert manifests.part_of(TRIGGER, "extra/1/x2.csv") is None
    assert manifests.part_of(TRIGGER, "other/1.csv") is None


@pytest.mark.parametrize("body", [b'["a", "gs://landing/b", "a"]', b"a\r\n\n gs://landing/b\na"])
def test_a_list_names_objects_by_json_or_by_lines(body: bytes) -> None:
    assert manifests.listed_names(body, "landing") == ("a", "b")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "it lists no objects"),
        (b"[]", "it lists no objects"),
        (b"\xff", "it is not UTF-8 text"),
        (b"[1]", "its JSON list holds something that is not text"),
        (b'["a"', "it is not the JSON list that it begins as"),
        (b"[" * 100_000, "it is not the JSON list that it begins as"),
        (b"gs://other/a", "it lists `gs://other/a`, which is not in bucket landing"),
        (b"x" * (1024 * 1024 + 1), "it has more than 1,048,576 bytes"),
        (
            json.dumps([str(n) for n in range(10_001)]).encode(),
            "it lists 10,001 objects; at most 10,000 are allowed",
        ),
    ],
)
def test_what_is_no_list_of_objects_says_why(body: bytes, why: str) -> None:
    with pytest.raises(UserError) as caught:
        manifests.listed_names(body, "landing")
    assert str(caught.value) == why
