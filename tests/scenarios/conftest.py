"""What the cloud door stands on."""

from cloud.fixtures import firestore_address, firestore_project, storage

__all__ = ["firestore_address", "firestore_project", "storage"]
