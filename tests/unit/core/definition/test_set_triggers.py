"""Triggers whose runs are for a set: what is filled in, and what is refused because no set could be complete."""

# ruff: noqa: E501 - a message is easier to read in one piece
# fmt: off

from __future__ import annotations

import pytest
from onward.core.pipeline import AbsentTrigger, BatchTrigger, ObjectsTrigger
from unit.core.definition.loading import STEP, problems, read

DAY = "params: {date: date}\n"


def pipeline(trigger: str, params: str = DAY) -> str:
    return f"pipeline: p\ntrigger:\n  {trigger}\n{params}steps:\n  a: {{{STEP}}}\n"


def objects(rest: str, params: str = DAY) -> str:
    return pipeline(f"objects: {{bucket: landing, {rest}}}", params)


def absent(rest: str, own: str = 'object: {bucket: landing, match: "in/{date}.csv"}') -> str:
    return pipeline(f"{own}\n  absent_by: {{{rest}}}" if own else f"absent_by: {{{rest}}}")


TWO = 'match: {orders: "orders/{date}.csv", rates: "rates/{date}.json"}'


def trigger(text: str) -> object:
    (found,) = read(text).triggers
    return found


def test_the_parts_of_a_set_agree_in_what_all_of_them_capture() -> None:
    text = objects('match: {orders: "orders/{date}/{shop}.csv", rates: "rates/{date}.json"}', "params: {date: date, shop: {type: string, default: all}}\n")
    found = trigger(text)
    assert isinstance(found, ObjectsTrigger)
    assert found.by == ("date",)


def test_what_is_written_of_it_is_kept() -> None:
    found = trigger(objects(f"{TWO}, by: date, quiet: 10m, on_rewrite: ignore"))
    assert isinstance(found, ObjectsTrigger)
    assert (found.by, found.quiet, found.on_rewrite) == (("date",), 600_000_000, "ignore")


def test_templates_may_name_the_facts_of_a_set() -> None:
    args = '"{{ trigger.uris }} {{ trigger.count }} {{ trigger.bytes }} {{ trigger.parts.orders }} {{ trigger.manifest }} {{ trigger.date }}"'
    read(objects(TWO).replace('"tools.py:tell"', f'"tools.py:tell", args: {{x: {args}}}'))


def test_what_is_awaited_is_what_the_object_trigger_is_for() -> None:
    text = absent('at: "06:00"').replace("landing", '"{{ env.landing }}"')
    _, found = read(text).triggers
    assert isinstance(found, AbsentTrigger)
    assert (found.bucket, found.match) == ("landing-bucket", ("in/{date}.csv",))


def test_a_batch_agrees_in_nothing_unless_it_says_so() -> None:
    found = trigger(pipeline('batch: {bucket: landing, match: "in/*.csv", count: 10, window: 5m}', ""))
    assert isinstance(found, BatchTrigger)
    assert found.by == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (objects('match: {orders: "orders/{date}.csv", rates: "rates/{day}.json"}', "params: {date: {type: date, default: 2026-01-01}, day: {type: date, default: 2026-01-01}}\n"), "3: trigger.objects.match: no capture is in all parts, so nothing says which of their objects belong together; capture the same name in each part"),
        (objects(f"{TWO}, by: [day]"), "3: trigger.objects.by: `day` is not captured by `orders` and `rates`; capture it in each part"),
        (objects(f"{TWO}, count: 3, quiet: 5m"), "3: trigger.objects.quiet: has `count` and `quiet`; keep the one that says when a set is complete"),
        (objects(f'{TWO}, marker: "{{date}}/_SUCCESS", manifest: "{{date}}.txt"'), "3: trigger.objects.manifest: has `marker` and `manifest`; keep the one that says when a set is complete"),
        (objects(f'{TWO}, marker: "_SUCCESS"'), "3: trigger.objects.marker: does not capture `date`, so it does not say of which set it is"),
        (objects(f'{TWO}, marker: "{{date}}/{{x}}"'), "3: trigger.objects.marker: captures `{x}`, by which sets are not told apart; write `*`"),
        (objects(f'{TWO}, marker: "orders/{{date}}.csv"'), "3: trigger.objects.marker: is a part of the set as well; leave it out of `match`"),
        (objects(f'{TWO}, marker: "{{date"'), "3: trigger.objects.marker: `{date` is not complete; write [{] for the character itself"),
        (objects(f'{TWO}, manifest: "{{date}}**"'), "3: trigger.objects.manifest: `**` must be a whole part, not in `{date}**`; write `**/*` for files at any depth"),
        (objects('match: {orders: "orders/{date}**"}'), "3: trigger.objects.match.orders: `**` must be a whole part, not in `{date}**`; write `**/*` for files at any depth"),
        (objects('match: "orders/{date}/*.csv"'), "3: trigger.objects.match: nothing says when a set of it is complete; add one of `count`, `marker`, `manifest` and `quiet`, or name its parts"),
        (objects(f"{TWO}, count: 1"), "3: trigger.objects.count: is less than the 2 parts; leave it out: each part is there then"),
        (objects(f"{TWO}, count: 1001"), "3: trigger.objects.count: must be a whole number from 1 to 1,000, not the number 1001"),
        (objects(f"{TWO}, quiet: 8d"), "3: trigger.objects.quiet: 8d is outside of 1s to 7d"),
        (objects(f"{TWO}, exclude: '{{date}}'"), "3: trigger.objects.exclude: captures `{date}`, of which nothing is made; write `*`"),
        (objects(TWO, "params: {day: {type: date, default: 2026-01-01}}\n"), "3: trigger.objects.match.orders: captures `{date}`, but no parameter is named `date`; add `date: string` to params"),
        (objects(TWO, "params: {date: date, shop: string}\n"), "4: params.shop: no objects could start a run: its objects need not agree in it; capture it and name it in `by` of `objects`, or give a default"),
        (objects(TWO).replace("landing", "La nding"), "3: trigger.objects.bucket: `La nding` is not a bucket's name; 3 to 222 of a-z, 0-9, `-`, `_` and `.`"),
        (pipeline('batch: {bucket: landing, match: "in/{date}.csv", count: 10, window: 5m}'), "4: params.date: no batch could start a run: its objects need not agree in it; capture it and name it in `by` of `batch`, or give a default"),
        (pipeline('batch: {bucket: landing, match: ["in/{date}.csv", "x.csv"], by: date, count: 10, window: 5m}'), "3: trigger.batch.by: `date` is not captured by `x.csv`"),
        (pipeline('batch: {bucket: landing, match: "in/*.csv", count: 10}', ""), "3: trigger.batch: `window` is missing"),
        (pipeline('batch: {bucket: landing, match: "in/*.csv", count: 0, window: 5m}', ""), "3: trigger.batch.count: must be a whole number from 1 to 1,000, not the number 0"),
        (absent('at: "06:00"', ""), "3: trigger.absent_by: `bucket` is missing; the pipeline has no object trigger to take it from"),
        (absent('at: "6:00"'), "4: trigger.absent_by.at: must be a time of day, not `6:00`; such as \"06:00\""),
        (absent('at: "06:00", days: montag'), "4: trigger.absent_by.days: `montag` are no days of the week; such as mon-fri, or 1,3,5"),
        (absent('at: "06:00", time_zone: Stockholm'), "4: trigger.absent_by.time_zone: there is no time zone `Stockholm`; write one such as Europe/Stockholm"),
        (absent('at: "06:00", match: "daily.csv"'), "4: trigger.absent_by.match: `daily.csv` does not capture `{date}`, so it does not say of which day it is; capture it, or name another capture in `params`"),
        (absent('at: "06:00", params: {day: 1}'), "4: trigger.absent_by: `in/{date}.csv` does not capture `{day}`, so it does not say of which day it is; capture it, or name another capture in `params`"),
        (absent('at: "06:00", params: {date: "{{ tine }}"}'), "4: trigger.absent_by.params.date: no parameter is named `tine`; did you mean `time`?"),
        (absent('at: "06:00", match: "{date"'), "4: trigger.absent_by.match: `{date` is not complete; write [{] for the character itself"),
    ],
)
def test_a_set_that_could_not_be_is_refused(text: str, problem: str) -> None:
    assert problem in problems(text)
