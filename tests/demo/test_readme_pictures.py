"""The README's pictures are made from a project's tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demo import readme_pictures
from tests import builders


def test_the_mosaic_shows_labelled_images(tmp_path: Path) -> None:
    builders.small_project(tmp_path)
    with Image.open(readme_pictures.labeled(tmp_path, tmp_path / "labelled.jpg")) as picture:
        assert picture.width == readme_pictures.WIDTH
        assert picture.height > readme_pictures.WIDTH // readme_pictures.COLUMNS, (
            "five labelled images: two rows"
        )


@pytest.mark.integration
def test_the_page_is_photographed(tmp_path: Path) -> None:
    builders.small_project(tmp_path)
    made = readme_pictures.report(tmp_path, tmp_path)
    assert [path.name for path in made] == [
        "report.png", "report-annotators.jpg", "report-label-errors.jpg", "report-agreement.jpg"
    ]  # fmt: skip
    for path in made[1:]:
        with Image.open(path) as picture:
            assert picture.width > 1000
            assert picture.height <= readme_pictures.TALLEST + 1
    with Image.open(made[0]) as picture:
        assert picture.size == readme_pictures.WINDOW
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20, "not a blank page"
