"""Objects as files: Onward's own under the state folder, the pipelines' in the bucket folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from onward.core.errors import NotFound, Unavailable
from onward.local.buckets import Buckets
from onward.ports import Ages, Listed


class LocalObjects:
    """See `ports.Objects`."""

    def __init__(self, root: Path, buckets: Buckets) -> None:
        self._root = root
        self._buckets = buckets

    def put(self, name: str, body: bytes) -> str:
        """See `ports.Objects`."""
        path = self._root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f".{path.name}.new")
            with new.open("wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except OSError as error:
            raise Unavailable(f"{path} can't be written: {error.strerror}") from error
        return f"onward:{name}"

    def get(self, uri: str) -> bytes:
        """See `ports.Objects`."""
        # The cloud path's functions wrote theirs to a bucket.
        own = uri.removeprefix("onward:")
        path = self._buckets.path(uri) if own == uri else self._root / own
        try:
            return path.read_bytes()
        except OSError as error:
            raise NotFound(f"{path} can't be read: {error.strerror}") from None

    def own(self, name: str) -> bytes | None:
        """See `ports.Objects`."""
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"{self._root / name} can't be read: {error.strerror}") from error

    def exists(self, uri: str) -> bool:
        """See `ports.Objects`."""
        return self._buckets.exists(uri)

    def ages(self, uri: str) -> Ages | None:
        """See `ports.Objects`."""
        return self._buckets.ages(uri)

    def list(self, glob: str, limit: int) -> Sequence[Listed]:
        """See `ports.Objects`."""
        return list(islice(self._buckets.list(glob), limit))
