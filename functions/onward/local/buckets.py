"""Buckets as folders: `gs://bucket/name` is the file `<root>/bucket/name`.

Object names are untrusted. One that a folder can't hold under exactly that name (it would leave the bucket,
or be another name for some other file) is refused, never mended.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from onward.core import matching
from onward.core.errors import UserError
from onward.ports import Ages, Listed

_URI = re.compile(r"(?<![A-Za-z0-9+.-])gs://([A-Za-z0-9._-]+)")
_LABEL = "[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?"
_BUCKET = re.compile(rf"(?=.{{3,222}}\Z){_LABEL}(\.{_LABEL})*")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_LEAVING = re.compile(r"\A//|/\.\.(?![A-Za-z0-9._-])|\0")
METADATA = "user.onward."
"""What the names of the extended attributes begin with that stand for an object's metadata."""
_TEMPORARY = (".tmp", ".part", ".crdownload", ".swp", "~")


def is_ignored(part: str) -> bool:
    """Whether one part of an object name (a file's or a folder's) is hidden or temporary, so no arrival."""
    return part.startswith(".") or part.endswith(_TEMPORARY)


class Buckets:
    """The folder that holds one folder per bucket.

    Every method raises UserError for a name that is not one, or that the file system can't hold.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))

    def folder(self, bucket: str) -> Path:
        """The bucket's folder, whether or not it is there."""
        _check_bucket(bucket)
        return self.root / bucket

    def path(self, uri: str) -> Path:
        """The file of the object `gs://bucket/name`, whether or not it is there."""
        bucket, name = _split(uri)
        _check_name(uri, name)
        return self.root / bucket / name

    def uri(self, path: Path) -> str:
        """The object `gs://bucket/name` that a file below the root is."""
        try:
            bucket, *parts = Path(os.path.abspath(path)).relative_to(self.root).parts
        except ValueError:
            raise UserError(f"{str(path)!r} is in no bucket: those are the folders of {self.root}") from None
        uri = f"gs://{bucket}/{'/'.join(parts)}"
        _check_bucket(bucket)
        _check_name(uri, "/".join(parts))
        return uri

    def localise(self, text: str) -> str:
        """`text` (one argument of a job) with every `gs://bucket` in it replaced by the bucket's folder."""
        before, *pairs = _URI.split(text)
        pieces = [before]
        for bucket, rest in zip(pairs[::2], pairs[1::2], strict=True):
            _check_bucket(bucket)
            if _LEAVING.search(rest):
                raise UserError(f"{text!r} leaves bucket {bucket!r}: use neither '..' nor '//'")
            pieces.append(f"{self.root}/{bucket}{rest}")
        return "".join(pieces)

    def make_parents(self, uri: str) -> Path:
        """Create the folders above an object, and `…/` itself for a prefix; returns the file or folder."""
        path = self.path(uri.removesuffix("/"))
        folder = path if uri.endswith("/") else path.parent
        try:
            _make_folder(folder)
        except OSError as error:
            raise UserError(f"{uri!r} can't be a file below {self.root}: {_reason(error)}") from None
        return path

    def exists(self, uri: str) -> bool:
        """Whether the object is there; for `gs://b/x/` and globs (`*`, `?`, `[…]`, `**`): whether any is.

        A folder counts when it holds at least one file. Hidden and temporary files never count for a prefix
        or a glob.
        """
        return any(True for _ in self._at(uri))

    def ages(self, uri: str) -> Ages | None:
        """When the oldest and the newest file that is there was written; None for none."""
        times = [path.stat().st_mtime_ns // 1_000 for path in self._at(uri)]
        return Ages(min(times), max(times)) if times else None

    def _at(self, uri: str) -> Iterator[Path]:
        """The files that a URI names."""
        bucket, name = _split(uri)
        _check_name(uri, name.removesuffix("/"))
        folder = self.root / bucket
        path = folder / name
        try:
            if path.is_dir() if name.endswith("/") else path.is_file():
                yield from _files_at(path)
            elif glob.has_magic(name):
                for match in glob.iglob(name, root_dir=folder, recursive=True):
                    if not is_ignored(Path(match).name):
                        yield from _files_at(folder / match)
        except OSError as error:
            raise UserError(f"{uri!r} can't be looked up below {self.root}: {_reason(error)}") from None

    def list(self, pattern: str) -> Iterator[Listed]:
        """The objects that the pattern (`gs://bucket/…`, as in `matching`) matches, by name."""
        bucket, name = _split(pattern)
        _check_name(pattern, name)
        folder, compiled = self.root / bucket, matching.readable(name)
        below = matching.literal_prefix(name).rpartition("/")[0]
        try:
            for found in sorted(_files(folder, below)):
                if compiled.match(found) is not None:
                    status = (folder / found).stat()
                    yield Listed(
                        f"gs://{bucket}/{found}",
                        generation(status),
                        status.st_size,
                        status.st_mtime_ns // 1_000,
                        self.metadata(bucket, found),
                    )
        except OSError as error:
            raise UserError(f"{pattern!r} can't be looked up below {self.root}: {_reason(error)}") from None

    def metadata(self, bucket: str, name: str) -> dict[str, str]:
        """What a file's writer said of it: its extended attributes `user.onward.<key>`.

        None where the file system has none, or the file is gone.
        """
        path = os.path.join(self.root, bucket, name)
        found = {}
        with contextlib.suppress(OSError, ValueError):
            for attribute in os.listxattr(path, follow_symlinks=False):
                if attribute.startswith(METADATA):
                    value = os.getxattr(path, attribute, follow_symlinks=False)
                    found[attribute.removeprefix(METADATA)] = value.decode(errors="replace")
        return found

    def write(self, uri: str, content: bytes) -> Path:
        """Make `content` the object: readers and a crash see all of it or what was there before."""
        path = self.make_parents(uri)
        draft = path.parent / f".{secrets.token_hex(8)}.tmp"
        try:
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise UserError(f"{uri!r} can't be written below {self.root}: {_reason(error)}") from None
        return path


def _split(uri: str) -> tuple[str, str]:
    bucket, slash, name = uri.removeprefix("gs://").partition("/")
    if not uri.startswith("gs://") or not slash:
        raise UserError(f"{uri!r} is not an object: write gs://bucket/name")
    _check_bucket(bucket)
    return bucket, name


def _check_bucket(bucket: str) -> None:
    if not _BUCKET.fullmatch(bucket) or _ADDRESS.fullmatch(bucket):
        raise UserError(
            f"{bucket!r} is not a bucket name: 3 to 63 lower-case letters, digits, '-', '_' and '.',"
            " with a letter or digit at both ends, and not an IP address"
        )
    if bucket.startswith("goog") or "google" in bucket:
        raise UserError(f"{bucket!r} is not a bucket name: 'goog…' and 'google' are reserved")


def _check_name(uri: str, name: str) -> None:
    if not name:
        raise UserError(f"{uri!r} has no object name: write gs://bucket/name")
    if "\0" in name:
        raise UserError(f"{uri!r} has a NUL byte in its object name: no file can be called so")
    parts = name.split("/")
    if ".." in parts:
        raise UserError(f"{uri!r} leaves its bucket: an object name must not have '..' as a part")
    if name.startswith("/"):
        raise UserError(f"{uri!r} leaves its bucket: an object name must not begin with '/'")
    if "" in parts or "." in parts:
        raise UserError(f"{uri!r} has an empty part or '.' in its object name: no file can be called so")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UserError(f"{uri!r} is not UTF-8: rename the file") from None


def _make_folder(folder: Path) -> None:
    """As mkdir(parents=True), which recurses: an object name may have any number of parts."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)


def generation(status: os.stat_result) -> str:
    """What stands for a file's content: rewritten, it has another one."""
    return f"{status.st_ino}.{status.st_mtime_ns}.{status.st_size}"


def _files(folder: Path, below: str) -> Iterator[str]:
    """The names of all files under a folder of the bucket that are neither hidden nor temporary."""
    pending = [below]
    while pending:
        prefix = pending.pop()
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(folder / prefix) as entries,
        ):
            for entry in entries:
                name = f"{prefix}/{entry.name}" if prefix else entry.name
                if is_ignored(entry.name):
                    continue
                if entry.is_file(follow_symlinks=False):
                    yield name
                elif entry.is_dir(follow_symlinks=False):
                    pending.append(name)


def _files_at(path: Path) -> Iterator[Path]:
    """The path, if it is a file; if it is a folder, the files below that are not hidden or temporary."""
    pending = [str(path)]
    if path.is_file():
        yield path
        return
    while pending:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                if is_ignored(entry.name):
                    continue
                if entry.is_file():
                    yield Path(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)


def _reason(error: OSError) -> str:
    return f"{error.strerror} ({error.filename})" if error.filename else str(error.strerror)
