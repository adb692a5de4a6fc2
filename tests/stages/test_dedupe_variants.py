"""Variants stay and never stand in two splits; the original is kept with the reason on the row."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from skimage import data

from curate import schema, tables
from curate.release import splits
from curate.stages import keeper_evidence
from tests.stages import test_dedupe
from tests.stages.test_dedupe import INDEX, TABLE, ingested, run

INKS = {"red": (200, 20, 30), "blue": (20, 60, 190), "green": (10, 130, 60), "yellow": (230, 170, 10)}


def png(picture: Image.Image) -> bytes:
    return test_dedupe.encoded(picture)


def sign(ink: tuple[int, int, int]) -> Image.Image:
    view = Image.fromarray(data.astronaut()).resize((320, 320))
    ImageDraw.Draw(view).ellipse((80, 80, 240, 240), fill=ink, outline="white", width=8)
    return view


def jpeg(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def photographs() -> dict[str, bytes]:
    coffee, cat = Image.fromarray(data.coffee()), Image.fromarray(data.chelsea())
    noise = np.random.default_rng(3).normal(0, 14, (cat.height, cat.width, 3))
    return {
        **{f"signs/{name}.png": png(sign(ink)) for name, ink in INKS.items()},
        "real/coffee.jpg": jpeg(coffee, 92),
        "web/coffee enlarged.png": png(coffee.resize((960, 640), Image.Resampling.BICUBIC)),
        "web/coffee q15.jpg": jpeg(coffee, 15),
        "real/cat.png": png(cat),
        "web/cat noisy.png": png(Image.fromarray(np.clip(np.asarray(cat) + noise, 0, 255).astype(np.uint8))),
        "web/cat blurred.png": png(cat.filter(ImageFilter.GaussianBlur(2))),
    }


@pytest.fixture(autouse=True)
def ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    return ingested(photographs())


def rows() -> dict[str, dict[str, Any]]:
    return {row["sources"][0]: row for row in tables.read(TABLE, schema.IMAGES).to_pylist()}


def test_the_original_is_kept_whatever_is_larger_sharper_or_heavier(ids: dict[str, str]) -> None:
    run(prefer=("web", "real", "signs"))
    found = rows()
    kept = {name for name, row in found.items() if row["drop_reason"] is None}
    assert kept == {"real/coffee.jpg", "real/cat.png", *(f"signs/{name}.png" for name in INKS)}
    reasons = {
        "web/coffee enlarged.png": "the other was enlarged",
        "web/coffee q15.jpg": "the other was compressed harder",
        "web/cat noisy.png": "noise was added to the other",
        "web/cat blurred.png": "the other has lost fine detail",
    }
    for name, reason in reasons.items():
        assert found[name]["drop_detail"].endswith(f"; {reason}")
        assert found[name]["duplicate_of"] == ids["real/coffee.jpg" if "coffee" in name else "real/cat.png"]


def test_signs_of_four_colors_stay_in_one_group_and_one_split(ids: dict[str, str]) -> None:
    report = run()
    found = rows()
    signs = [found[f"signs/{name}.png"] for name in INKS]
    assert all(row["drop_reason"] is None and row["duplicate_of"] is None for row in signs)
    assert len({row["dup_group"] for row in signs}) == 1
    head = signs[0]["dup_group"]
    tied = [row for row in signs if row["image_id"] != head]
    assert all(row["dup_relation"] == "variant" and row["variant_of"] in ids.values() for row in tied)
    assert all(row["variant_of"] != row["image_id"] for row in tied)
    assert report.metrics["variants_kept"] == 3
    assert report.line().endswith("3 groups, 3 variants kept")


def test_variants_are_dropped_where_that_is_asked_for() -> None:
    report = run(variants="drop")
    found = rows()
    assert sum(found[f"signs/{name}.png"]["drop_reason"] is None for name in INKS) < len(INKS)
    assert "variant" in report.metrics["duplicates_by_relation"]
    assert report.metrics["variants_kept"] == 0


def test_no_draw_of_splits_tears_variants_apart() -> None:
    run()
    kept = [row for row in rows().values() if row["drop_reason"] is None]
    groups = [row["dup_group"] or row["image_id"] for row in kept]
    signs = [at for at, row in enumerate(kept) if row["sources"][0].startswith("signs/")]
    for seed in range(20):
        drawn = splits.assign(
            groups, [frozenset()] * len(kept), validation_share=0.3, test_share=0.3, seed=seed
        )
        assert len({drawn[at] for at in signs}) == 1
        splits.check(groups, drawn)


def test_pairs_are_looked_at_once_and_a_damaged_file_of_them_is_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run()
    whole, looked = TABLE.read_bytes(), []
    real = keeper_evidence.originals.compare

    def counting(*arguments: Any) -> Any:
        looked.append(1)
        return real(*arguments)

    monkeypatch.setattr(keeper_evidence.originals, "compare", counting)
    run()
    assert (TABLE.read_bytes(), looked) == (whole, [])
    (INDEX / "originals.arrow").write_bytes(b"ARROW1 half a file")
    run()
    assert TABLE.read_bytes() == whole
    assert len(looked) == 6  # three pairs of coffee, three of the cat
