"""What a trigger says is refused where it could start no run, or not the one that was meant."""

# ruff: noqa: E501 - a message is easier to read in one piece

import pytest
from onward.core.pipeline import MessageTrigger, ObjectTrigger, PipelineTrigger, ScheduleTrigger
from unit.core.definition.loading import STEP, problems, read


def text(trigger: str, params: str = "") -> str:
    lines = trigger.strip("\n").splitlines()
    return "\n".join(
        [
            "pipeline: p",
            "trigger:",
            *(f"  {line}" for line in lines),
            f"params: {{{params}}}",
            "steps:",
            "  only:",
            f"    {STEP}",
        ]
    )


def said(trigger: str, params: str = "") -> list[str]:
    return problems(text(trigger, params) + "\n")


def test_an_object_trigger_is_read_with_all_that_it_may_say() -> None:
    (trigger,) = read(
        text(
            """
object:
  bucket: "{{ env.landing }}"
  match: ["a/{day}.csv", "b/{day}.csv"]
  exclude: "**/*.tmp"
  min_size: 1
  metadata: {checked: true, source: "{{ env.work }}", level: 2}
""",
            "day: date",
        )
    ).triggers
    assert trigger == ObjectTrigger(
        "landing-bucket",
        ("a/{day}.csv", "b/{day}.csv"),
        ("**/*.tmp",),
        1,
        {"checked": "true", "source": "work-bucket", "level": "2"},
    )


@pytest.mark.parametrize(
    ("trigger", "problem"),
    [
        ("object: {bucket: b-1, match: '*', exclude: '{a}*'}", "3: trigger.object.exclude: two wildcards touch in `{a}*`; put a character between them"),
        ("object: {bucket: b-1, match: '*', exclude: ['x', '{a}.csv']}", "3: trigger.object.exclude: captures `{a}`, of which nothing is made; write `*`"),
        ("object: {bucket: b-1, match: '*', min_size: -1}", "3: trigger.object.min_size: must be a whole number from 0 to 9,223,372,036,854,775,807, not the number -1"),
        ("object: {bucket: b-1, match: '*', metadata: {a: [1]}}", "3: trigger.object.metadata.a: must be a single value, not a list"),
        ("object: {bucket: b-1, match: '*', metadata: {a: '{{ env.lading }}'}}", "3: trigger.object.metadata.a: no value of env is named `lading`; did you mean `landing`?"),
        ("object: {bucket: B, match: '*'}", "3: trigger.object.bucket: `B` is not a bucket's name; 3 to 222 of a-z, 0-9, `-`, `_` and `.`"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_object_trigger_is_said(trigger: str, problem: str) -> None:
    assert said(trigger) == [problem]


def test_a_message_trigger_is_read_with_all_that_it_may_say() -> None:
    trigger = """
message:
  - "{{ env.landing }}"
  - topic: projects/shop/topics/orders
    filter: {kind: new, urgent: true, level: 2, who: "*"}
    params: {day: "{{ data.day }}", n: 3}
"""
    pipeline = read(text(trigger, "day: date, n: int"))
    assert pipeline.triggers == (
        MessageTrigger("landing-bucket"),
        MessageTrigger(
            "projects/shop/topics/orders",
            {"kind": "new", "urgent": "true", "level": "2", "who": "*"},
            {"day": "{{ data.day }}", "n": 3},
        ),
    )


@pytest.mark.parametrize(
    ("trigger", "problem"),
    [
        ("message: '1orders'", "3: trigger.message.topic: `1orders` is not a topic's name; such as orders, or projects/PROJECT/topics/NAME"),
        ("message: google-orders", "3: trigger.message.topic: `google-orders` is not a topic's name; such as orders, or projects/PROJECT/topics/NAME"),
        ("message: '{{ env.nothing }}'", "3: trigger.message.topic: no value of env is named `nothing`; there are `landing` and `work`"),
        ("message: [orders, {topic: '{{ date }}'}]", "3: trigger.message.topic: `date` is not available here; only `env` is"),
        ("message: {topic: orders, params: {day: '{{ dta.day }}', n: 1}}", "3: trigger.message.params.day: `dta.day` is not available here; only `data`, `attributes` and `env` are"),
        ("message: {topic: orders, params: {dya: 1, day: 2}}", "3: trigger.message.params.dya: no parameter is named `dya`; did you mean `day`?"),
        ("message: {topic: orders, params: {n: 1}}", '3: trigger.message.params: no run could start: the parameter `day` (date) is required; add `day: "..."`, or give it a default'),
        ("message: {topic: orders, filter: {a: {b: c}}}", "3: trigger.message.filter.a: must be a single value, not a mapping"),
        ("message: {topic: orders, params: {day: '{{ data.day'}}", "3: trigger.message.params.day: the template does not parse: unexpected end of template, expected 'end of print statement'."),
    ],
)  # fmt: skip
def test_a_mistake_in_a_message_trigger_is_said(trigger: str, problem: str) -> None:
    assert said(trigger, "day: date, n: {type: int, default: 1}") == [problem]


def test_each_trigger_of_a_file_is_checked_where_it_is() -> None:
    trigger = """
message:
  - topic: orders
    params: {dya: 1, day: 2}
  - topic: "?"
object:
  bucket: landing
  match: "{month}.csv"
"""
    found = said(trigger, "day: date")
    assert [each.split(": ")[:2] for each in found] == [
        ["5", "trigger.message.params.dya"],
        ["6", "trigger.message.topic"],
        ["9", "trigger.object.match"],
        ["10", "params.day"],
    ]


def test_a_step_may_name_what_any_of_the_triggers_tells() -> None:
    trigger = 'message: orders\nobject: {bucket: landing, match: "{day}.csv"}'
    names = ("on", "topic", "id", "key", "uri", "day")
    step = "{{ " + " ~ ".join(f"trigger.{name}" for name in names) + " }}"
    whole = text(trigger, "day: date").replace(
        STEP, f'python: {{call: "tools.py:tell", args: {{who: "{step}"}}}}'
    )
    assert read(whole).name == "p"
    (found,) = problems(whole.replace("trigger.topic", "trigger.topik"))
    assert "no fact of the trigger is named `topik`; did you mean `topic`?" in found


def test_a_schedule_trigger_is_read_with_all_that_it_may_say() -> None:
    trigger = """
schedule:
  - "0 6 * * MON-fri"
  - {cron: "*/5 0 1 jan *", time_zone: Europe/Stockholm, params: {day: "{{ time.date() }}"}, catch_up: all}
"""
    pipeline = read(text(trigger, "day: {type: date, default: 2026-01-01}"))
    assert pipeline.triggers == (
        ScheduleTrigger("0 6 * * MON-fri"),
        ScheduleTrigger("*/5 0 1 jan *", "Europe/Stockholm", {"day": "{{ time.date() }}"}, "all"),
    )


@pytest.mark.parametrize(
    ("trigger", "problem"),
    [
        ("schedule: {cron: '0 6 * *', params: {day: 2026-01-01}}", "3: trigger.schedule.cron: `0 6 * *` is not a cron expression; write minute, hour, day, month, day of the week, such as `0 6 * * mon-fri`"),
        ("schedule: {cron: '0 0 31 2 *', params: {day: 2026-01-01}}", "3: trigger.schedule.cron: `0 0 31 2 *` is not a cron expression: Bad day-of-month; write minute, hour, day, month, day of the week, such as `0 6 * * mon-fri`"),
        ("schedule: {cron: '0 6 * * *', time_zone: Europe/Stokholm, params: {day: 2026-01-01}}", "3: trigger.schedule.time_zone: there is no time zone `Europe/Stokholm`; write one such as Europe/Stockholm"),
        ("schedule: {cron: '0 6 * * *', time_zone: '+02:00', params: {day: 2026-01-01}}", "3: trigger.schedule.time_zone: there is no time zone `+02:00`; write one such as Europe/Stockholm"),
        ("schedule: '0 6 * * *'", '3: trigger.schedule.params: no run could start: the parameter `day` (date) is required; add `day: "{{ time.date() }}"`, or give it a default'),
        ("schedule: {cron: '0 6 * * *', params: {day: '{{ date }}'}}", "3: trigger.schedule.params.day: `date` is not available here; only `time` and `env` are"),
        ("schedule: {cron: '0 6 * * *', catch_up: some, params: {day: 2026-01-01}}", "3: trigger.schedule.catch_up: must be one of all, last, none, not `some`"),
        ("schedule: []", "3: trigger.schedule: is empty; give it an item or remove the key"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_schedule_is_said(trigger: str, problem: str) -> None:
    assert said(trigger, "day: date, n: {type: int, default: 1}") == [problem]


def test_a_pipeline_trigger_is_read_with_all_that_it_may_say() -> None:
    trigger = """
pipeline:
  pipelines: [orders, rates]
  states: [succeeded, failed]
  join: [day]
  params: {day: "{{ params.day }}", of: "{{ run.id }}"}
"""
    (found,) = read(text(trigger, "day: date, of: string")).triggers
    assert found == PipelineTrigger(
        ("orders", "rates"),
        ("succeeded", "failed"),
        {"day": "{{ params.day }}", "of": "{{ run.id }}"},
        ("day",),
    )
    assert read(text("pipeline: orders")).triggers == (PipelineTrigger(("orders",)),)


@pytest.mark.parametrize(
    ("trigger", "problem"),
    [
        ("pipeline: {pipelines: [a, b]}", "3: trigger.pipeline.pipelines: several pipelines need `join`, or nothing says which of their runs belong together; name a parameter that they share"),
        ("pipeline: {pipelines: a, join: day}", "3: trigger.pipeline.join: a single pipeline's runs are joined with nothing; remove it"),
        ("pipeline: {pipelines: [a, a], join: day}", "3: trigger.pipeline.pipelines: names a pipeline twice; remove one"),
        ("pipeline: {pipelines: a, states: running}", "3: trigger.pipeline.states: must be one of succeeded, failed, cancelled, not `running`"),
        ("pipeline: {pipelines: a, params: {day: '{{ day }}'}}", "3: trigger.pipeline.params.day: `day` is not available here; only `params`, `run` and `env` are"),
        ("pipeline: {pipelines: a, params: {day: '{{ run.output }}'}}", "3: trigger.pipeline.params.day: no fact of `run` is named `output`; there are `id`, `pipeline` and `state`"),
        ("pipeline: {pipelines: []}", "3: trigger.pipeline.pipelines: is empty; give it an item or remove the key"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_pipeline_trigger_is_said(trigger: str, problem: str) -> None:
    assert said(trigger, "day: {type: date, default: 2026-01-01}") == [problem]
