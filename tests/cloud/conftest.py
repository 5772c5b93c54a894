"""The emulators and a deployment on them, for every test of the cloud path."""

from cloud.deployment import deployment, lines, run_lines, running, started, workflows
from cloud.fixtures import firestore_address, firestore_project, pubsub_address, pubsub_project, storage
from cloud.trouble import passing

__all__ = [
    "deployment",
    "firestore_address",
    "firestore_project",
    "lines",
    "passing",
    "pubsub_address",
    "pubsub_project",
    "run_lines",
    "running",
    "started",
    "storage",
    "workflows",
]
