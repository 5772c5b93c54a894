"""Every cloud service keeps the promises of a service, through Google's own clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cloud.services.worlds import (
    BatchWorld,
    ClassicWorld,
    ClusterJobWorld,
    ExecutionWorld,
    FlexWorld,
    OwnClusterWorld,
    TemplateWorld,
)
from contract.service_contract import ServiceContract, World


class TestDataprocJob(ServiceContract):
    @contextmanager
    def open_world(self) -> Iterator[World]:
        with ClusterJobWorld().open() as world:
            yield world


class TestDataprocJobOnAClusterOfItsRun(ServiceContract):
    @contextmanager
    def open_world(self) -> Iterator[World]:
        with OwnClusterWorld().open() as world:
            yield world

    @pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "FAILED_PRECONDITION", "PERMISSION_DENIED"])
    def test_what_would_be_refused_again_is_declined_in_the_words_of_the_service(
        self, world: World, code: str
    ) -> None:
        """Not that it is not found: another incarnation of the cluster is created then."""
        super().test_what_would_be_refused_again_is_declined_in_the_words_of_the_service(world, code)


class TestDataprocBatch(ServiceContract):
    @contextmanager
    def open_world(self) -> Iterator[World]:
        with BatchWorld().open() as world:
            yield world


class TestDataprocWorkflowTemplate(ServiceContract):
    @contextmanager
    def open_world(self) -> Iterator[World]:
        with TemplateWorld().open() as world:
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
