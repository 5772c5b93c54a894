"""What the endpoint does with whoever else may speak to it."""

import json

import pytest
from endpoint_harness import Served, data
from onward.local.endpoint import MAX_BODY

PUBLISH = "/v1/projects/p/topics/onward-start:publish"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost@evil", ""]
)
def test_a_page_under_another_name_is_refused(served: Served, host: str) -> None:
    answer = served.ask("GET", "/v1/runs", headers={"host": host})
    assert answer.error["status"] == "PERMISSION_DENIED"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:80"])
def test_loopback_names_are_answered(served: Served, host: str) -> None:
    assert served.ask("GET", "/v1/runs", headers={"host": host}).status == 200


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_a_post_that_a_page_could_send_unasked_is_refused(served: Served, kind: str | None) -> None:
    body = json.dumps({"messages": [{"data": data({"pipeline": "echo"})}]})
    answer = served.ask("POST", PUBLISH, body, {"content-type": kind} if kind else {})
    assert answer.status == 415
    assert "application/json" in answer.error["message"]
    assert served.ask("GET", "/v1/runs").json == {"runs": []}


def test_no_answer_lets_another_origin_read_it(served: Served) -> None:
    for method, path in (("GET", "/v1/runs"), ("OPTIONS", PUBLISH), ("GET", "/health")):
        headers = served.ask(method, path, headers={"origin": "https://evil.example"}).headers
        assert not [name for name in headers if name.lower().startswith("access-control")]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", PUBLISH),
        ("DELETE", "/v1/runs"),
        ("POST", "/v1/runs"),
        ("GET", "/v1/runs/"),
        ("GET", "/v1/runs/a/b"),
        ("GET", "/..%2f..%2fetc/passwd"),
        ("POST", "/v1/projects/p/topics/a/b:publish"),
    ],
)
def test_anything_else_is_not_found(served: Served, method: str, path: str) -> None:
    assert served.ask(method, path).error["status"] == "NOT_FOUND"


def test_a_body_over_ten_megabytes_is_refused_before_it_is_read(served: Served) -> None:
    head = f"POST {PUBLISH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    answer = served.raw(f"{head}content-length: {MAX_BODY + 1}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"10,000,000" in answer


def test_a_body_without_a_length_is_cut_off_at_the_same_limit(served: Served) -> None:
    head = f"POST {PUBLISH} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    assert served.raw(head + piece * 11).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_just_ten_megabytes_is_read(served: Served) -> None:
    body = b'{"messages": [{"data": "e30="}]}'.ljust(MAX_BODY)
    answer = served.ask("POST", PUBLISH, body, {"content-type": "application/json"})
    assert answer.status == 400
    assert "pipeline" in answer.error["message"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nbad header\r\n\r\n",
        b"GET //[ HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /%ff\xff HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
def test_what_is_no_http_gets_an_error_and_harms_nobody(served: Served, request_bytes: bytes) -> None:
    assert served.raw(request_bytes).split(b" ")[1:2] in ([b"400"], [b"431"], [b"404"])
    assert served.ask("GET", "/health").status == 200


def test_a_client_that_hangs_up_in_the_middle_harms_nobody(served: Served) -> None:
    served.raw(f"POST {PUBLISH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 50\r\n\r\nabc".encode())
    served.raw(b"GE")
    served.raw(b"")
    assert served.ask("GET", "/health").status == 200


def test_requests_may_follow_one_another_on_a_connection(served: Served) -> None:
    one = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
    assert served.raw(one * 3).count(b'"status":"ok"') == 3


def test_a_client_that_asks_before_it_sends_a_body_is_told_to_go_on(served: Served) -> None:
    body = json.dumps({"messages": [{"data": data({"pipeline": "echo"})}]}).encode()
    head = f"POST {PUBLISH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    head += f"expect: 100-continue\r\ncontent-length: {len(body)}\r\n\r\n"
    answer = served.raw(head.encode() + body)
    assert answer.startswith(b"HTTP/1.1 100 ")
    assert b"messageIds" in answer


def test_head_is_answered_without_a_body(served: Served) -> None:
    answer = served.ask("HEAD", "/health")
    assert (answer.status, answer.body) == (404, b"")
