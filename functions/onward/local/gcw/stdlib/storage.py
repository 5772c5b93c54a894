# ruff: noqa: PLR0913, PLR0917  (the parameters are the documented ones)
"""The Cloud Storage connector, googleapis.storage.v1.objects.*, over `Io.objects`.

Object names in a path (`object`, `sourceObject`, `destinationObject` of copy and rewrite) are URL-encoded
by the workflow, as the service asks; a bare `/` there fails as it does in the service. `name` of insert
and the names in a body are plain.
"""

from __future__ import annotations

import mimetypes
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import unquote

from onward.local.gcw.errors import WorkflowError, failure, http_failure
from onward.local.gcw.ports import Io, StoredObject
from onward.local.gcw.values import Value, from_json, to_json, type_name


def get(io: Io, bucket: str, object_: str, alt: str = "json") -> Value:
    name = _path(object_)
    if alt == "json":
        return _resource(io.objects.stat(bucket, name))
    if alt != "media":
        raise ValueError(f"`alt` is json or media, not {alt!r}")
    data = io.objects.read(bucket, name)
    # There is no stored content type here: the name tells it, and what is no JSON after all is text.
    if _content_type(name) == "application/json":
        with suppress(WorkflowError):
            return from_json(data)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def insert(
    io: Io,
    bucket: str,
    name: str,
    body: Value = None,
    upload_type: str = "media",
    if_generation_match: str | int | None = None,
) -> Value:
    if upload_type != "media":
        raise http_failure(501, f"uploadType {upload_type!r} is not available locally: only media is")
    stored = io.objects.write(bucket, name, _bytes(body), only_new=_only_new(if_generation_match))
    return _resource(stored)


def delete(io: Io, bucket: str, object_: str) -> Value:
    io.objects.delete(bucket, _path(object_))
    return None


def list_(
    io: Io,
    bucket: str,
    prefix: str = "",
    delimiter: str = "",
    max_results: int = 1000,
    page_token: str = "",
) -> Value:
    if max_results < 1:
        raise ValueError("`maxResults` must be at least 1")
    entries: dict[str, StoredObject | None] = {}
    for stored in io.objects.list(bucket):
        if stored.name.startswith(prefix):
            rest = stored.name[len(prefix) :]
            folder, found, _ = rest.partition(delimiter) if delimiter else (rest, "", "")
            entries[f"{prefix}{folder}{found}"] = None if found else stored
    names = [name for name in sorted(entries) if name > page_token]
    page = names[:max_results]
    items: list[Value] = [_resource(entry) for name in page if (entry := entries[name])]
    prefixes: list[Value] = [name for name in page if entries[name] is None]
    answer: dict[str, Value] = {"kind": "storage#objects"}
    # The service leaves out what is empty.
    answer |= {"items": items} if items else {}
    answer |= {"prefixes": prefixes} if prefixes else {}
    answer |= {"nextPageToken": page[-1]} if len(names) > max_results else {}
    return answer


def copy(
    io: Io,
    source_bucket: str,
    source_object: str,
    destination_bucket: str,
    destination_object: str,
    if_generation_match: str | int | None = None,
) -> Value:
    data = io.objects.read(source_bucket, _path(source_object))
    only_new = _only_new(if_generation_match)
    return _resource(io.objects.write(destination_bucket, _path(destination_object), data, only_new=only_new))


def rewrite(
    io: Io,
    source_bucket: str,
    source_object: str,
    destination_bucket: str,
    destination_object: str,
    if_generation_match: str | int | None = None,
) -> Value:
    resource = copy(
        io, source_bucket, source_object, destination_bucket, destination_object, if_generation_match
    )
    return {"kind": "storage#rewriteResponse", "done": True, "resource": resource}


def compose(
    io: Io,
    destination_bucket: str,
    destination_object: str,
    body: dict[str, Value],
    if_generation_match: str | int | None = None,
) -> Value:
    sources = body.get("sourceObjects")
    data = b""
    for source in sources if isinstance(sources, list) and sources else [None]:
        name = source.get("name") if isinstance(source, dict) else None
        if not isinstance(name, str):
            raise http_failure(400, "compose needs `body.sourceObjects`, a list of maps with a `name`")
        data += io.objects.read(destination_bucket, name)
    only_new = _only_new(if_generation_match)
    return _resource(io.objects.write(destination_bucket, _path(destination_object), data, only_new=only_new))


def _path(encoded: str) -> str:
    if "/" in encoded:
        raise http_failure(404, f"the object name {encoded!r} must be URL-encoded: use text.url_encode")
    return unquote(encoded, errors="strict")


def _only_new(if_generation_match: str | int | None) -> bool:
    if if_generation_match is not None and str(if_generation_match) != "0":
        raise http_failure(501, "ifGenerationMatch other than 0 is not available locally")
    return if_generation_match is not None


def _bytes(body: Value) -> bytes:
    match body:
        case bytes():
            return body
        case str():
            return body.encode()
        case None:
            return b""
        case dict() | list():
            return to_json(body).encode()
        case _:
            raise failure("TypeError", f"`body` must be a string, bytes, map or list, not {type_name(body)}")


def _content_type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _resource(stored: StoredObject) -> Value:
    updated = datetime.fromtimestamp(stored.generation / 1e6, UTC).isoformat(timespec="milliseconds")
    return {
        "kind": "storage#object",
        "id": f"{stored.bucket}/{stored.name}/{stored.generation}",
        "name": stored.name,
        "bucket": stored.bucket,
        "size": str(stored.size),
        "generation": str(stored.generation),
        "metageneration": "1",
        "contentType": _content_type(stored.name),
        "timeCreated": updated.replace("+00:00", "Z"),
        "updated": updated.replace("+00:00", "Z"),
    }


_PREFIX = "googleapis.storage.v1.objects."
FUNCTIONS = {
    f"{_PREFIX}get": get,
    f"{_PREFIX}insert": insert,
    f"{_PREFIX}delete": delete,
    f"{_PREFIX}list": list_,
    f"{_PREFIX}copy": copy,
    f"{_PREFIX}rewrite": rewrite,
    f"{_PREFIX}compose": compose,
}
BLOCKING = frozenset(FUNCTIONS)
