"""Order of the tests: those that start a server, a database, a browser or a pipeline come last."""

from __future__ import annotations

import os
from collections.abc import Iterator

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


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Unit tests in the random order of pytest-randomly, then integration tests as they stand in their files.

    Tests of one file of the latter share a server or a project, and leave it to the next as it expects it.
    The long files of tests/package come first, so that no process has one left when the others are done.
    """
    written = {item: number for number, item in enumerate(items)}
    yield
    chosen = [item for item in items if config.getoption("--soak") is not None or not _is(item, "soak")]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
    shared = sorted(
        (item for item in chosen if _is(item, "integration")),
        key=lambda item: ("package" not in item.path.parts, written[item]),
    )
    grouping = config.pluginmanager.get_plugin("funcmanage")  # pytest's own: one server after the other
    assert grouping is not None
    grouping.pytest_collection_modifyitems(shared)
    items[:] = [item for item in chosen if not _is(item, "integration")] + shared


def _is(item: pytest.Item, marker: str) -> bool:
    return item.get_closest_marker(marker) is not None
