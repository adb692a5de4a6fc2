"""Order of the tests: those that start a server, a database, a browser or a pipeline come last."""

from __future__ import annotations

import os

import pytest

# Set before any test imports a library that would ask the network for its newest version.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("FIFTYONE_DO_NOT_TRACK", "true")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
# Read when torch is imported: its threads then wait passively, for tests share the cores with other programs.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("integration") is not None)
