"""Files that arrive in the bucket folders, told of by inotify: no thread, no polling, no work while idle.

An event is only a hint to look at a name; what is reported is what lies there now. So events may be lost,
late, doubled or stale (a burst overflows the kernel's queue, a folder moves while its events are waiting),
and a scan is no more than a look at every name.

Complete means: closed after writing, or, when a name is met in any other way (moved or linked in, found by a
scan), open for writing nowhere. One that is still open is looked at again after 1 s, 2 s, 4 s …: mostly its
close comes first and ends that. But the kernel tells of a close just before it counts the writer out, and
only under the name that the writer opened, so waiting for a close alone could miss one. Whatever can't be
looked at (no permission, no more watches) is tried again in the same way.

Ignored: hidden and temporary names (a file's or a folder's), symbolic links (what they point to may lie
outside the bucket, and its changes are not told of; a bucket's own folder may be one), and whatever is not a
regular file. A folder that is moved in or renamed is a new folder: its files arrive under their new names.
What is written through another hard link of a file is told of under that other name alone.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import msgspec

from onward.core.errors import UserError
from onward.local import inotify
from onward.local.buckets import Buckets, generation, is_ignored
from onward.local.folders import Folder, FolderTree
from onward.local.leases import stat_unless_written

_BATCH = 1_000


class Arrival(msgspec.Struct, frozen=True):
    """A complete file. `generation` stands for this content: rewritten, it is another."""

    bucket: str
    name: str
    generation: str  # inode.mtime_ns.size
    size: int  # bytes
    updated: int  # µs since the epoch


class _Look(NamedTuple):
    """One name to look at, and why."""

    folder: Folder
    name: bytes
    event: int = 0  # the mask of the event that told of it
    patience_s: float = 1.0  # until the next look, should this one come too early


class Watcher:
    """Reports every complete file of the watched buckets, each generation once.

    `known` gives the generation of an object that was taken last, or None: that one is not reported again.
    It must know at once what `on_arrivals` got.
    `on_arrivals` gets lists of at most 1,000, from the loop and from `start`; it must not raise.
    `on_touched` gets a known file of which only the times were set anew, as `wget`, `unzip` and
    `shutil.copy2` do after the close: the old content, which from now on has this generation.
    `on_problem` gets a sentence on what can't be watched or reported, once each.

    What is kept of a file that was told of is a salted 64-bit hash of its bucket, name and generation (some
    75 bytes in memory; among a million files two collide with a probability of 3 in 10^8).

    Raises UserError when the bucket folders can't be created or watched.
    """

    def __init__(  # noqa: PLR0913 - what it needs, and each way in which it tells
        self,
        loop: asyncio.AbstractEventLoop,
        buckets: Buckets,
        watched: Iterable[str],
        known: Callable[[str, str], str | None],
        on_arrivals: Callable[[list[Arrival]], None],
        *,
        on_touched: Callable[[Arrival], None],
        on_problem: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._known = known
        self._on_arrivals = on_arrivals
        self._on_touched = on_touched
        self._on_problem = on_problem
        self._watched = {os.fsencode(bucket): buckets.folder(bucket) for bucket in watched}
        self._waiting: dict[tuple[int, bytes], asyncio.TimerHandle] = {}
        self._seen: set[int] = set()
        self._touched: set[int] = set()
        self._running = True
        try:
            for folder in self._watched.values():
                folder.mkdir(parents=True, exist_ok=True)
            self._inotify = inotify.Inotify()
            self._tree = FolderTree(self._inotify, os.fsencode(buckets.root))
        except OSError as error:
            raise UserError(inotify.explain(os.fsencode(error.filename or buckets.root), error)) from None

    def start(self) -> None:
        """Report what is there and not known, and go on with what comes."""
        self._loop.add_reader(self._inotify.fileno(), self._on_readable)
        self._report(_Look(self._tree.root, bucket) for bucket in self._watched)

    def stop(self) -> None:
        """Report nothing more and give everything back; a second call does nothing."""
        if self._running:
            self._running = False
            self._loop.remove_reader(self._inotify.fileno())
            for timer in self._waiting.values():
                timer.cancel()
            self._inotify.close()

    def _on_readable(self) -> None:
        events: dict[tuple[int, bytes], int] = {}
        for watch, mask, name in self._inotify.read():
            # Of several events of one name the last one counts; new attributes say nothing of who is writing.
            earlier = events.get((watch, name), 0) if mask & inotify.IN_ATTRIB else 0
            events[watch, name] = mask | earlier
        self._report(self._follow(events))

    def _report(self, looks: Iterator[_Look]) -> None:
        arrivals = self._explore(looks)
        while self._running and (batch := list(islice(arrivals, _BATCH))):
            self._on_arrivals(batch)

    def _follow(self, events: dict[tuple[int, bytes], int]) -> Iterator[_Look]:
        for (watch, name), mask in events.items():
            folder = self._tree.get(watch)
            if mask & inotify.IN_Q_OVERFLOW:
                yield from (_Look(self._tree.root, bucket, mask) for bucket in self._watched)
            elif folder is None:
                continue  # forgotten since: what was in it is looked for where it is now
            elif mask & inotify.IN_IGNORED:
                if folder is self._tree.root:
                    self._problem(f"{inotify.shown(folder.path)} is gone: nothing arrives until a new start")
                self._tree.forget(folder)
            elif name:
                yield _Look(folder, name, mask)

    def _explore(self, looks: Iterator[_Look]) -> Iterator[Arrival]:
        """What these looks find, in new folders too."""
        pending = [looks]
        while pending:
            for look in pending.pop():
                match self._look(look):
                    case Arrival() as arrival:
                        yield arrival
                    case Iterator() as inside:
                        pending.append(inside)

    def _look(self, look: _Look) -> Arrival | Iterator[_Look] | None:
        """What is new at a name: a file to report, a folder's names to look at in turn, or nothing."""
        folder, name = look.folder, look.name
        if timer := self._waiting.pop((folder.watch, name), None):
            timer.cancel()
        path = folder.path + b"/" + name
        if folder not in self._tree or not self._is_wanted(folder, name, path):
            return None
        found = None
        try:
            is_bucket = folder is self._tree.root
            status = os.stat(path) if is_bucket else os.lstat(path)
            if stat.S_ISDIR(status.st_mode):
                return self._enter(look)
            if stat.S_ISREG(status.st_mode) and not is_bucket:
                found = self._take(look, path, status)
        except (FileNotFoundError, NotADirectoryError):
            pass  # gone again
        except OSError as error:
            # A folder may become a link between a look and the next: links are passed over.
            if error.errno != errno.ELOOP or folder is self._tree.root:
                self._problem(inotify.explain(path, error))
                self._wait(look)
        if name in folder.folders:
            self._tree.forget(folder.folders[name])
        return found

    def _enter(self, look: _Look) -> Iterator[_Look] | None:
        """The names in a folder that is new or (after an overflow) may have changed unseen."""
        is_new = self._tree.add(look.folder, look.name)
        overflow = look.event & inotify.IN_Q_OVERFLOW
        if not (is_new or overflow):
            return None
        folder = look.folder.folders[look.name]
        names = {*os.listdir(folder.path), *folder.folders}
        return (_Look(folder, name, overflow) for name in sorted(names))

    def _is_wanted(self, folder: Folder, name: bytes, path: bytes) -> bool:
        if folder is self._tree.root:
            return name in self._watched
        if is_ignored(name.decode(errors="replace")):
            return False
        if name.decode(errors="ignore").encode() != name:
            self._problem(f"{inotify.shown(path)} is ignored: its name is not UTF-8; rename it")
            return False
        return True

    def _take(self, look: _Look, path: bytes, status: os.stat_result) -> Arrival | None:
        """The file as an arrival, if it is complete and new."""
        arrival = _arrival(look, status)
        closed = bool(look.event & inotify.IN_CLOSE_WRITE)
        if self._is_known(arrival, closed):
            return None
        if not closed:
            settled = stat_unless_written(path)
            if settled is None:
                self._wait(look)
                return None
            arrival = _arrival(look, settled)
            if look.event == inotify.IN_ATTRIB and self._is_touched(arrival):
                self._touched.add(hash(arrival))
                self._on_touched(arrival)
                return None
        self._seen.add(hash(arrival))
        return arrival

    def _is_known(self, arrival: Arrival, closed: bool) -> bool:
        if hash(arrival) in self._seen:
            return True
        # Closed with the times it was touched with: they were set while it was being rewritten.
        if closed and hash(arrival) in self._touched:
            return False
        return self._known(arrival.bucket, arrival.name) == arrival.generation

    def _is_touched(self, arrival: Arrival) -> bool:
        known = self._known(arrival.bucket, arrival.name) or ""
        return known.split(".")[::2] == arrival.generation.split(".")[::2]

    def _wait(self, look: _Look) -> None:
        again = look._replace(event=0, patience_s=2 * look.patience_s)
        timer = self._loop.call_later(look.patience_s, lambda: self._report(iter([again])))
        self._waiting[look.folder.watch, look.name] = timer

    def _problem(self, sentence: str) -> None:
        if hash(sentence) not in self._seen:
            self._seen.add(hash(sentence))
            self._on_problem(sentence)


def _arrival(look: _Look, status: os.stat_result) -> Arrival:
    return Arrival(
        bucket=look.folder.bucket,
        name=look.folder.prefix + look.name.decode(),
        generation=generation(status),
        size=status.st_size,
        updated=status.st_mtime_ns // 1_000,
    )
