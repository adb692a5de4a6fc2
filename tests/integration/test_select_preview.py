"""The page of `curate select preview` in a browser: pictures are seen, nothing is asked for elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.qa.choice.greedy import Pick
from curate.report import chosen_page
from tests import builders
from tests.integration import chromium

pytestmark = pytest.mark.integration
LONG = "cosine 0.12 to the nearest image that people look at"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    builders.small_project(tmp_path, stage="autolabel")
    monkeypatch.chdir(tmp_path)
    pick = Pick(0, {"diversity": 0.6, "typicality": 0.4}, {"diversity": LONG, "typicality": LONG})
    picks = [(builders.image_id(name), pick) for name in ("one", "two", "three", "five")]
    places = chosen_page.Places(
        Path("data/dedupe/images.parquet"), Path("data/autolabel/annotations.parquet"), Path("taxonomy.yaml")
    )
    weights = {"diversity": 1.0, "typicality": 0.5}
    return chosen_page.write(picks, weights, places, tmp_path / "page.html", max_images=9)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_pictures_and_reasons_are_seen(page: Path, width: int, scheme: str) -> None:
    with chromium.window(width, 900, scheme=scheme) as window:
        window.page.goto(page.as_uri())
        assert window.page.evaluate("document.documentElement.scrollWidth") == width
        seen = (
            "image => image.complete && image.naturalWidth > 0 && image.getBoundingClientRect().width > 100"
        )
        for picture in window.page.locator(".case img").all():
            picture.scroll_into_view_if_needed()
            assert picture.evaluate(seen)
        widths = "bars => bars.map(bar => [bar.clientWidth, getComputedStyle(bar).backgroundColor])"
        bars = window.page.locator(".case").first.locator(".shares i").evaluate_all(widths)
        assert bars[0][0] / bars[1][0] == pytest.approx(1.5, abs=0.05)
        assert bars[0][1] != bars[1][1]
        assert "rgba(0, 0, 0, 0)" not in (bars[0][1], bars[1][1])
        assert "60 % diversity: " + LONG in window.page.locator(".case").first.inner_text()
    assert (window.refused, window.errors) == ([], [])
