"""The configuration, copied, and a terraform that finds the stand-in for the google provider of a version."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from terraform.applying import CONFIGURATION, FULL, VERSIONS, State, Terraform, terraform_of


@pytest.fixture(scope="session", params=VERSIONS)
def terraform(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terraform]:
    """For each end of the range of providers that is promised."""
    folder = tmp_path_factory.mktemp("terraform") / "terraform"
    shutil.copytree(
        CONFIGURATION, folder, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "backend.tf")
    )
    with terraform_of(request.param, folder) as found:
        yield found


@pytest.fixture(scope="session")
def applied(terraform: Terraform) -> State:
    """What there is after everything that can be asked for was applied."""
    return terraform.applied(FULL)
