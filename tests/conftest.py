"""What every test may rely on: no settings from outside, no time limit per example."""

import os

import pytest
from hypothesis import settings

# A slow machine is no failure. In CI the same examples every time, so that a red build can be repeated.
settings.register_profile("onward", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("onward")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("ONWARD_"):
            monkeypatch.delenv(name)
