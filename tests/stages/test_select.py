"""Stage select on a small project."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate import schema, tables
from curate.errors import InputError, TableError
from curate.params import QaParams
from curate.records import StageReport
from curate.stages import select
from tests import builders


def run(root: Path, **params: float) -> StageReport:
    return select.run(
        QaParams(**params),
        inputs=select.Inputs(
            images=root / "data/dedupe/images.parquet",
            annotations=root / "data/autolabel/annotations.parquet",
        ),
        outputs=select.Outputs(plan=root / "data/select/plan.parquet"),
    )


def test_one_task_a_kept_image(tmp_path: Path) -> None:
    project = builders.small_project(tmp_path, stage="autolabel")
    report = run(tmp_path, overlap_share=0.0)
    rows = tables.read(tmp_path / "data/select/plan.parquet", schema.PLAN).to_pylist()
    kept = {image.image_id for image in project.images if image.drop_reason is None}
    assert {row["image_id"] for row in rows} == kept
    assert len(rows) == len(kept)
    assert report.line() == f"select: {len(kept)} tasks, 0 overlap tasks, {len(kept)} labeler slots"


def test_twice_the_same_bytes(tmp_path: Path) -> None:
    builders.small_project(tmp_path, stage="autolabel")
    run(tmp_path, overlap_share=0.5, overlap=3)
    first = (tmp_path / "data/select/plan.parquet").read_bytes()
    run(tmp_path, overlap_share=0.5, overlap=3)
    assert (tmp_path / "data/select/plan.parquet").read_bytes() == first


def test_no_kept_image_is_one_line(tmp_path: Path) -> None:
    builders.small_project(tmp_path, stage="autolabel")
    dropped = builders.image("gone", drop_reason="too_small")
    builders.write_images(tmp_path / "data/dedupe/images.parquet", [dropped])
    with pytest.raises(InputError, match="no image that was kept"):
        run(tmp_path)


def test_a_missing_table_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="run the stage ingest or dedupe first"):
        run(tmp_path)
