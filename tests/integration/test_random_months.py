"""Random months of work on the real server: people, managers, leads and accidents, and what must hold after.

`make soak ARGS="SEED [EVENTS] [postgresql]"` runs any number of events from any seed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from curate.adapters.labelstudio import connection, retry, server
from tests import builders
from tests.integration.fault_proxy import FaultProxy
from tests.integration.labelstudio_servers import POSTGRESQL, Servers
from tests.integration.random_months import events
from tests.integration.random_months.world import World

pytestmark = [pytest.mark.integration]
_SEED, _EVENTS = 1, 100
_ASKED = os.environ.get("CURATE_MONTHS", "").split()


@pytest.fixture
def world(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[World]:
    """An empty project with a server of its own."""
    monkeypatch.setattr(retry, "_FIRST_PAUSE_S", 0.02)
    root = tmp_path / "project"
    root.mkdir()
    if getattr(request, "param", None) == POSTGRESQL:
        server.up(root, database_url=servers.address("months"), workers=3)
    else:
        shutil.copytree(servers.state(), root / connection.STATE_FOLDER)
        server.up(root)
    (root / "taxonomy.yaml").write_text(builders.TAXONOMY, encoding="utf-8")
    monkeypatch.chdir(root)
    found = connection.resolve(root)
    with FaultProxy(found.url) as proxy:
        yield World(root, found, proxy)
    server.down(root)


def live(world: World, seed: int, count: int) -> None:
    """That many events, and a last sync; a failure tells what happened before it."""
    month = events.begin(world, seed)
    try:
        for _ in range(count):
            month.happen()
        month.told.append("the last sync")
        month.sync()
    except BaseException:
        print(f"seed {seed}, event {len(month.told)} of {count}:", *month.told, sep="\n  ")  # noqa: T201
        raise
    assert world.truth.answers, "nobody answered: nothing was tested"


@pytest.mark.timeout(1200)
def test_a_hundred_events(world: World) -> None:
    live(world, _SEED, _EVENTS)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("world", [POSTGRESQL if POSTGRESQL in _ASKED else "sqlite"], indirect=True)
def test_as_many_events_as_asked_for(world: World) -> None:
    numbers = [int(word) for word in _ASKED if word != POSTGRESQL]
    live(world, numbers[0] if numbers else _SEED + 1, numbers[1] if len(numbers) > 1 else 1_000)
