"""The contact sheet of `curate select preview`."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.qa.choice.greedy import Pick
from curate.report import chosen_page
from tests import builders

PICKS = [
    Pick(
        0,
        {"uncertainty": 0.7, "rarity": 0.3},
        {"uncertainty": "stop_sign: score 0.41", "rarity": "<b>stop_sign</b> is rare"},
    ),
    Pick(1, {"rarity": 1.0}, {"rarity": "parking_sign is suggested on 3 of 6 images"}),
]


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> chosen_page.Places:
    builders.small_project(tmp_path, stage="autolabel")
    monkeypatch.chdir(tmp_path)
    return chosen_page.Places(
        Path("data/dedupe/images.parquet"), Path("data/autolabel/annotations.parquet"), Path("taxonomy.yaml")
    )


def named(*names: str) -> list[tuple[str, Pick]]:
    return [(builders.image_id(name), pick) for name, pick in zip(names, PICKS, strict=False)]


def test_each_image_stands_there_with_its_reason(tmp_path: Path, places: chosen_page.Places) -> None:
    weights = {"uncertainty": 1.0, "rarity": 2.0}
    out = chosen_page.write(named("one", "four"), weights, places, tmp_path / "page.html", max_images=9)
    page = out.read_text()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "70 % uncertainty: stop_sign: score 0.41" in page.replace("</span>", "")
    assert "&lt;b&gt;stop_sign&lt;/b&gt; is rare" in page
    assert page.index("unit/one.jpg") < page.index("unit/four.jpg")
    assert '<td class="n">65 %</td>' in page  # rarity: the mean of 0.3 and 1
    first = out.read_bytes()
    chosen_page.write(named("one", "four"), weights, places, out, max_images=9)
    assert out.read_bytes() == first


def test_what_is_not_on_the_page_is_counted(tmp_path: Path, places: chosen_page.Places) -> None:
    out = chosen_page.write(
        named("one", "two"), {"rarity": 1.0}, places, tmp_path / "page.html", max_images=1
    )
    assert "1 more are not on the page" in out.read_text()
    assert "unit/two.jpg" not in out.read_text()


def test_a_picture_that_is_gone_and_an_empty_choice_are_said(
    tmp_path: Path, places: chosen_page.Places
) -> None:
    one = builders.image("one")
    assert one.path is not None
    Path(one.path).unlink()
    out = chosen_page.write(named("one"), {"rarity": 1.0}, places, tmp_path / "page.html", max_images=9)
    assert "no picture" in out.read_text()
    chosen_page.write([], {"rarity": 1.0}, places, out, max_images=9)
    assert "Nothing is chosen" in out.read_text()
