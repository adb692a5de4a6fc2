"""A run of the stage embed is killed in its middle, with real worker processes, and goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.embeddings import load_embeddings
from tests.integration.embed_run import SHARD
from tests.integration.killed_stage import WORKERS, kill_midway, make_images

pytestmark = pytest.mark.integration
IMAGES = 320


def test_a_kill_costs_at_most_a_shard_a_worker(tmp_path: Path) -> None:
    make_images(tmp_path, IMAGES)
    repeated = kill_midway(tmp_path, "embed_run", images=IMAGES, delay_s=0.02)
    assert 0 <= repeated <= WORKERS * SHARD
    assert len(load_embeddings(tmp_path / "out/table.parquet")) == IMAGES
