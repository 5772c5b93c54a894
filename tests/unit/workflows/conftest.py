"""The sample's job files, imported from their folder as a runtime would."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

WEATHER = Path(__file__).parents[3] / "workflows" / "weather"
sys.path.append(str(WEATHER))


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
    return importlib.import_module("clean")


@pytest.fixture(scope="session")
def totals() -> ModuleType:
    return importlib.import_module("totals")


@pytest.fixture(scope="session")
def chart() -> ModuleType:
    return importlib.import_module("chart")


@pytest.fixture(scope="session")
def drawing() -> ModuleType:
    return importlib.import_module("drawing")
