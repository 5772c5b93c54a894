"""Asking the runtime that holds the state folder, over its HTTP endpoint."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from onward.core.errors import NotFound, OnwardError, Unavailable, UserError
from onward.local.folder import StateFolder
from onward.local.topics import Message, Published

_ANSWER_S = 60.0
_BAD_REQUEST, _NOT_FOUND, _SERVER_ERROR = 400, 404, 500


class Gone(Exception):
    """The runtime does not answer, or no longer."""


class Client:
    """One runtime, at the address that its state folder names."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._host = urlsplit(address).netloc

    def publish(self, topic: str, message: Message) -> Published:
        """Returns once it is committed. Raises what the runtime says of it, or Gone."""
        data = base64.b64encode(message.data).decode()
        body = json.dumps({"messages": [{"data": data, "attributes": dict(message.attributes)}]})
        full = topic if topic.startswith("projects/") else f"projects/local/topics/{topic}"
        answer = self._ask("POST", f"/v1/{quote(full)}:publish", body)
        return Published(answer["messageIds"][0], tuple(answer["runs"]))

    def follow(self, run: str) -> Iterator[dict[str, Any]]:
        """The run after each change, to its end. Raises Gone when the runtime ends first."""
        connection = http.client.HTTPConnection(self._host)
        try:
            connection.request("GET", f"/v1/runs/{quote(run)}/events")
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise _error(response.status, response.read())
            ended = False
            while not ended:
                details = json.loads(response.readline())  # nothing, when the runtime has gone
                yield details
                ended = bool(details["ended"])
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Gone(str(error)) from error
        finally:
            connection.close()

    def serves(self, folder: StateFolder) -> bool:
        """Whether it is there, and is this folder's: the port may be somebody else's by now."""
        try:
            return bool(self._ask("GET", "/health").get("state") == str(folder.root))
        except (Gone, OnwardError):
            return False

    def _ask(self, method: str, path: str, body: str | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._host, timeout=_ANSWER_S)
        try:
            connection.request(method, path, body, {"content-type": "application/json"} if body else {})
            response = connection.getresponse()
            raw = response.read()
            if response.status != http.client.OK:
                raise _error(response.status, raw)
            answer = json.loads(raw)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Gone(str(error)) from error
        finally:
            connection.close()
        return answer if isinstance(answer, dict) else {}


def find(folder: StateFolder) -> Client | None:
    """The runtime that answers for this folder."""
    try:
        client = Client(folder.endpoint.read_text().strip())
    except (OSError, ValueError):
        return None
    return client if client.serves(folder) else None


def _error(status: int, raw: bytes) -> OnwardError:
    message = str(json.loads(raw)["error"]["message"])
    if status == _NOT_FOUND:
        return NotFound(message)
    if _BAD_REQUEST <= status < _SERVER_ERROR:
        return UserError(message)
    return Unavailable(message)
