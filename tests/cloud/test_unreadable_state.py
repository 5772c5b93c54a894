"""The database is down, or a document in it can't be read: nothing is lost, and no other run is harmed."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import functions_framework
import grpc
import pytest
from cloud.deployment import PIPELINE, RUN, SOURCE, STEPS, Deployment, Lines, arrival
from cloud.trouble import entry, told
from onward import wiring
from onward.core.commands import Put
from onward.core.pipeline import HOUR
from onward.core.state import PlanKey, RunKey, StoredPlan
from onward.ingress.envelope import Request
from onward.ports import Write
from onward.stores import firestore_rows
from onward.stores.firestore_rows import FORMAT
from unit.ingress.envelopes import push, request
from werkzeug.serving import make_server


class Down(grpc.GenericRpcHandler):  # type: ignore[misc]
    """A server of which every call fails."""

    def service(self, _: Any) -> Any:
        def fail(_: bytes, context: grpc.ServicerContext) -> None:
            context.abort(grpc.StatusCode.INTERNAL, "the database is down")

        return grpc.unary_unary_rpc_method_handler(fail)


@pytest.fixture
def outage() -> Iterator[Callable[[], Any]]:
    """While the database is down."""
    server = grpc.server(ThreadPoolExecutor(2), handlers=(Down(),))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()

    @contextmanager
    def down() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FIRESTORE_EMULATOR_HOST", address)
            wiring.cloud.cache_clear()
            yield
        wiring.cloud.cache_clear()

    yield down
    server.stop(None).wait()


DELIVERIES = 100
"""After which the platform moves a message to the dead-letter topic."""


def notification() -> dict[str, str]:
    """What the bucket says of the example's object."""
    told = arrival()["data"]
    named = {"bucketId": told["bucket"], "objectId": told["name"], "objectGeneration": told["generation"]}
    return {"eventType": "OBJECT_FINALIZE", "eventTime": told["updated"], "payloadFormat": "NONE", **named}


@contextmanager
def over_http(door: str) -> Iterator[str]:
    """The entry point's URL, while it is served by this process."""
    app = functions_framework.create_app(door, str(SOURCE))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()


def test_what_pubsub_could_not_deliver_while_the_database_was_down_is_kept_and_can_be_sent_again(
    deployment: Deployment, outage: Callable[[], Any]
):
    notified = notification()
    with outage(), over_http("on_object") as url:
        deployment.push("objects", url, notified)
        letter = deployment.letter()
    assert letter.attributes.items() > notified.items()
    assert deployment.post("on_object", request(push(letter.data, dict(letter.attributes)))) == 204
    assert deployment.document(RunKey(RUN)).params == {"date": "2026-09-01"}


def test_what_an_outage_of_the_database_outlasts_is_left_to_the_platform_and_not_buried_by_us(
    deployment: Deployment, lines: Lines, outage: Callable[[], Any]
):
    with outage():
        for _ in range(DELIVERIES):
            assert deployment.post("on_object", request(push(b"", notification()))) == 500
    found = lines()
    assert {(line["severity"], line["outcome"]) for line in found} == {("WARNING", "again")}
    assert all("the database is down" in line["message"] for line in found)
    assert len(found) == DELIVERIES
    assert deployment.post("on_message", request(push(b"poison"))) == 204
    assert deployment.letter().data == b"poison"


def test_a_bell_that_an_outage_of_the_database_has_swallowed_is_made_up_for_by_the_net(
    running: Deployment, lines: Lines, outage: Callable[[], Any], passing: Callable[[int], None]
):
    bell = entry(running.job("clean"))
    running.services.succeed()
    with outage():
        for _ in range(DELIVERIES):
            assert running.post("on_job_event", bell) == 500
    assert {(line["severity"], line["outcome"], line["run"]) for line in lines()} == {
        ("WARNING", "again", RUN)
    }
    passing(2 * HOUR)
    (watch,) = (timer for timer in running.timers if timer["event"].get("purpose") == "watch")
    assert running.post("on_timer", request(watch)) == 204
    running.wake(len(STEPS))
    assert {running.phase(step) for step in STEPS} == {"succeeded"}


@pytest.fixture
def rewrite(running: Deployment, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, bytes | None], None]:
    """Write the run's plan in that format, with that body or its own; then a new instance."""
    key = PlanKey(running.document(RunKey(RUN)).plan)
    good = running.document(key)

    def write(written: int, body: bytes | None) -> None:
        store = wiring.cloud().engine.store
        with monkeypatch.context() as patch:
            patch.setattr(firestore_rows, "FORMAT", 99)
            version = store.read([key])[key].version
            patch.setattr(firestore_rows, "FORMAT", written)
            store.commit([Write(Put(key, good if body is None else StoredPlan(body)), version)])
        wiring.cloud.cache_clear()

    return write


@pytest.fixture
def other(workflows: Path) -> Request:
    """Starts a run of another pipeline, with a plan of its own."""
    shutil.copytree(workflows / "sales", workflows / "other")
    (workflows / "other" / "pipeline.yaml").write_text(PIPELINE.replace("sales", "other", 1))
    return request(push({"date": "2026-09-01"}, {"pipeline": "other", "key": "k"}))


@pytest.mark.parametrize(
    ("written", "body", "reason"),
    [
        (FORMAT, b"no zlib", "can't be read: Error -3 while decompressing data"),
        (FORMAT, zlib.compress(b"{}"), "can't be read: Object missing required field"),
        (FORMAT + 1, None, "was written by a newer version: format 2, not 1"),
    ],
)
def test_a_plan_that_can_not_be_read_waits_for_code_that_can_and_harms_no_other_run(  # noqa: PLR0913, PLR0917
    running: Deployment,
    lines: Lines,
    rewrite: Callable[[int, bytes | None], None],
    other: Request,
    written: int,
    body: bytes | None,
    reason: str,
):
    bell = entry(running.job("clean"))
    running.services.succeed()
    rewrite(written, body)
    assert running.post("on_job_event", bell) == 500
    (line,) = lines()
    assert (line["severity"], line["outcome"], line["run"]) == ("WARNING", "again", RUN)
    assert reason in line["message"]
    assert running.post("on_message", other) == 204
    assert told(lines)[:2] == ("INFO", "handled")
    rewrite(FORMAT, None)
    assert running.post("on_job_event", bell) == 204
    assert running.phase("clean") == "succeeded"
