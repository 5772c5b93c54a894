"""The emulators, for every test of the cloud path."""

from cloud.fixtures import firestore_address, firestore_project, pubsub_address, pubsub_project

__all__ = ["firestore_address", "firestore_project", "pubsub_address", "pubsub_project"]
