"""The corpus: its scores by hand, its files by seed, scenes as distinct as they are said to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import corpus, photo_collages, synthetic_graphics
from benchmarks.corpus import Row, read_truth, score

TRUTH = [
    Row("a", 0, "original", "photograph"),
    Row("b", 0, "crop8", "photograph"),
    Row("c", 0, "flip", "photograph"),
    Row("d", 1, "original", "graphic"),
    Row("e", 1, "crop8", "graphic"),
    Row("f", 2, "original", "photograph"),
]


def test_nothing_found() -> None:
    found = score([], TRUTH)
    assert (found.precision, found.recall, found.f1) == (1.0, 0.0, 0.0)


def test_all_found() -> None:
    found = score([("a", "b"), ("c", "a"), ("b", "c"), ("d", "e")], TRUTH)
    assert (found.precision, found.recall, found.f1) == (1.0, 1.0, 1.0)
    assert found.by_transform == {"crop8": 1.0, "flip": 1.0}


def test_some_found_and_some_false() -> None:
    # Two of four true pairs, one of them twice; two false ones, one of them of two kinds.
    found = score([("b", "a"), ("a", "b"), ("b", "c"), ("a", "f"), ("d", "f"), ("a", "a")], TRUTH)
    assert (found.precision, found.recall, found.f1) == (0.5, 0.5, 0.5)
    assert found.false == {"photograph": 1, "graphic": 0, "plain": 0, "mixed": 1}
    assert found.by_transform == {"crop8": 0.5, "flip": 0.0}  # b and c are two copies: no transform's
    assert found.photographs == pytest.approx((2 / 3, 2 / 3, 2 / 3))


def test_an_unknown_file_is_no_silent_zero() -> None:
    with pytest.raises(KeyError):
        score([("a", "nowhere")], TRUTH)


def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    written = [
        corpus.write(
            tmp_path / name, seed=seed, images=12, which="report", pixels=(9000, 12000), processes=count
        )
        for name, seed, count in (("one", 3, 1), ("two", 3, 2), ("other", 4, 1))
    ]
    assert written[0] == written[1] == read_truth(tmp_path / "one")
    assert written[0] != written[2]
    for row in written[0]:
        one, two = ((tmp_path / name / "images" / row.file).read_bytes() for name in ("one", "two"))
        assert one == two
    assert {row.transform for row in written[0]} > {"original"}


def test_halves_have_no_photograph_in_common() -> None:
    tune, check, report = (set(photo_collages.HALVES[name]) for name in ("tune", "check", "report"))
    assert not tune & report
    assert check == report
    assert tune | report == set(photo_collages.HALVES["all"])


def test_a_scene_shares_all_with_itself_and_its_mirror_image() -> None:
    drawn = [
        photo_collages.draw(np.random.default_rng(seed), photo_collages.HALVES["all"], 4096).cells
        for seed in range(5)
    ]
    every = np.stack(drawn)
    for index, cells in enumerate(drawn):
        assert photo_collages.shared(cells, every)[index] == 1.0
        assert photo_collages.shared(cells[:, ::-1], every)[index] == 1.0
        assert (np.delete(photo_collages.shared(cells, every), index) < 1.0).all()


def test_graphics_differ_where_enough_pixels_do() -> None:
    page = np.full((64, 64, 3), 255, dtype=np.uint8)
    other = page.copy()
    other[:2, :60] = 0  # 120 of 4096 pixels: 2.9%
    assert not synthetic_graphics.differ(page, other[None])[0]
    other[2, :10] = 0
    assert synthetic_graphics.differ(page, other[None])[0]
