"""A run over 2,000 images is killed in its middle, with real worker processes, and goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import builders
from tests.integration.autolabel_run import SHARD
from tests.integration.killed_stage import WORKERS, kill_midway, make_images, start

pytestmark = pytest.mark.integration
IMAGES = 2_000


def test_a_kill_costs_at_most_a_shard_a_worker(tmp_path: Path) -> None:
    (tmp_path / "taxonomy.yaml").write_text(builders.TAXONOMY)
    make_images(tmp_path, IMAGES)
    repeated = kill_midway(tmp_path, "autolabel_run", images=IMAGES, delay_s=0.002)
    assert 0 <= repeated <= WORKERS * SHARD

    table = (tmp_path / "out/table.parquet").read_bytes()
    shutil.rmtree(tmp_path / "cache")
    assert start(tmp_path, "autolabel_run", "third.log", 0.0).wait(120) == 0
    assert (tmp_path / "out/table.parquet").read_bytes() == table
