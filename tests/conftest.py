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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--soak", type=int, metavar="SEED", help="run the tests marked soak (make soak), with this seed"
    )


@pytest.fixture(scope="session")
def soak_seed(request: pytest.FixtureRequest) -> int:
    """The seed of a test marked soak: `make soak ARGS=seed`."""
    return int(request.config.getoption("--soak") or 0)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--soak") is None:
        soaks = [item for item in items if item.get_closest_marker("soak") is not None]
        items[:] = [item for item in items if item not in soaks]
        config.hook.pytest_deselected(items=soaks)
    items.sort(key=lambda item: item.get_closest_marker("integration") is not None)
