"""The watched folders as a tree: which watch is which folder, while folders come, move and go."""

from __future__ import annotations

from dataclasses import dataclass, field

from onward.local import inotify

_MASK = (
    inotify.IN_CLOSE_WRITE
    | inotify.IN_CREATE
    | inotify.IN_MOVED_FROM
    | inotify.IN_MOVED_TO
    | inotify.IN_ATTRIB
    | inotify.IN_ONLYDIR
)


@dataclass(slots=True, eq=False)
class Folder:
    """A watched folder. Its place never changes: a folder that moves is forgotten and met anew."""

    watch: int
    path: bytes
    parent: Folder | None = None  # None: the root, whose folders are the buckets
    name: bytes = b""
    bucket: str = ""
    prefix: str = ""  # of the object names in it: "" or "a/b/"
    folders: dict[bytes, Folder] = field(default_factory=dict)


class FolderTree:
    """Raises OSError from whatever the kernel refuses to watch."""

    def __init__(self, kernel: inotify.Inotify, root: bytes) -> None:
        self._inotify = kernel
        self.root = Folder(kernel.add(root, _MASK), root)
        self._by_watch = {self.root.watch: self.root}

    def __contains__(self, folder: Folder) -> bool:
        return self._by_watch.get(folder.watch) is folder

    def get(self, watch: int) -> Folder | None:
        return self._by_watch.get(watch)

    def add(self, parent: Folder, name: bytes) -> bool:
        """Watch the folder that is at this name now; False when it is watched there already."""
        path = parent.path + b"/" + name
        is_bucket = parent is self.root
        watch = self._inotify.add(path, _MASK if is_bucket else _MASK | inotify.IN_DONT_FOLLOW)
        there = parent.folders.get(name)
        if there and there.watch == watch:
            return False
        if there:
            self.forget(there)
        if moved := self._by_watch.get(watch):  # met under its new name before its move was read
            self.forget(moved)
            return self.add(parent, name)
        text = name.decode()
        bucket, prefix = (text, "") if is_bucket else (parent.bucket, f"{parent.prefix}{text}/")
        folder = Folder(watch, path, parent, name, bucket, prefix)
        self._by_watch[watch] = parent.folders[name] = folder
        return True

    def forget(self, folder: Folder) -> None:
        """End the watches of a folder and of all below it; their waiting events mean nothing from now on."""
        if folder.parent:
            folder.parent.folders.pop(folder.name, None)
        stack = [folder]
        while stack:
            gone = stack.pop()
            del self._by_watch[gone.watch]
            self._inotify.remove(gone.watch)
            stack += gone.folders.values()
