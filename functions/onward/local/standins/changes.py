"""Which runs and backfills change, as Firestore tells it by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onward.stores.firestore_rows import name


def listen(project: str, told: Callable[[frozenset[str]], None]) -> Callable[[], None]:
    """Tell the ids of runs and backfills of which a document is new or changed, in threads. Returns what ends
    that."""
    from google.cloud.firestore import Client

    client = Client(project=project)

    def changed(_: Any, changes: list[Any], __: Any) -> None:
        paths = [change.document.reference.path.split("/") for change in changes]
        if paths:
            told(frozenset(name("/".join(path[:2])) for path in paths))

    watches: list[Any] = [
        client.collection("runs").on_snapshot(changed),
        client.collection_group("nodes").on_snapshot(changed),
        client.collection("backfills").on_snapshot(changed),
    ]

    def stop() -> None:
        for watch in watches:
            watch.unsubscribe()

    return stop
