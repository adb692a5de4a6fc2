"""The report in a real browser: wide and narrow, light and dark; looks are kept as pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curate.report import page as report
from tests import builders
from tests.integration.chromium import window

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report")
    builders.small_project(root)
    return report.write(root, root / "data/report/index.html")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_fits_its_window_and_shows_its_pictures(html: Path, width: int, scheme: str) -> None:
    with window(width, 900, scheme=scheme) as shown:
        shown.page.goto(html.as_uri())
        wide = shown.page.evaluate("document.documentElement.scrollWidth")
        broken = shown.page.evaluate("[...document.images].filter(i => !i.naturalWidth).length")
        pictures = shown.page.evaluate("document.images.length")
        heights = shown.page.evaluate(
            "[...document.querySelectorAll('section')].map(s => s.getBoundingClientRect().height)"
        )
        shown.page.screenshot(path=str(html.with_name(f"{width}.png")), full_page=True)
    assert wide <= width, "nothing sticks out to the right"
    assert (broken, pictures > 5) == (0, True)
    assert min(heights) > 60
    assert shown.refused == []
    assert shown.errors == []
    pixels = np.asarray(Image.open(html.with_name(f"{width}.png")).convert("L"))
    assert (pixels[5, 5] > 128) == (scheme == "light"), "the paper follows the system's scheme"


def test_masks_are_seen_in_the_colours_of_the_taxonomy(html: Path) -> None:
    with window(1280, 900) as shown:
        shown.page.goto(html.as_uri())
        shown.page.locator("#labelled").screenshot(path=str(html.with_name("labelled.png")))
    pixels = np.asarray(Image.open(html.with_name("labelled.png")).convert("RGB")).astype(int)
    for colour in builders.CATEGORIES.values():
        assert (np.abs(pixels - colour).max(axis=2) < 24).sum() > 500


def test_it_prints(html: Path) -> None:
    with window(1280, 900) as shown:
        shown.page.goto(html.as_uri())
        shown.page.pdf(path=str(html.with_name("report.pdf")), format="A4", print_background=True)
    assert html.with_name("report.pdf").read_bytes().startswith(b"%PDF-")
