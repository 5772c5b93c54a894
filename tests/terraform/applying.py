"""Runs terraform, and reads the state that it leaves."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

HERE = Path(__file__).parent
CONFIGURATION = HERE.parents[1] / "terraform"
TOOLS = HERE / "tools"
VERSIONS = ("7.41.0", "8.7.0")
FULL = HERE / "fixtures/full.tfvars.json"
"""Everything that can be asked for, with its deployment."""
LEAST = HERE / "fixtures/least.tfvars.json"
DEPLOYMENT = HERE / "fixtures/deployment.json"
EMPTY = HERE / "fixtures/empty.json"
"""A deployment without pipelines."""

FRAME = re.compile(r"\x1b\[[0-9;]*m|[╷│╵]")
"""What terraform draws around a diagnostic."""

Values = dict[str, Any]


class Resource(NamedTuple):
    """One that was made, with every reference resolved."""

    address: str
    type: str
    values: Values


class State:
    """All that there is after an apply, and what Terraform would tell."""

    def __init__(self, shown: Mapping[str, Any]) -> None:
        self.resources = list(_resources(shown["values"]["root_module"]))
        self.outputs = {name: each["value"] for name, each in shown["values"].get("outputs", {}).items()}

    def of(self, kind: str) -> list[Values]:
        """The values of each resource of a type."""
        return [each.values for each in self.resources if each.type == kind]

    def where(self, kind: str, **what: Any) -> list[Values]:
        """Those of a type of which this is true."""
        return [each for each in self.of(kind) if all(each[name] == value for name, value in what.items())]

    def one(self, kind: str, **what: Any) -> Values:
        """The only one of a type of which this is true."""
        (found,) = self.where(kind, **what)
        return found


def _resources(module: Mapping[str, Any]) -> Iterator[Resource]:
    for each in module.get("resources", ()):
        yield Resource(each["address"], each["type"], each["values"])
    for child in module.get("child_modules", ()):
        yield from _resources(child)


class Failed(Exception):
    """Terraform refused; the text is what it said, without its frame and line breaks."""


class Terraform:
    """One copy of the configuration, and one version of the provider."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._environment = environment

    def __call__(self, *arguments: str, folder: str = ".") -> str:
        """What it printed. Raises `Failed`."""
        ran = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder / folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            raise Failed(" ".join(FRAME.sub(" ", ran.stdout + ran.stderr).split()))
        return ran.stdout

    def init(self, folder: str = ".") -> None:
        """Once for each root and module."""
        if not (self.folder / folder / ".terraform").exists():
            self("init", "-backend=false", "-input=false", folder=folder)

    def plan(self, variables: Path, *arguments: str, deployment: Path) -> str:
        """What a plan from nothing says. Raises `Failed`."""
        self.init()
        return self("plan", "-no-color", "-input=false", *_given(variables, deployment), *arguments)

    def applied(self, variables: Path, folder: str = ".") -> State:
        """Applies, sees that a second plan would change nothing, and says what there is. Leaves no state."""
        self.init(folder)
        given = _given(variables, DEPLOYMENT) if folder == "." else [f"-var-file={variables}"]
        self("apply", "-auto-approve", "-input=false", *given, folder=folder)
        self("plan", "-detailed-exitcode", "-input=false", *given, folder=folder)
        state = State(json.loads(self("show", "-json", folder=folder)))
        (self.folder / folder / "terraform.tfstate").unlink()
        return state


def _given(variables: Path, deployment: Path) -> list[str]:
    return [f"-var-file={variables}", f"-var=deployment={deployment}"]


@contextmanager
def terraform_of(version: str, folder: Path) -> Iterator[Terraform]:
    """Terraform in that folder, with the google provider of that version. Fails in CI where there is none."""
    if shutil.which("terraform") is None:
        missing = "terraform is not on the PATH (https://developer.hashicorp.com/terraform/install)"
        if "CI" in os.environ:
            pytest.fail(missing)
        pytest.skip(missing)
    sys.path.insert(0, str(TOOLS))
    import tfstub

    rules, fakes = (tfstub.load(str(TOOLS / f"{name}-google.json")) for name in ("rules", "fakes"))
    with tfstub.serving([str(TOOLS / f"google-{version}.json.gz")], rules, fakes) as environment:
        yield Terraform(folder, environment)
