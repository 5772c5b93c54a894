"""What tests of the cloud path ask for: an emulator, and a project of their own in it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from onward.local.buckets import Buckets
from onward.local.standins.emulators import FIRESTORE, PUBSUB, Emulator, Missing, running
from onward.local.standins.storage import Storage


@pytest.fixture(scope="session")
def firestore_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of the Firestore emulator."""
    yield from _address(FIRESTORE, tmp_path_factory)


@pytest.fixture(scope="session")
def pubsub_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of the Pub/Sub emulator."""
    yield from _address(PUBSUB, tmp_path_factory)


@pytest.fixture
def firestore_project(firestore_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A project of this test's own, in the emulator that clients find by its variable."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_address)
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture
def pubsub_project(pubsub_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same for Pub/Sub."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_address)
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Buckets]:
    """Cloud Storage, by its own API, over these folders; clients find it by its variable."""
    buckets = Buckets(tmp_path / "buckets")
    served = Storage(buckets)
    with asyncio.Runner() as runner:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", runner.run(served.listen()))
        thread = threading.Thread(target=runner.get_loop().run_forever)
        thread.start()
        yield buckets
        runner.get_loop().call_soon_threadsafe(runner.get_loop().stop)
        thread.join()
        runner.run(served.close())


def _address(emulator: Emulator, folders: pytest.TempPathFactory) -> Iterator[str]:
    own = folders.getbasetemp()
    # Workers of one run have neighbouring folders, and share what is above them.
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    try:
        with running(emulator, folder) as address:
            yield address
    except Missing as missing:
        if "CI" in os.environ:
            pytest.fail(str(missing))
        pytest.skip(str(missing))
