"""Small folders of which each was once decided wrongly: the original is kept, different signs stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

from benchmarks import hard_negatives, photo_collages
from benchmarks.dedupe_outcomes import TUNED_ON
from tests.stages.test_dedupe import encoded, ingested, rows, run

Change = Callable[[Image.Image], Image.Image]
PHOTOGRAPHS = {Path(file).stem: number for number, (_, file) in enumerate(photo_collages.FILES)}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def noisy(picture: Image.Image) -> Image.Image:
    grain = np.random.default_rng(0).normal(0, 12, (picture.height, picture.width, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8))


def enlarged(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width * 17 // 10, picture.height * 17 // 10), Image.Resampling.BICUBIC)


CASES: dict[str, tuple[Change, str]] = {
    "noise": (noisy, "noise was added to the other"),
    "enlarged": (enlarged, "the other was enlarged"),
    "over-sharpened": (
        lambda one: one.filter(ImageFilter.UnsharpMask(1.2, 180, 0)), "the other was sharpened",
    ),
    "blocks": (
        lambda one: one.resize((one.width * 2, one.height * 2), Image.Resampling.NEAREST),
        "the other was enlarged",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ["rocket", "chelsea", "coffee"])
@pytest.mark.parametrize("case", sorted(CASES))
def test_the_original_is_kept_though_its_copy_is_larger_or_sharper(name: str, case: str) -> None:
    change, reason = CASES[case]
    original = Image.fromarray(photo_collages.photograph(PHOTOGRAPHS[name])[:360, :480])
    ingested({"original.png": encoded(original), "copy.png": encoded(change(original))})
    run()
    found = rows()
    assert found["original.png"]["drop_reason"] is None
    assert found["copy.png"]["drop_reason"] == "near_duplicate"
    assert found["copy.png"]["drop_detail"].endswith(reason)


@pytest.mark.parametrize("kind", ["color signs", "number signs", "halves", "screens", "forms", "fog"])
def test_pictures_of_one_setting_all_stay(kind: str) -> None:
    pictures = hard_negatives.draw(kind, "tune", (TUNED_ON, 0, 0))
    encodings = [cv2.imencode(".jpg", one[:, :, ::-1])[1].tobytes() for one in pictures]
    ingested({f"{number}.jpg": content for number, content in enumerate(encodings)})
    run()
    assert [row["drop_reason"] for row in rows().values()] == [None] * hard_negatives.MEMBERS
