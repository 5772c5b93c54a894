"""The sample's job files, loaded by path as a runtime would load them."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

WEATHER = Path(__file__).parents[3] / "workflows" / "weather"


def load(name: str) -> ModuleType:
    module_name = f"weather_{name}"
    if module_name not in sys.modules:
        spec = importlib.util.spec_from_file_location(module_name, WEATHER / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[module_name] = module
    return sys.modules[module_name]


@pytest.fixture(scope="session")
def weather() -> Path:
    return WEATHER


@pytest.fixture(scope="session")
def steps() -> dict[str, Any]:
    """The steps of pipeline.yaml, as written."""
    pipeline = yaml.safe_load((WEATHER / "pipeline.yaml").read_text())
    return dict(pipeline["steps"])


@pytest.fixture(scope="session")
def clean() -> ModuleType:
    return load("clean")


@pytest.fixture(scope="session")
def totals() -> ModuleType:
    return load("totals")


@pytest.fixture(scope="session")
def chart() -> ModuleType:
    return load("chart")
