"""The emulators, for the contracts of what runs in the cloud."""

from cloud.fixtures import firestore_address, firestore_project

__all__ = ["firestore_address", "firestore_project"]
