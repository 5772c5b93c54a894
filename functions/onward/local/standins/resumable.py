"""Cloud Storage's resumable uploads: begun by a POST, gone on with by PUTs of one piece after the other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count
from typing import NamedTuple

import msgspec

from onward.local.http import Request, Response

INCOMPLETE = 308
_RANGE = re.compile(r"bytes (\*|(?P<first>\d+)-(?P<last>\d+))/(?P<total>\d+|\*)")


class Upload(NamedTuple):
    """An object that is being uploaded, and what the request that began it said."""

    name: str
    query: Mapping[str, str]
    content: bytearray


class Uploads:
    """The uploads that have begun and not ended, in memory."""

    def __init__(self) -> None:
        self._open: dict[str, Upload] = {}
        self._ids = count(1)

    def begin(self, request: Request) -> Response:
        """Says where the pieces go."""
        described = msgspec.json.decode(request.body or b"{}", type=dict[str, object])
        name = str(described.get("name") or request.query.get("name", ""))
        id_ = str(next(self._ids))
        self._open[id_] = Upload(name, request.query, bytearray())
        where = f"http://{request.headers['host']}{request.path}?uploadType=resumable&upload_id={id_}"
        return Response(200, b"", headers=(("location", where),))

    def take(self, request: Request) -> Upload | Response:
        """The upload, if this piece ends it; else what to answer."""
        upload = self._open.get(request.query.get("upload_id", ""))
        found = _RANGE.fullmatch(request.headers.get("content-range", ""))
        if upload is None or found is None:
            return Response(404 if upload is None else 400, b"{}")
        if found["first"] is not None and int(found["first"]) == len(upload.content):
            upload.content.extend(request.body)
        if found["total"] == str(len(upload.content)):
            del self._open[request.query["upload_id"]]
            return upload
        so_far = (("range", f"bytes=0-{len(upload.content) - 1}"),) if upload.content else ()
        return Response(INCOMPLETE, b"", headers=so_far)
