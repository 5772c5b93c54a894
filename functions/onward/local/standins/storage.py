"""Cloud Storage's JSON API over the folder buckets: upload, download, look up, list, delete.

Functions and jobs so see the same objects. Hidden and temporary files are no objects.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

import google_crc32c  # of Google's storage client
import msgspec

from onward.core.errors import UserError
from onward.local.buckets import Buckets, is_ignored
from onward.local.http import Request, Response, Server
from onward.local.standins.globs import pattern
from onward.local.standins.resumable import Uploads

LARGEST = 256 * 1024 * 1024
"""Bytes of an upload: it is held in memory."""
NOTHING: Mapping[str, str] = {}
_OBJECT = re.compile(r"/(?:download/)?storage/v1/b/(?P<bucket>[^/]+)/o/(?P<name>.+)", re.DOTALL)
_LIST = re.compile(r"/storage/v1/b/(?P<bucket>[^/]+)/o")
_UPLOAD = re.compile(r"(?:/resumable)?/upload/storage/v1/b/(?P<bucket>[^/]+)/o")


def generation(identity: str) -> str:
    """A number that stands for a file's content, by what the watcher knows it by, and grows with its time."""
    milliseconds = int(identity.split(".")[1]) // 1_000_000
    told_apart = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:3]) >> 2
    return str(milliseconds << 22 | told_apart)


def resource(  # noqa: PLR0913, PLR0917 - what there is to say
    bucket: str, name: str, generation: str, size: int, updated: int, said: Mapping[str, str] = NOTHING
) -> dict[str, Any]:
    """An object as the JSON API describes it; `updated` is in microseconds."""
    moment = datetime.fromtimestamp(updated / 1_000_000, UTC).isoformat(timespec="milliseconds")
    moment = moment.replace("+00:00", "Z")
    return {
        "kind": "storage#object",
        "id": f"{bucket}/{name}/{generation}",
        "name": name,
        "bucket": bucket,
        "generation": generation,
        "metageneration": "1",
        "contentType": mimetypes.guess_type(name)[0] or "application/octet-stream",
        "timeCreated": moment,
        "updated": moment,
        "storageClass": "STANDARD",
        "size": str(size),
        **({"metadata": dict(said)} if said else {}),
    }


class Storage:
    """Serves the buckets over HTTP, once it listens."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._uploads = Uploads()
        self._server = Server(self._handle, _error, LARGEST)

    async def listen(self) -> str:
        """Returns its address, `http://host:port`."""
        return f"http://127.0.0.1:{await self._server.listen('127.0.0.1', 0)}"

    async def close(self) -> None:
        """Cut what is being answered."""
        await self._server.close()

    async def _handle(self, request: Request) -> Response:
        try:
            return self._route(request)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return _error(404, f"No such object or bucket: {request.path}")
        except UserError as error:
            return _error(400, str(error))

    def _route(self, request: Request) -> Response:
        query = request.query
        match request.method:
            case "GET" if found := _OBJECT.fullmatch(request.path):
                return self._got(found["bucket"], found["name"], query)
            case "GET" if found := _LIST.fullmatch(request.path):
                return self._listed(found["bucket"], query)
            case "POST" if found := _UPLOAD.fullmatch(request.path):
                return self._upload(found["bucket"], request)
            case "PUT" if found := _UPLOAD.fullmatch(request.path):
                return self._go_on(found["bucket"], request)
            case "DELETE" if found := _OBJECT.fullmatch(request.path):
                self._path(**found.groupdict()).unlink()
                return Response(204, b"")
        return _error(501, f"this stand-in has no {request.method} {request.path}")

    def _got(self, bucket: str, name: str, query: Mapping[str, str]) -> Response:
        if query.get("alt") == "media":
            return Response(200, self._path(bucket, name).read_bytes(), "application/octet-stream")
        return _json(self._described(bucket, name))

    def _path(self, bucket: str, name: str) -> Path:
        path = self._buckets.path(f"gs://{bucket}/{name}")
        if not path.is_file():
            raise FileNotFoundError
        return path

    def _described(self, bucket: str, name: str) -> dict[str, Any]:
        status = os.stat(self._path(bucket, name))
        identity = f"{status.st_ino}.{status.st_mtime_ns}.{status.st_size}"
        said = self._buckets.metadata(bucket, name)
        return resource(bucket, name, generation(identity), status.st_size, status.st_mtime_ns // 1_000, said)

    def _listed(self, bucket: str, query: Any) -> Response:
        folder = self._buckets.folder(bucket)
        if not folder.is_dir():
            raise FileNotFoundError
        prefix, glob = query.get("prefix", ""), query.get("matchGlob")
        matches = pattern(glob).fullmatch if glob else (lambda _: True)
        names = [name for name in sorted(_names(folder)) if name.startswith(prefix) and matches(name)]
        names = [name for name in names if name > query.get("pageToken", "")]
        most = int(query.get("maxResults", 1000))
        found = {"kind": "storage#objects", "items": [self._described(bucket, name) for name in names[:most]]}
        return _json({**found, "nextPageToken": names[most - 1]} if len(names) > most else found)

    def _upload(self, bucket: str, request: Request) -> Response:
        match request.query.get("uploadType"):
            case "multipart":
                head = f"content-type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
                # Not by lines: the object's own bytes may hold any.
                described, content = _parts(head + request.body)
                name = str(msgspec.json.decode(described).get("name") or request.query.get("name", ""))
            case "media":
                name, content = request.query.get("name", ""), request.body
            case "resumable":
                return self._uploads.begin(request)
            case other:
                return _error(501, f"this stand-in takes no upload of type {other}")
        return self._write(bucket, name, content, request.query)

    def _go_on(self, bucket: str, request: Request) -> Response:
        taken = self._uploads.take(request)
        if isinstance(taken, Response):
            return taken
        return self._write(bucket, taken.name, bytes(taken.content), taken.query)

    def _write(self, bucket: str, name: str, content: bytes, query: Mapping[str, str]) -> Response:
        uri = f"gs://{bucket}/{name}"
        if query.get("ifGenerationMatch") == "0" and self._buckets.path(uri).exists():
            return _error(412, "At least one of the pre-conditions you specified did not hold.")
        self._buckets.write(uri, content)
        # Google's client refuses an upload in pieces whose checksum it can't compare.
        checksum = base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()
        return _json({**self._described(bucket, name), "crc32c": checksum})


def _parts(body: bytes) -> tuple[bytes, bytes]:
    """The two parts of a multipart/related body."""
    message = BytesParser(policy=HTTP).parsebytes(body.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    boundary = b"--" + str(message.get_boundary("")).encode()
    _, first, second, *_ = body.partition(b"\r\n\r\n")[2].split(boundary, 3)
    return first.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n"), second.partition(b"\r\n\r\n")[
        2
    ].removesuffix(b"\r\n")


def _names(folder: Path, above: str = "") -> Iterator[str]:
    for entry in os.scandir(folder):
        if is_ignored(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _names(Path(entry.path), f"{above}{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            yield above + entry.name


def _json(value: Any) -> Response:
    return Response(200, msgspec.json.encode(value))


def _error(code: int, message: str) -> Response:
    return Response(code, msgspec.json.encode({"error": {"code": code, "message": message}}))
