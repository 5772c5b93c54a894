"""Cloud Storage as folders: `<root>/<bucket>/<object>`.

Object names come from anywhere, so nothing outside the bucket's folder is ever touched: names with `..`,
empty or hidden parts are refused, and links that lead out of the bucket are not followed.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from onward.local.gcw.errors import WorkflowError, failure, http_failure
from onward.local.gcw.ports import StoredObject

MAX_NAME_BYTES = 1024
MAX_READ_BYTES = 2 * 1024 * 1024
"""Workflows' limit for one HTTP response, which is what reading an object is."""
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")


class FolderObjects:
    """`ports.Objects` over a folder of buckets."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, bucket: str, name: str) -> bytes:
        with _reported(bucket, name), self._existing(bucket, name).open("rb") as file:
            data = file.read(MAX_READ_BYTES + 1)
        if len(data) > MAX_READ_BYTES:
            limit = f"{MAX_READ_BYTES // 1024**2} MB"
            raise failure("ResourceLimitError", f"{_uri(bucket, name)} is larger than {limit}")
        return data

    def stat(self, bucket: str, name: str) -> StoredObject:
        with _reported(bucket, name):
            return _stored(bucket, name, self._existing(bucket, name))

    def write(self, bucket: str, name: str, data: bytes, *, only_new: bool = False) -> StoredObject:
        with _reported(bucket, name):
            target = self._path(bucket, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.parent / f".{uuid4().hex}.tmp"
            try:
                _write(temporary, data)
                stored = _stored(bucket, name, temporary)
                _rename(temporary, target, only_new=only_new)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        return stored

    def delete(self, bucket: str, name: str) -> None:
        with _reported(bucket, name):
            self._existing(bucket, name).unlink()

    def list(self, bucket: str) -> list[StoredObject]:
        folder = self._bucket(bucket)
        if not folder.is_dir():
            raise http_failure(404, f"there is no bucket {bucket}")
        found = []
        for parent, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                path = Path(parent, name)
                if not name.startswith("."):
                    # Deleted meanwhile, a link that leads out, or a name that is not UTF-8.
                    with suppress(OSError, WorkflowError, UnicodeEncodeError):
                        self._inside(bucket, path)
                        relative = path.relative_to(folder).as_posix()
                        relative.encode()
                        found.append(_stored(bucket, relative, path))
        return sorted(found, key=lambda stored: stored.name)

    def _bucket(self, bucket: str) -> Path:
        if not _BUCKET.fullmatch(bucket):
            raise http_failure(400, f"{bucket!r} is not a bucket name")
        return self._root / bucket

    def _path(self, bucket: str, name: str) -> Path:
        folder = self._bucket(bucket)
        if not 0 < len(name.encode()) <= MAX_NAME_BYTES:
            raise http_failure(400, f"an object name has 1 to {MAX_NAME_BYTES} bytes")
        if any(char in name for char in "\0\r\n"):
            raise http_failure(400, f"the object name {name!r} holds a line break or NUL")
        if any(part == "" or part.startswith(".") for part in name.split("/")):
            raise http_failure(400, f"the object name {name!r} has an empty or hidden part")
        path = folder / name
        self._inside(bucket, path)
        return path

    def _existing(self, bucket: str, name: str) -> Path:
        path = self._path(bucket, name)
        if not path.is_file():
            raise FileNotFoundError(path)
        return path

    def _inside(self, bucket: str, path: Path) -> None:
        try:
            inside = path.resolve().is_relative_to(self._bucket(bucket).resolve())
        except RuntimeError:  # links in a circle
            inside = False
        if not inside:
            raise http_failure(403, f"{path.name!r} leads out of the bucket {bucket}")


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _rename(source: Path, target: Path, *, only_new: bool) -> None:
    if not only_new:
        source.replace(target)
        return
    # A hard link would do the same, but to a watcher it does not look like a file that was moved in.
    libc = ctypes.CDLL(None, use_errno=True)
    here, no_replace = -100, 1  # AT_FDCWD, RENAME_NOREPLACE
    if libc.renameat2(here, os.fsencode(source), here, os.fsencode(target), no_replace):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), str(target))


def _stored(bucket: str, name: str, path: Path) -> StoredObject:
    facts = path.stat()
    return StoredObject(bucket, name, facts.st_size, facts.st_mtime_ns // 1000)


def _uri(bucket: str, name: str) -> str:
    return f"gs://{bucket}/{name}"


@contextmanager
def _reported(bucket: str, name: str) -> Iterator[None]:
    """Says what the file system refused in the service's words."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError):
        raise http_failure(404, f"there is no object {_uri(bucket, name)}") from None
    except FileExistsError:
        raise http_failure(412, f"there is already an object {_uri(bucket, name)}") from None
    except NotADirectoryError:
        raise http_failure(409, f"a folder of {_uri(bucket, name)} is an object") from None
    except OSError as error:
        raise failure("SystemError", f"{_uri(bucket, name)}: {error.strerror or error}") from error
