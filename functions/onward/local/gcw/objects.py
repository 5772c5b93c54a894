"""Cloud Storage's objects as files below `Buckets`.

Names come from anywhere, so nothing outside a bucket's folder is ever touched: `Buckets` refuses names that
would leave it, and links that lead out are not followed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from onward.core.errors import UserError
from onward.local.buckets import Buckets, is_ignored
from onward.local.gcw.errors import WorkflowError, failure, http_failure
from onward.local.gcw.ports import StoredObject

MAX_NAME_BYTES = 1024
MAX_READ_BYTES = 2 * 1024 * 1024
"""Workflows' limit for one HTTP response, which is what reading an object is."""


class FolderObjects:
    """`ports.Objects` over a folder of buckets."""

    def __init__(self, root: Path) -> None:
        self._buckets = Buckets(root)

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
            try:
                if only_new:
                    folder = name.rpartition("/")[0]
                    draft = f"{folder}/.{secrets.token_hex(8)}.tmp".lstrip("/")
                    _rename_to_new(self._buckets.write(_uri(bucket, draft), data), target)
                else:
                    self._buckets.write(_uri(bucket, name), data)
            except UserError as error:
                raise failure("SystemError", str(error)) from None
            return _stored(bucket, name, target)

    def delete(self, bucket: str, name: str) -> None:
        with _reported(bucket, name):
            self._existing(bucket, name).unlink()

    def list(self, bucket: str) -> list[StoredObject]:
        folder = self._folder(bucket)
        if not folder.is_dir():
            raise http_failure(404, f"there is no bucket {bucket}")
        found = []
        for parent, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if not is_ignored(name)]
            for name in names:
                path = Path(parent, name)
                # Deleted meanwhile, a link that leads out, or a name that is not UTF-8.
                with suppress(OSError, WorkflowError, UnicodeEncodeError):
                    if not is_ignored(name):
                        relative = path.relative_to(folder).as_posix()
                        relative.encode()
                        self._check_inside(bucket, path)
                        found.append(_stored(bucket, relative, path))
        return sorted(found, key=lambda stored: stored.name)

    def _folder(self, bucket: str) -> Path:
        try:
            return self._buckets.folder(bucket)
        except UserError as error:
            raise http_failure(400, str(error)) from None

    def _path(self, bucket: str, name: str) -> Path:
        self._folder(bucket)
        if len(name.encode()) > MAX_NAME_BYTES or "\n" in name or "\r" in name:
            raise http_failure(400, f"{name[:80]!r}: a name has at most {MAX_NAME_BYTES} bytes and one line")
        try:
            path = self._buckets.path(_uri(bucket, name))
        except UserError as error:
            raise http_failure(400, str(error)) from None
        self._check_inside(bucket, path)
        return path

    def _existing(self, bucket: str, name: str) -> Path:
        path = self._path(bucket, name)
        if not path.is_file():
            raise FileNotFoundError(path)
        return path

    def _check_inside(self, bucket: str, path: Path) -> None:
        try:
            inside = path.resolve().is_relative_to(self._folder(bucket).resolve())
        except RuntimeError:  # links in a circle
            inside = False
        if not inside:
            raise http_failure(403, f"{path.name!r} is a link that leads out of the bucket {bucket}")


def _rename_to_new(draft: Path, target: Path) -> None:
    """Moves `draft` to `target`, or removes it and raises FileExistsError.

    A hard link would do the same, but to a watcher it does not look like a file that was moved in.
    """
    here, no_replace = -100, 1  # AT_FDCWD and RENAME_NOREPLACE of <fcntl.h> and <stdio.h>
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(here, os.fsencode(draft), here, os.fsencode(target), no_replace):
        reason = ctypes.get_errno()
        draft.unlink()
        raise OSError(reason, os.strerror(reason), str(target))


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
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise http_failure(404, f"there is no object {_uri(bucket, name)}") from None
    except FileExistsError:
        raise http_failure(412, f"there is already an object {_uri(bucket, name)}") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise http_failure(400, f"{name[:80]!r} has a part that is too long for a file name") from None
        raise failure("SystemError", f"{_uri(bucket, name)}: {error.strerror or error}") from None
