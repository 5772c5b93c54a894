"""http.*: what is sent, what comes back, and what a broken connection raises."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fake_world import Execute, FakeIo
from onward.local.gcw import HttpRequest, HttpResponse, Value, WorkflowError
from onward.local.gcw.world import LocalIo

OK = HttpResponse(200, {"Content-Type": "text/plain"}, b"ok")


def sent(execute: Execute, io: FakeIo, call: str) -> HttpRequest:
    io.answers = [OK]
    execute(f"- s: {{{call}}}")
    return io.requests[-1]


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_each_method_has_a_function(execute: Execute, io: FakeIo, method: str) -> None:
    request = sent(execute, io, f"call: http.{method}, args: {{url: 'http://x/', timeout: 5}}")
    assert (request.method, request.url, request.timeout, request.body) == (
        method.upper(),
        "http://x/",
        5.0,
        None,
    )


def test_a_query_joins_the_one_in_the_url(execute: Execute, io: FakeIo) -> None:
    request = sent(
        execute, io, "call: http.get, args: {url: 'http://x/p?a=1#f', query: {b: [1, true], 'c&': 'd e/é'}}"
    )
    assert request.url == "http://x/p?a=1&b=1&b=true&c%26=d+e%2F%C3%A9#f"


@pytest.mark.parametrize(
    ("args", "kind", "body"),
    [
        ("body: {a: [1, é]}", "application/json; charset=utf-8", '{"a":[1,"é"]}'),
        ("body: text", "application/json; charset=utf-8", '"text"'),
        ("body: '${text.encode(\"é\")}'", "application/octet-stream", "é"),
        ("body: plain, headers: {content-type: text/plain}", "text/plain", "plain"),
        (
            "body: {a: 'b c', d: [1, 2]}, headers: {Content-Type: application/x-www-form-urlencoded}",
            "application/x-www-form-urlencoded",
            "a=b+c&d=1&d=2",
        ),
        ("body: [1], headers: {Content-Type: application/json}", "application/json", "[1]"),
    ],
)
def test_a_body_is_encoded_as_its_type_says(
    execute: Execute, io: FakeIo, args: str, kind: str, body: str
) -> None:
    request = sent(execute, io, f"call: http.request, args: {{method: post, url: 'http://x/', {args}}}")
    assert request.method == "POST"
    assert request.body == body.encode()
    assert [value for name, value in request.headers.items() if name.lower() == "content-type"] == [kind]


@pytest.mark.parametrize(
    ("kind", "content", "body"),
    [
        ("application/json; charset=utf-8", b'{"a": 1}', {"a": 1}),
        ("application/problem+json", b"[1]", [1]),
        ("text/csv", "é".encode(), "é"),
        ("application/json", b"", ""),
    ],
)
def test_an_answer_is_decoded_as_its_type_says(
    execute: Execute, io: FakeIo, kind: str, content: bytes, body: Value
) -> None:
    io.answers = [HttpResponse(201, {"content-type": kind}, content)]
    result = execute("- s: {call: http.get, args: {url: 'http://x/'}, result: r}\n- d: {return: '${r}'}")
    assert result == {"code": 201, "headers": {"content-type": kind}, "body": body}


def test_bytes_stay_bytes(execute: Execute, io: FakeIo) -> None:
    io.answers = [HttpResponse(200, {"Content-Type": "image/png"}, b"\xff")]
    source = (
        "- s: {call: http.get, args: {url: 'http://x/'}, result: r}\n- d: {return: '${get_type(r.body)}'}"
    )
    assert execute(source) == "bytes"


def test_a_status_from_400_raises_an_http_error_with_the_answer_in_it(execute: Execute, io: FakeIo) -> None:
    io.answers = [HttpResponse(404, {"Content-Type": "application/json"}, b'{"why": "gone"}')]
    result = execute("""
        - s:
            try: {call: http.get, args: {url: 'http://x/'}}
            except: {as: e, steps: [{d: {return: '${e}'}}]}
    """)
    assert result == {
        "message": "HttpError: HTTP 404: GET http://x/",
        "tags": ["HttpError"],
        "code": 404,
        "headers": {"Content-Type": "application/json"},
        "body": {"why": "gone"},
    }


def test_auth_sends_no_token_and_says_so(execute: Execute, io: FakeIo) -> None:
    request = sent(execute, io, "call: http.get, args: {url: 'http://x/', auth: {type: OIDC}}")
    assert request.headers == {}
    assert io.logs == [("NOTICE", "GET http://x/ is sent without a token: there is no identity locally")]


@pytest.mark.parametrize(
    ("args", "tag"),
    [
        ("url: 'file:///etc/passwd'", "ValueError"),
        ("url: 'ftp://x/'", "ValueError"),
        ("url: x", "ValueError"),
        ("url: 'http://'", "ValueError"),
        ("url: 'http://x:port/'", "ValueError"),
        ('url: "http://x/a\\r\\nHost: y"', "ValueError"),
        ("url: 'http://x/a b'", "ValueError"),
        ("url: 5", "TypeError"),
        ('url: "http://x/", headers: {"a\\r\\nb": c}', "ValueError"),
        ('url: "http://x/", headers: {a: "b\\r\\nc"}', "ValueError"),
        ('url: "http://x/", headers: {a: [b]}', "TypeError"),
        ('url: "http://x/", query: {a: {b: c}}', "TypeError"),
        ('url: "http://x/", timeout: 1801', "ValueError"),
        ('url: "http://x/", timeout: 0', "ValueError"),
    ],
)
def test_a_request_that_cannot_be_made_is_refused_before_it_is_sent(
    execute: Execute, io: FakeIo, args: str, tag: str
) -> None:
    with pytest.raises(WorkflowError) as caught:
        execute(f"- s: {{call: http.get, args: {{{args}}}}}")
    assert caught.value.tags == (tag,)
    assert io.requests == []


# The real thing, against a server of this process.


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        match self.path:
            case "/redirect":
                self.send_response(302)
                self.send_header("Location", "/echo")
            case "/away":
                self.send_response(302)
                self.send_header("Location", "file:///etc/passwd")
            case "/large":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"x" * 3_000_000)
                return
            case "/short":
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.write(b"x")
                return
            case "/missing":
                self.send_response(404)
            case "/twice":
                self.send_response(200)
                self.send_header("X-Two", "a")
                self.send_header("X-Two", "b")
            case _:
                self.answer(b"")
                return
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body: bytes) -> None:
        content = json.dumps([self.command, self.path, body.decode(), self.headers.get("X-Mine")]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def local(tmp_path: Path) -> LocalIo:
    return LocalIo(tmp_path)


def test_a_request_goes_out_and_its_answer_comes_back(server: str, local: LocalIo) -> None:
    answer = local.http(HttpRequest("POST", f"{server}/p?q=1", {"X-Mine": "yes"}, b"body"))
    assert (answer.code, json.loads(answer.body)) == (200, ["POST", "/p?q=1", "body", "yes"])
    assert answer.headers["Content-Type"] == "application/json"


def test_any_status_is_an_answer_and_redirects_are_followed(server: str, local: LocalIo) -> None:
    assert local.http(HttpRequest("GET", f"{server}/missing")).code == 404
    assert json.loads(local.http(HttpRequest("GET", f"{server}/redirect")).body)[1] == "/echo"
    assert local.http(HttpRequest("GET", f"{server}/twice")).headers["X-Two"] == "a, b"


def raised(local: LocalIo, request: HttpRequest) -> tuple[str, ...]:
    with pytest.raises(WorkflowError) as caught:
        local.http(request)
    return caught.value.tags


def test_what_goes_wrong_on_the_way_has_its_documented_tag(server: str, local: LocalIo) -> None:
    assert raised(local, HttpRequest("GET", f"{server}/large")) == ("ResourceLimitError",)
    assert raised(local, HttpRequest("GET", f"{server}/short")) == ("ConnectionError",)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        assert raised(local, HttpRequest("GET", url)) == ("ConnectionFailedError",)
        closed.listen()
        assert raised(local, HttpRequest("GET", url, timeout=0.01)) == ("TimeoutError",)


def test_a_redirect_never_leads_to_a_file(server: str, local: LocalIo) -> None:
    answer = local.http(HttpRequest("GET", f"{server}/away"))
    assert answer.code == 302
    assert b"root:" not in answer.body


def test_publish_posts_as_the_rest_api_takes_it(server: str, tmp_path: Path) -> None:
    local = LocalIo(tmp_path, pubsub=server)
    answer = local.publish("projects/p/topics/t", {"messages": [{"data": ""}]})
    assert answer == ["POST", "/v1/projects/p/topics/t:publish", '{"messages":[{"data":""}]}', None]
    with pytest.raises(WorkflowError, match="no Pub/Sub is running locally"):
        LocalIo(tmp_path).publish("projects/p/topics/t", {})
