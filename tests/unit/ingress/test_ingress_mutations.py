"""Whatever arrives, a parser answers: facts, ignored, poison, or that it must wait for a newer version."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onward.core.errors import Temporary
from onward.ingress import completions, messages, storage, timers
from onward.ingress.envelope import Request
from onward.ingress.facts import Facts, Ignored, Poison
from unit.ingress.envelopes import PAYLOADS, RUN, binary, encoded, ours, push, pushed, request, structured

PARSERS = [
    storage.parse,
    messages.parse,
    messages.parse_command,
    completions.parse,
    timers.parse_wake,
    timers.parse_timer,
]
NAMES = sorted(path.stem for path in PAYLOADS.glob("*.json"))
OTHERS: list[Any] = [
    push({"pipeline": "weather", "params": {"date": "2026-09-01"}}),
    push({"command": "retry", "run": RUN}),
    push({"event": "bell", "run": RUN, "node": "clean", "attempt": 1}),
    {"name": "n", "at": 1, "event": {"event": "sweep", "run": RUN, "purpose": "watch"}},
]
HEADERS = ["content-type", "eventtype", "x-goog-pubsub-message-id"]
HEADERS += ["ce-id", "ce-type", "ce-source", "ce-specversion"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def answers(sent: Request) -> None:
    for parse in PARSERS:
        try:
            found = parse(sent)
        except Temporary:
            assert parse in (timers.parse_wake, timers.parse_timer)
            continue
        assert isinstance(found, Facts | Ignored | Poison)
        if not isinstance(found, Facts):
            assert found.reason
            assert found.reason.isprintable()
            assert len(found.reason) < 1_000


@st.composite
def mutated(draw: st.DrawFn, whole: Any) -> Any:
    """The value with one of its members, at any depth, replaced, dropped or renamed."""
    match whole:
        case dict() if whole and draw(st.integers(0, 5)):
            name = draw(st.sampled_from(sorted(whole)))
            rest = {key: value for key, value in whole.items() if key != name}
            match draw(st.integers(0, 5)):
                case 0:
                    return rest
                case 1:
                    return {**rest, draw(st.text(max_size=8)): whole[name]}
                case _:
                    return {**rest, name: draw(mutated(whole[name]))}
        case _:
            return draw(JSON)


@given(st.data())
def test_a_mutated_payload_gets_an_answer_in_every_wrapping(data: st.DataObject):
    found = data.draw(mutated(data.draw(st.sampled_from([*map(ours_or_as_it_is, NAMES), *OTHERS]))))
    answers(request(found))
    answers(pushed(found))
    answers(structured(found if isinstance(found, dict) else {"data": found}))
    if isinstance(found, dict) and "data" in found:
        answers(binary(found))


def ours_or_as_it_is(name: str) -> Any:
    try:
        return ours(name)
    except KeyError:
        return json.loads((PAYLOADS / f"{name}.json").read_text())


@given(
    st.sampled_from(NAMES),
    st.integers(0, 3000),
    st.binary(max_size=3),
    st.sampled_from(["application/json", "application/cloudevents+json", "text/plain", "application/x;"]),
)
def test_cut_and_broken_bytes_get_an_answer(name: str, place: int, noise: bytes, kind: str):
    body = encoded(ours_or_as_it_is(name))
    answers(request(body[:place], {"content-type": kind}))
    answers(request(body[:place] + noise + body[place + 1 :], {"content-type": kind}))


@given(
    st.dictionaries(
        st.sampled_from(HEADERS),
        st.text(max_size=40) | st.just("1.0"),
    ),
    st.binary(max_size=40),
)
def test_any_headers_get_an_answer(headers: dict[str, str], body: bytes):
    answers(request(body, headers))


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_read_by_somebody(name: str):
    whole = json.loads((PAYLOADS / f"{name}.json").read_text())
    sent = structured(whole) if "specversion" in whole else pushed(whole)
    assert not all(isinstance(parse(sent), Poison) for parse in PARSERS[:4])
