"""Firestore keeps the promises that every store keeps."""

from __future__ import annotations

import pytest
from contract.sets_contract import SetsContract
from contract.store_contract import OpenStore, StoreContract
from onward.stores.firestore import FirestoreStore


class TestFirestoreStore(StoreContract, SetsContract):
    @pytest.fixture
    def open_store(self, firestore_project: str) -> OpenStore:
        return lambda: FirestoreStore(firestore_project)
