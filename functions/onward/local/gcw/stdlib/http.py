# ruff: noqa: PLR0913, PLR0917  (the parameters are the documented ones)
"""http.*: requests as the documentation describes them, over `Io.http`."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from onward.local.gcw.errors import failure, http_failure
from onward.local.gcw.ports import HttpRequest, HttpResponse, Io
from onward.local.gcw.values import Value, from_json, is_number, to_json, type_name

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
MAX_TIMEOUT = 1800
FIRST_ERROR = 400
Implementation = Callable[..., Value]
FORM = "application/x-www-form-urlencoded"


def request(
    io: Io,
    method: str,
    url: str,
    body: Value = None,
    headers: dict[str, Value] | None = None,
    query: dict[str, Value] | None = None,
    auth: dict[str, Value] | None = None,
    timeout: float = 300.0,
) -> Value:
    if method.upper() not in METHODS:
        raise ValueError(f"{method!r} is not an HTTP method")
    if not 0 < timeout <= MAX_TIMEOUT:
        raise ValueError(f"the timeout must be between 0 and {MAX_TIMEOUT} seconds, not {timeout}")
    if auth is not None:
        io.log("NOTICE", f"{method.upper()} {url} is sent without a token: there is no identity locally")
    lines = _headers(headers)
    data = _encoded(body, lines)
    response = io.http(HttpRequest(method.upper(), _url(url, query), lines, data, float(timeout)))
    answer: dict[str, Value] = {
        "body": _decoded(response),
        "code": response.code,
        "headers": {name: value for name, value in response.headers.items()},  # noqa: C416  (widens the type)
    }
    if response.code >= FIRST_ERROR:
        fields = {"body": answer["body"], "headers": answer["headers"]}
        raise http_failure(response.code, f"{method.upper()} {url}", **fields)
    return answer


def _url(url: str, query: dict[str, Value] | None) -> str:
    parts = urlsplit(url)
    # Looking at the port checks it: `port` raises ValueError for what is none.
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError(f"{url!r} is not an http or https URL")
    if any(char <= " " or char == "\x7f" for char in url):
        raise ValueError(f"{url!r} holds blanks or control characters: use text.url_encode")
    if not query:
        return url
    return parts._replace(query="&".join(filter(None, (parts.query, _form(query))))).geturl()


def _form(fields: dict[str, Value]) -> str:
    many = {key: value if isinstance(value, list) else [value] for key, value in fields.items()}
    return urlencode([(key, _scalar(key, item)) for key, items in many.items() for item in items])


def _scalar(key: str, value: Value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or is_number(value):
        return to_json(value)
    raise failure("TypeError", f"`{key}` must be a string, number or bool, not a {type_name(value)}")


def _headers(headers: dict[str, Value] | None) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in (headers or {}).items():
        text = _scalar(name, value)
        if not name or any(char in "\r\n\0" for char in name + text):
            raise ValueError(f"the header {name!r} holds a line break")
        fields[name] = text
    return fields


def _encoded(body: Value, headers: dict[str, str]) -> bytes | None:
    """The body's bytes; sets a Content-Type when there is none."""
    if body is None:
        return None
    names = {name.lower(): name for name in headers}
    kind = headers[names["content-type"]].split(";")[0].strip().lower() if "content-type" in names else None
    if isinstance(body, bytes):
        headers.setdefault(names.get("content-type", "Content-Type"), "application/octet-stream")
        return body
    if kind is None:
        headers["Content-Type"] = "application/json; charset=utf-8"
    if kind == FORM and isinstance(body, dict):
        return _form(body).encode()
    if kind is not None and not _is_json(kind) and isinstance(body, str):
        return body.encode()
    return to_json(body).encode()


def _decoded(response: HttpResponse) -> Value:
    kind = next((value for name, value in response.headers.items() if name.lower() == "content-type"), "")
    kind = kind.split(";")[0].strip().lower()
    try:
        if _is_json(kind) and response.body:
            return from_json(response.body)
        if not response.body or kind.startswith("text/") or kind in ("application/xml", FORM):
            return response.body.decode()
    except ValueError:
        raise failure("ValueError", f"the body of the answer is not the {kind} it says it is") from None
    return response.body


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


def get(
    io: Io,
    url: str,
    headers: dict[str, Value] | None = None,
    query: dict[str, Value] | None = None,
    auth: dict[str, Value] | None = None,
    timeout: float = 300.0,
) -> Value:
    return request(io, "GET", url, None, headers, query, auth, timeout)


def _method(method: str) -> Implementation:
    def call(
        io: Io,
        url: str,
        body: Value = None,
        headers: dict[str, Value] | None = None,
        query: dict[str, Value] | None = None,
        auth: dict[str, Value] | None = None,
        timeout: float = 300.0,
    ) -> Value:
        return request(io, method, url, body, headers, query, auth, timeout)

    return call


FUNCTIONS: dict[str, Implementation] = {
    "http.request": request,
    "http.get": get,
    "http.post": _method("POST"),
    "http.put": _method("PUT"),
    "http.patch": _method("PATCH"),
    "http.delete": _method("DELETE"),
}
BLOCKING = frozenset(FUNCTIONS)
