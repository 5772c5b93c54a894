"""Every store keeps the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.sets_contract import SetsContract
from contract.store_contract import OpenStore, StoreContract
from onward.stores.memory import MemoryStore
from onward.stores.sqlite import SqliteStore


class TestMemoryStore(StoreContract, SetsContract):
    @pytest.fixture
    def open_store(self) -> OpenStore:
        store = MemoryStore()
        return lambda: store


class TestSqliteStore(StoreContract, SetsContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Iterator[OpenStore]:
        opened: list[SqliteStore] = []

        def open_store() -> SqliteStore:
            opened.append(SqliteStore(tmp_path / "state.db"))
            return opened[-1]

        yield open_store
        for store in opened:
            store.close()
