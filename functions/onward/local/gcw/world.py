"""The real world of an execution: HTTP, the clock, the environment, and buckets as folders."""

from __future__ import annotations

import http.client
import os
import select
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

from onward.local.gcw.errors import WorkflowError, failure, http_failure
from onward.local.gcw.objects import FolderObjects
from onward.local.gcw.ports import HttpRequest, HttpResponse
from onward.local.gcw.values import Value, from_json, to_json

MAX_RESPONSE_BYTES = 2 * 1024 * 1024
"""Workflows' limit."""
CHUNK = 64 * 1024
Response = http.client.HTTPResponse | urllib.error.HTTPError
BUILT_IN = {
    "GOOGLE_CLOUD_PROJECT_ID": "local",
    "GOOGLE_CLOUD_PROJECT_NUMBER": "0",
    "GOOGLE_CLOUD_LOCATION": "local",
    "GOOGLE_CLOUD_SERVICE_ACCOUNT_NAME": "local",
    "GOOGLE_CLOUD_WORKFLOW_ID": "local",
    "GOOGLE_CLOUD_WORKFLOW_REVISION_ID": "000001-000",
    "GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID": "local",
}
"""What `sys.get_env` answers when the process's environment has nothing else."""


@dataclass(frozen=True, slots=True)
class LocalIo:
    """`ports.Io` of this machine."""

    buckets: Path
    pubsub: str | None = None
    """Where Pub/Sub's REST API answers, such as http://127.0.0.1:8080; None when it doesn't."""
    objects: FolderObjects = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "objects", FolderObjects(self.buckets))

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        select.select((), (), (), seconds)

    def uuid(self) -> str:
        return str(uuid4())

    def env(self, name: str) -> str | None:
        return os.environ.get(name, BUILT_IN.get(name))

    def log(self, severity: str, payload: Value) -> None:
        text = payload if isinstance(payload, str) else to_json(payload)
        print(severity, " ".join(text.splitlines()), file=sys.stdout, flush=True)

    def http(self, request: HttpRequest) -> HttpResponse:
        outgoing = urllib.request.Request(request.url, request.body, request.headers, method=request.method)
        deadline = time.monotonic() + request.timeout
        try:
            with _answer(outgoing, request.timeout) as response:
                body = _body(response, deadline)
                headers = {name: ", ".join(response.headers.get_all(name, [])) for name in response.headers}
                return HttpResponse(response.status or 0, headers, body)
        except TimeoutError:
            raise _timeout(request) from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise _timeout(request) from None
            message = f"{request.method} {request.url}: {error.reason}"
            raise failure("ConnectionFailedError", message) from None
        except (OSError, http.client.HTTPException) as error:
            raise failure("ConnectionError", f"{request.method} {request.url}: {error!r}") from None

    def publish(self, topic: str, body: Value) -> Value:
        if self.pubsub is None:
            raise failure("ConnectionFailedError", f"no Pub/Sub is running locally to publish to {topic}")
        url = f"{self.pubsub.rstrip('/')}/v1/{quote(topic)}:publish"
        headers = {"Content-Type": "application/json"}
        answer = self.http(HttpRequest("POST", url, headers, to_json(body).encode(), 60.0))
        if answer.code >= 400:
            reason = answer.body[:500].decode(errors="replace")
            raise http_failure(answer.code, f"publish to {topic}: {reason}")
        return from_json(answer.body)


def _answer(request: urllib.request.Request, timeout: float) -> Response:
    """The answer, whatever its status. Only http and https are spoken, also after a redirect."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    try:
        answer: http.client.HTTPResponse = opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        return error
    return answer


def _body(response: Response, deadline: float) -> bytes:
    chunks, size = [], 0
    while chunk := response.read(CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_RESPONSE_BYTES:
            limit = f"{MAX_RESPONSE_BYTES // 1024**2} MB"
            raise failure("ResourceLimitError", f"the answer is larger than {limit}")
        if time.monotonic() > deadline:
            raise TimeoutError
    if missing := getattr(response, "length", None):
        raise http.client.IncompleteRead(b"", missing)
    return b"".join(chunks)


def _timeout(request: HttpRequest) -> WorkflowError:
    return failure("TimeoutError", f"{request.method} {request.url} took over {request.timeout:g} seconds")
