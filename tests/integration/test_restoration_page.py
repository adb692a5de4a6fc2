"""The report of a restoration project in a real browser: wide, narrow, light and dark; the line moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curate.report import page as report
from curate.report import upscale_page
from tests.integration.chromium import window
from tests.integration.test_report_page import LOW_CONTRAST, NAMELESS
from tests.report.restoration_project import restoration_project

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = restoration_project(tmp_path_factory.mktemp("restoration"))
    return report.write(root, root / "data/report/index.html")


@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
)
def test_the_page_fits_its_window_and_can_be_read(html: Path, width: int, scheme: str) -> None:
    with window(width, 900, scheme=scheme) as shown:
        shown.page.goto(html.as_uri())
        wide = shown.page.evaluate("document.documentElement.scrollWidth")
        broken = shown.page.evaluate("[...document.images].filter(i => !i.naturalWidth).length")
        scaled = shown.page.evaluate(
            "[...document.images].filter("
            "i => i.naturalWidth !== Math.round(i.getBoundingClientRect().width)).length"
        )
        heights = shown.page.evaluate(
            "[...document.querySelectorAll('section')].map(s => s.getBoundingClientRect().height)"
        )
        assert shown.page.evaluate(LOW_CONTRAST) == []
        assert shown.page.evaluate(NAMELESS) == []
        shown.page.screenshot(path=str(html.with_name(f"{width}-{scheme}.png")), full_page=True)
    assert wide <= width, "nothing sticks out to the right"
    assert (broken, scaled) == (0, 0), "every crop at 100%"
    assert min(heights) > 60
    assert (shown.refused, shown.errors) == ([], [])


def test_the_line_moves_between_any_two_results(html: Path) -> None:
    with window(1280, 1000) as shown:
        shown.page.goto(html.as_uri())
        example = shown.page.locator(".example").first
        slide = example.locator(".slide")

        def picture() -> np.ndarray:
            path = html.with_name("slide.png")
            slide.screenshot(path=str(path))
            return np.asarray(Image.open(path).convert("RGB")).astype(int)

        def crop(name: str) -> np.ndarray:
            path = html.with_name("crop.png")
            example.locator(f'.crop[data-name="{name}"] img').screenshot(path=str(path))
            return np.asarray(Image.open(path).convert("RGB")).astype(int)

        inside = slice(10, -10), slice(10, -10)  # corners are round, the line has a width
        original, overdone = crop("original")[inside], crop("overdone")[inside]
        example.locator("select.left").select_option("original")
        example.locator("select.right").select_option("overdone")
        line = slide.locator("input")
        line.focus()
        shown.page.keyboard.press("End")
        assert np.abs(picture()[inside] - original).mean() < 2
        shown.page.keyboard.press("Home")
        assert np.abs(picture()[inside] - overdone).mean() < 2
        assert np.abs(original - overdone).mean() > 3
        box = slide.bounding_box()
        assert box is not None
        line.evaluate("one => { one.value = 50; one.dispatchEvent(new Event('input')); }")
        half = picture()[inside]
        assert np.abs(half[:, :120] - original[:, :120]).mean() < 2
        assert np.abs(half[:, -120:] - overdone[:, -120:]).mean() < 2
    assert shown.errors == []


def test_without_scripts_all_results_stand_side_by_side(html: Path) -> None:
    page = html.read_text()
    assert page.count('class="chooser" hidden') == 6
    assert page.count('<figure class="crop"') == 6 * 5 + 3


@pytest.mark.parametrize("width", [1280, 1200, 390])
def test_a_pixel_of_the_contact_sheet_is_a_pixel_of_the_result(tmp_path: Path, width: int) -> None:
    """However wide the window is: 360 pixels of a large result, all of a small one."""
    rows = []
    for name, side in (("large", 800), ("small", 120)):
        source, made = tmp_path / f"{name}.jpg", tmp_path / f"{name}.png"
        Image.effect_noise((side // 2, side // 2), 80).convert("RGB").save(source)
        Image.open(source).resize((side, side)).save(made)
        row = {"image_id": name, "source": str(source), "path": str(made), "width": side, "height": side}
        row |= {"outcome": "upscaled", "model": "m", "model_license": "mit", "model_version": "m@1"}
        rows.append(row)
    sheet = upscale_page.write(rows, tmp_path / "sheet.html")
    with window(width, 900) as shown:
        shown.page.goto(sheet.as_uri())
        places = shown.page.evaluate(
            "[...document.querySelectorAll('.slide')].map(s => [s, ...s.querySelectorAll('img')]"
            ".map(one => one.getBoundingClientRect()).map(box => [box.left, box.top, box.width, box.height]))"
        )
        wide = shown.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    for (slide, after, before), side in zip(places, (360, 120), strict=True):
        assert after == [*slide[:2], side, side]
        assert before == slide  # what is before lies on what is after, neither stretched (object-fit: none)
        assert slide[2:] == [min(side, slide[2]), side]
        assert slide[2] == side or width < 400
