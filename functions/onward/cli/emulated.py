"""Looking at the runs of a cloud path that is at work: they are in its emulators, and gone with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onward.cli.reading import Reading
from onward.local.buckets import Buckets
from onward.local.folder import StateFolder
from onward.local.objects import LocalObjects
from onward.local.standins import deployment, kept
from onward.local.standins.emulators import FIRESTORE
from onward.local.standins.storage import generation
from onward.ports import Listed
from onward.stores.firestore import FirestoreStore

_LATEST = 1_000


class _AsStored(LocalObjects):
    """The objects as the stand-in of Cloud Storage has them."""

    def list(self, glob: str, limit: int) -> Sequence[Listed]:
        """See `ports.Objects`."""
        found = super().list(glob, limit)
        return [each._replace(generation=generation(each.generation)) for each in found]


class EmulatedReading(Reading):
    """What the functions have written. `address` is the Firestore emulator's."""

    def __init__(self, folder: StateFolder, address: str) -> None:
        import grpc  # type: ignore[import-untyped]
        from google.cloud.firestore_v1.services.firestore import FirestoreClient
        from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

        def connect() -> FirestoreClient:
            return FirestoreClient(transport=FirestoreGrpcTransport(channel=grpc.insecure_channel(address)))

        store = FirestoreStore(deployment.PROJECT, connect=connect)
        super().__init__(folder, store, _AsStored(folder.objects, Buckets(folder.buckets)))

    @classmethod
    def of(cls, folder: StateFolder) -> EmulatedReading | None:
        """None where no cloud path is at work."""
        address = kept.address(folder.root / deployment.HOME / FIRESTORE.component)
        return None if address is None else cls(folder, address)

    def begins(self, text: str) -> list[str]:
        """See `Reading`. Looks at the latest runs alone."""
        return [run for run, _ in self.store.runs(limit=_LATEST) if run.startswith(text)]

    def log(self, job: str, *, python: bool) -> Path:
        """See `Reading`. All python steps have one, that of the function that calls them."""
        home = self.folder.root / deployment.HOME
        if python:
            return home / "python" / "log"
        # A name may have had several jobs, where the service allows it: the last one is its.
        folders = (home / "jobs").glob(f"{job}-*")
        last = max(
            folders, key=lambda folder: int(folder.name.rpartition("-")[2]), default=home / "jobs" / job
        )
        return last / "log"
