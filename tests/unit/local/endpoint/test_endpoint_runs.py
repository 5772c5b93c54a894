"""Looking at runs over HTTP."""

import http.client
from collections.abc import Callable
from pathlib import Path

import pytest
from endpoint_harness import Served, data
from onward.core.errors import UserError
from onward.local.endpoint import Endpoint


def start(served: Served, pipeline: str, **params: str) -> str:
    message = {"data": data({"pipeline": pipeline, "params": params})}
    return str(served.publish("onward-start", message).json["runs"][0])


def test_runs_are_listed_and_shown_in_detail(served: Served) -> None:
    run = start(served, "echo", word="a")
    ended = served.wait(run)
    assert ended["run"] == run
    assert ended["steps"][0]["history"]
    listed = served.ask("GET", "/v1/runs?pipeline=echo&limit=1").json["runs"]
    assert [one["run"] for one in listed] == [run]
    assert served.ask("GET", "/v1/runs?pipeline=other").json == {"runs": []}
    assert served.ask("GET", "/v1/runs?limit=-1").error["status"] == "INVALID_ARGUMENT"


def test_the_events_of_a_run_are_its_details_now_and_after_each_change_until_it_ends(
    served: Served, gate: Callable[[str], Path]
) -> None:
    closed = gate("gate")
    run = start(served, "waiting", gate=str(closed))
    frames = served.follow(run)
    states = [next(frames)["steps"][0]["state"]]
    while states[-1] != "running":
        states.append(next(frames)["steps"][0]["state"])
    closed.write_text("open")
    rest = list(frames)
    assert rest[-1]["state"] == "succeeded"
    assert rest[-1]["ended"]
    assert rest[-1] == served.ask("GET", f"/v1/runs/{run}").json


def test_the_events_of_a_run_that_has_ended_are_one_line(served: Served) -> None:
    run = start(served, "echo")
    served.wait(run)
    assert [frame["state"] for frame in served.follow(run)] == ["succeeded"]


def test_a_run_that_is_not_there_is_not_found(served: Served) -> None:
    for path in ("/v1/runs/nope", "/v1/runs/nope/events", "/v1/runs/%2e%2e%2fx"):
        assert served.ask("GET", path).error["status"] == "NOT_FOUND"


def test_many_may_follow_a_run_and_leave_without_harm(served: Served, gate: Callable[[str], Path]) -> None:
    closed = gate("gate")
    run = start(served, "waiting", gate=str(closed))
    for _ in range(3):
        frames = served.follow(run)
        next(frames)
        frames.close()
    staying = served.follow(run)
    next(staying)
    closed.write_text("")
    assert list(staying)[-1]["state"] == "succeeded"


def test_a_follower_is_cut_off_when_the_endpoint_closes(
    workflows: Path, tmp_path: Path, gate: Callable[[str], Path]
) -> None:
    served = Served(workflows, tmp_path / "state")
    run = start(served, "waiting", gate=str(gate("closed")))
    connection = http.client.HTTPConnection(served.host, timeout=60)
    connection.request("GET", f"/v1/runs/{run}/events")
    response = connection.getresponse()
    assert response.readline()
    served.close()
    while response.readline():
        pass
    connection.close()


def test_health_says_whose_endpoint_it_is(served: Served) -> None:
    health = served.ask("GET", "/health").json
    assert (health["status"], health["state"]) == ("ok", str(served.state))


def test_the_endpoint_file_names_the_address_while_it_is_open(workflows: Path, tmp_path: Path) -> None:
    served = Served(workflows, tmp_path / "state")
    file = served.state / "endpoint"
    assert file.read_text() == f"http://{served.host}\n"
    served.close()
    assert not file.exists()


def test_two_endpoints_can_not_share_a_port(served: Served) -> None:
    port = int(served.host.split(":")[1])
    with pytest.raises(UserError, match=f"port {port}"):
        served.call(Endpoint(served.runtime, port).open())
