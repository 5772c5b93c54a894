"""Publishing, as Pub/Sub's REST API takes it."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from endpoint_harness import Served, data


def test_a_published_start_is_answered_with_an_id_once_its_run_is_committed(served: Served) -> None:
    answer = served.publish("onward-start", {"data": data({"pipeline": "echo", "params": {"word": "hi"}})})
    assert answer.status == 200
    [message] = answer.json["messageIds"]
    assert message.isdecimal()
    [run] = answer.json["runs"]
    assert served.ask("GET", f"/v1/runs/{run}").status == 200
    ended = served.wait(run)
    assert (ended["state"], ended["params"], ended["steps"][0]["output"]) == (
        "succeeded",
        {"word": "hi"},
        "hi",
    )


def test_pipeline_and_key_may_come_as_attributes_and_the_params_as_data(served: Served) -> None:
    message = {"data": data({"word": "there"}), "attributes": {"pipeline": "echo", "key": "k"}}
    [run] = served.publish("onward-start", message).json["runs"]
    assert served.wait(run)["params"] == {"word": "there"}
    assert served.publish("onward-start", message).json["runs"] == [run]


def test_attributes_alone_are_a_message(served: Served) -> None:
    answer = served.publish("onward-start", {"attributes": {"pipeline": "echo"}})
    assert served.wait(answer.json["runs"][0])["params"] == {"word": "hello"}


def test_messages_without_a_key_are_runs_of_their_own_and_those_with_one_are_not(served: Served) -> None:
    alone, keyed = {"pipeline": "echo"}, {"pipeline": "echo", "key": "once"}
    messages = [{"data": data(body)} for body in (alone, alone, keyed, keyed)]
    answer = served.publish("onward-start", *messages).json
    assert len(set(answer["messageIds"])) == 4
    assert len(set(answer["runs"])) == 3


def test_base64_may_be_of_either_alphabet_and_without_padding(served: Served) -> None:
    body = json.dumps({"pipeline": "echo", "params": {"word": "?>?>~~"}}).encode()
    for encoded in (base64.b64encode(body), base64.urlsafe_b64encode(body)):
        for text in (encoded.decode(), encoded.decode().rstrip("=")):
            [run] = served.publish("onward-start", {"data": text}).json["runs"]
            assert served.wait(run)["params"] == {"word": "?>?>~~"}


def test_a_command_cancels_a_run_and_another_tries_it_again(
    served: Served, gate: Callable[[str], Path]
) -> None:
    start = {"pipeline": "waiting", "params": {"gate": str(gate("closed"))}}
    [run] = served.publish("onward-start", {"data": data(start)}).json["runs"]
    assert served.publish("onward-command", {"data": data({"command": "cancel", "run": run})}).json[
        "runs"
    ] == [run]
    assert served.wait(run)["state"] == "cancelled"
    [again] = served.publish("onward-command", {"data": data({"command": "retry", "run": run})}).json["runs"]
    assert again == f"{run}~2"
    served.publish("onward-command", {"data": data({"command": "cancel", "run": again})})
    assert served.wait(again)["state"] == "cancelled"


def test_an_unknown_topic_is_not_found_in_googles_words(served: Served) -> None:
    answer = served.publish("onward-begin", {"data": data({})})
    assert answer.status == 404
    assert answer.error["status"] == "NOT_FOUND"
    assert "onward-start" in answer.error["message"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"[]", "object"),
        (b"{}", "messages"),
        (b'{"messages": []}', "1 to 1,000"),
        (b'{"messages": [' + b",".join([b"{}"] * 1001) + b"]}", "1 to 1,000"),
        (b'{"messages": [{"data": 1}]}', "data"),
        (b'{"messages": [{"data": "%%"}]}', "base64"),
        (b'{"messages": [{"data": "e30="}]}', "pipeline"),
        (b'{"messages": [{"attributes": {"a": 1}}]}', "attributes"),
        (b"[" * 100_000, "JSON"),
        (b"\xff\xfe", "JSON"),
    ],
)
def test_a_malformed_request_is_refused_with_what_is_wrong(served: Served, body: bytes, told: str) -> None:
    path = "/v1/projects/any/topics/onward-start:publish"
    answer = served.ask("POST", path, body, {"content-type": "application/json"})
    assert answer.status == 400
    assert answer.error["status"] == "INVALID_ARGUMENT"
    assert told in answer.error["message"]


@pytest.mark.parametrize(
    ("topic", "value", "told"),
    [
        ("onward-start", {"pipeline": "ecco"}, "did you mean `echo`?"),
        ("onward-start", {"pipeline": "echo", "params": {"wrod": 1}}, "did you mean `word`?"),
        ("onward-start", {"pipeline": "echo", "parameters": {}}, "parameters"),
        ("onward-start", {"pipeline": 7}, "pipeline"),
        ("onward-start", b"\xff", "JSON"),
        ("onward-command", {"command": "pause", "run": "x"}, "pause"),
        ("onward-command", {"command": "cancel"}, "run"),
        ("onward-command", {"command": "cancel", "run": "nope"}, "no run nope"),
        ("onward-command", {"command": "retry", "run": "../../x"}, "no run"),
    ],
)
def test_a_message_that_asks_for_what_can_not_be_is_refused(
    served: Served, topic: str, value: object, told: str
) -> None:
    answer = served.publish(topic, {"data": data(value)})
    assert answer.status in (400, 404)
    assert told in answer.error["message"]
    assert served.ask("GET", "/v1/runs").json == {"runs": []}


def test_when_one_message_can_not_be_read_none_is_carried_out(served: Served) -> None:
    answer = served.publish("onward-start", {"data": data({"pipeline": "echo"})}, {"data": data([])})
    assert answer.status == 400
    assert "message 2 of 2" in answer.error["message"]
    assert served.ask("GET", "/v1/runs").json == {"runs": []}


def test_when_one_message_is_refused_it_is_said_how_many_were_carried_out(served: Served) -> None:
    good, bad = {"data": data({"pipeline": "echo"})}, {"data": data({"pipeline": "nope"})}
    answer = served.publish("onward-start", good, bad, good)
    assert answer.status == 400
    assert "message 2 of 3" in answer.error["message"]
    assert "2 of the messages were carried out" in answer.error["message"]
    assert len(served.ask("GET", "/v1/runs").json["runs"]) == 2


def order(word: object = "two", **attributes: str) -> dict[str, Any]:
    return {"data": data({"word": word}), "attributes": {"kind": "new", **attributes}}


def test_a_message_of_a_pipelines_topic_is_answered_with_the_runs_that_it_started(served: Served) -> None:
    answer = served.publish("orders", order(), order(kind="changed"), order(key="k"), order(key="k"))
    assert len(answer.json["messageIds"]) == 4
    first, second, same = answer.json["runs"]
    assert (first != second, second == same) == (True, True)
    assert served.wait(first)["steps"][0]["output"] == "two"


def test_a_topic_of_another_project_is_published_to_by_its_full_name_alone(served: Served) -> None:
    body = json.dumps({"messages": [order()]})
    for project, status in (("shop", 200), ("any", 404)):
        path = f"/v1/projects/{project}/topics/returns:publish"
        assert served.ask("POST", path, body, {"content-type": "application/json"}).status == status


@pytest.mark.parametrize("sent", [order(7), {"data": data(b"no json"), "attributes": {"kind": "new"}}])
def test_to_a_pipelines_topic_one_may_publish_anything_and_what_starts_no_run_is_put_aside(
    served: Served, sent: dict[str, Any]
) -> None:
    answer = served.publish("orders", sent)
    assert (answer.status, answer.json["runs"]) == (200, [])
    (letter,) = map(json.loads, served.runtime.folder.dead_letters.read_text().splitlines())
    assert letter["pipeline"] == "orders"
    assert letter["reason"] in served.said
    assert base64.b64decode(letter["fact"]["data"]) == base64.b64decode(sent["data"])


def test_a_topic_that_no_pipeline_listens_to_is_not_there(served: Served) -> None:
    answer = served.publish("order", order())
    assert answer.status == 404
    assert "`orders`" in answer.error["message"]
