"""Objects in Cloud Storage: Onward's own in the work bucket, the pipelines' wherever they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from onward.core import matching
from onward.core.errors import NotFound, Unavailable, UserError
from onward.core.problems import shown
from onward.ports import Ages, Listed

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Client  # type: ignore[import-untyped]

SECONDS = 20.0
"""How long a call may take."""
MOST = 10_000
"""Objects of which it can be asked how old they are."""
OWN = "onward/"
"""What the names of Onward's own objects in the work bucket begin with."""
_URI = re.compile(r"gs://(?P<bucket>[^/]+)/(?P<name>.+)", re.DOTALL)
_MAGIC = re.compile(r"[*?\[]")


class GcsObjects:
    """See `ports.Objects`. `connect` builds the client, for others than Google's default."""

    def __init__(self, bucket: str, connect: Callable[[], Client] | None = None) -> None:
        self._bucket = bucket
        self._connect = connect or _connect

    @cached_property
    def _client(self) -> Client:
        return self._connect()

    def put(self, name: str, body: bytes) -> str:
        """See `ports.Objects`."""
        with _our_errors(f"gs://{self._bucket}/{OWN}{name}"):
            blob = self._client.bucket(self._bucket).blob(f"{OWN}{name}")
            blob.upload_from_string(body, "application/json", timeout=SECONDS)
        return f"gs://{self._bucket}/{OWN}{name}"

    def create(self, name: str, body: bytes) -> bool:
        """Store under a name of ours, once: False if it is there already. For `calls.wire.Objects`."""
        from google.api_core.exceptions import PreconditionFailed

        with _our_errors(f"gs://{self._bucket}/{OWN}{name}"):
            blob = self._client.bucket(self._bucket).blob(f"{OWN}{name}")
            try:
                blob.upload_from_string(body, "application/json", if_generation_match=0, timeout=SECONDS)
            except PreconditionFailed:
                return False
        return True

    def own(self, name: str) -> bytes | None:
        """See `ports.Objects`."""
        try:
            return self.get(f"gs://{self._bucket}/{OWN}{name}")
        except NotFound:
            return None

    def get(self, uri: str) -> bytes:
        """See `ports.Objects`."""
        from google.api_core.exceptions import NotFound as Missing

        bucket, name = _split(uri)
        with _our_errors(uri):
            try:
                content: bytes = self._client.bucket(bucket).blob(name).download_as_bytes(timeout=SECONDS)
            except Missing:
                raise NotFound(f"{shown(uri)} is not there any more") from None
        return content

    def exists(self, uri: str) -> bool:
        """See `ports.Objects`. For `gs://b/x/` and globs, whether any is there; a folder is what it holds."""
        from google.api_core.exceptions import NotFound as Missing

        bucket, name = _split(uri)
        with _our_errors(uri):
            try:
                if name.endswith("/"):
                    return self._any(bucket, prefix=name)
                if _MAGIC.search(name):
                    globs = (name, f"{name}/**")
                    return any(self._any(bucket, match_glob=pattern) for pattern in globs)
                return bool(self._client.bucket(bucket).blob(name).exists(timeout=SECONDS))
            except Missing:  # the bucket
                return False

    def ages(self, uri: str) -> Ages | None:
        """See `ports.Objects`. Raises `UserError` for more objects than can be looked at."""
        from google.api_core.exceptions import NotFound as Missing

        bucket, name = _split(uri)
        with _our_errors(uri):
            try:
                blobs = list(islice(self._at(bucket, name), MOST + 1))
            except Missing:  # the bucket
                return None
        if len(blobs) > MOST:
            raise UserError(f"{shown(uri)} is more than {MOST:,} objects: too many to see how old they are")
        times = [int(blob.time_created.timestamp() * 1_000_000) for blob in blobs]
        return Ages(min(times), max(times)) if times else None

    def _at(self, bucket: str, name: str) -> Iterator[Blob]:
        """What a name stands for, as in `exists`."""
        if name.endswith("/"):
            yield from self._client.list_blobs(bucket, prefix=name, timeout=SECONDS)
        elif _MAGIC.search(name):
            for pattern in (name, f"{name}/**"):
                yield from self._client.list_blobs(bucket, match_glob=pattern, timeout=SECONDS)
        elif blob := self._client.bucket(bucket).get_blob(name, timeout=SECONDS):
            yield blob

    def list(self, glob: str, limit: int) -> Sequence[Listed]:
        """See `ports.Objects`."""
        from google.api_core.exceptions import NotFound as Missing

        bucket, name = _split(glob)
        pattern, prefix = matching.readable(name), matching.literal_prefix(name)
        # The service reads `**` in its own way: such a glob is matched here alone.
        which = {"prefix": prefix} if "**" in name else {"prefix": prefix, "match_glob": name}
        with _our_errors(glob):
            try:
                blobs = self._client.list_blobs(bucket, timeout=SECONDS, **which)
                found = (blob for blob in blobs if pattern.match(blob.name) is not None)
                return [
                    Listed(
                        f"gs://{bucket}/{blob.name}",
                        str(blob.generation),
                        blob.size or 0,
                        round(blob.time_created.timestamp() * 1_000_000),
                        blob.metadata or {},
                    )
                    for blob in islice(found, limit)
                ]
            except Missing:  # the bucket
                return []

    def _any(self, bucket: str, **which: str) -> bool:
        found = self._client.list_blobs(bucket, max_results=1, timeout=SECONDS, **which)
        return next(iter(found), None) is not None


def _split(uri: str) -> tuple[str, str]:
    found = _URI.fullmatch(uri)
    if found is None:
        raise UserError(f"{shown(uri)} is not an object: write gs://bucket/name")
    return found["bucket"], found["name"]


@contextmanager
def _our_errors(uri: str) -> Iterator[None]:
    from google.api_core.exceptions import BadRequest, GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except BadRequest as error:
        raise UserError(f"Cloud Storage does not take {shown(uri)}: {error}") from error
    except (GoogleAPIError, GoogleAuthError) as error:
        raise Unavailable(f"{shown(uri)} can't be reached: {error}") from error


def _connect() -> Client:
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage import Client

    try:
        return Client()
    except GoogleAuthError as error:
        raise Unavailable(f"no credentials for Google Cloud: {error}") from error
