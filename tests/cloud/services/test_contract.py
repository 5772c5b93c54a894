"""Every cloud service keeps the promises of a service, through Google's own clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cloud.services.worlds import BatchWorld, ClassicWorld, ClusterJobWorld, ExecutionWorld, FlexWorld
from contract.service_contract import ServiceContract, World


class TestDataprocJob(ServiceContract):
    @contextmanager
    def open_world(self) -> Iterator[World]:
        with ClusterJobWorld().open() as world:
            yield world


class TestDataprocBatch(ServiceContract):
    @contextmanager
    def open_world(self) -> Iterator[World]:
        with BatchWorld().open() as world:
            yield world


class TestDataflowFlexTemplate(ServiceContract):
    @contextmanager
    def open_world(self) -> Iterator[World]:
        with FlexWorld().open() as world:
            yield world


class TestDataflowClassicTemplate(ServiceContract):
    @contextmanager
    def open_world(self) -> Iterator[World]:
        with ClassicWorld().open() as world:
            yield world


class TestWorkflowsExecution(ServiceContract):
    @contextmanager
    def open_world(self) -> Iterator[World]:
        with ExecutionWorld().open() as world:
            yield world
