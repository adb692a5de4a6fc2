"""The report in a real browser: wide and narrow, light and dark, by mouse and keyboard; kept as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curate.report import page as report
from tests import builders
from tests.integration.chromium import window
from tests.report.measured_project import measured_project

pytestmark = pytest.mark.integration

# Text whose contrast with what is behind it is below WCAG 2.1's 4.5, or 3 where it is large.
LOW_CONTRAST = """() => {
  const number = text => text.match(/[\\d.]+/g).map(Number);
  const linear = v => v <= 10 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4;
  const share = [.2126, .7152, .0722];
  const light = ([r, g, b]) => [r, g, b].map(linear).reduce((sum, v, i) => sum + v * share[i], 0);
  const behind = node => { for (let one = node; one; one = one.parentElement) {
    const color = number(getComputedStyle(one).backgroundColor);
    if (color.length < 4 || color[3] > .99) return color; }
    return [255, 255, 255]; };
  const found = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some(one => one.nodeType === 3 && one.textContent.trim());
    const aside = node.closest('svg, script, style, dialog, .matrix') || !node.getClientRects().length;
    if (!own || aside) continue;
    const style = getComputedStyle(node), a = light(number(style.color)), b = light(behind(node));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05), size = parseFloat(style.fontSize);
    if (ratio < (size >= 24 ? 3 : 4.5)) found.push(`${node.tagName}.${node.className} ${ratio.toFixed(2)}`);
  }
  return [...new Set(found)];
}"""
# What axe-core calls button-name, link-name, label, duplicate-id and svg-img-alt.
NAMELESS = """() => [...document.querySelectorAll('a, button, input, [role=img]')].filter(one => {
  const label = one.closest('label'), text = (one.textContent + (label ? label.textContent : '')).trim();
  return !text && !one.getAttribute('aria-label'); }).map(one => one.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = measured_project(tmp_path_factory.mktemp("report"))
    return report.write(root, root / "data/report/index.html")


@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
)
def test_the_page_fits_its_window_and_can_be_read(html: Path, width: int, scheme: str) -> None:
    with window(width, 900, scheme=scheme) as shown:
        shown.page.goto(html.as_uri())
        wide = shown.page.evaluate("document.documentElement.scrollWidth")
        broken = shown.page.evaluate("[...document.images].filter(i => !i.naturalWidth).length")
        pictures = shown.page.evaluate("document.images.length")
        heights = shown.page.evaluate(
            "[...document.querySelectorAll('section')].map(s => s.getBoundingClientRect().height)"
        )
        assert shown.page.evaluate(LOW_CONTRAST) == []
        assert shown.page.evaluate(NAMELESS) == []
        shown.page.screenshot(path=str(html.with_name(f"{width}-{scheme}.png")), full_page=True)
    assert wide <= width, "nothing sticks out to the right"
    assert (broken, pictures > 5) == (0, True)
    assert min(heights) > 60
    assert shown.refused == []
    assert shown.errors == []
    pixels = np.asarray(Image.open(html.with_name(f"{width}-{scheme}.png")).convert("L"))
    assert (pixels[5, 5] > 128) == (scheme == "light"), "the paper follows the system's scheme"


def first_cells(page: Any) -> list[str]:
    found: list[str] = page.locator("#people table tbody th").all_inner_texts()
    return found


def test_tables_are_sorted_by_mouse_and_keyboard(html: Path) -> None:
    with window(1280, 900) as shown:
        shown.page.goto(html.as_uri())
        assert first_cells(shown.page) == ["labeler-1", "labeler-2", "labeler-3"]
        seconds = shown.page.locator("#people").get_by_role("button", name="Seconds per image")
        seconds.click()
        head = shown.page.locator("#people th[aria-sort]")
        assert (head.get_attribute("aria-sort"), first_cells(shown.page)[-1]) == ("descending", "labeler-3")
        seconds.focus()
        shown.page.keyboard.press("Enter")
        assert (head.get_attribute("aria-sort"), first_cells(shown.page)[0]) == ("ascending", "labeler-3")
    assert shown.errors == []


def test_standard_errors_are_cells_that_a_screen_reader_reads(html: Path) -> None:
    with window(1280, 900) as shown:
        shown.page.goto(html.as_uri())
        table = shown.page.locator("#by-chance")
        assert table.get_by_role("columnheader", name="Standard error").is_visible()
        for name in ("Agreement on names matched", "Kappa (Cohen)", "Alpha (Krippendorff)", "AC1 (Gwet)"):
            row = table.get_by_role("row").filter(has=shown.page.get_by_role("rowheader", name=name))
            cells = row.get_by_role("cell").all_inner_texts()
            assert 0 < float(cells[1]) < 1, f"{name}: {cells}"
        table.screenshot(path=str(html.with_name("by-chance.png")))


def test_a_picture_is_enlarged_and_left_by_keyboard(html: Path) -> None:
    with window(1280, 900) as shown:
        shown.page.goto(html.as_uri())
        button = shown.page.locator("#disagreements button.enlarge").first
        small = button.locator("img").bounding_box()
        button.focus()
        shown.page.keyboard.press("Enter")
        dialog = shown.page.get_by_role("dialog")
        assert dialog.is_visible()
        assert dialog.locator("path.box").count() == button.locator("path.box").count() > 1
        assert "labeler-2:" in dialog.inner_text()
        large = dialog.locator("img").bounding_box()
        assert small is not None
        assert large is not None
        assert large["width"] > 2 * small["width"]
        shown.page.screenshot(path=str(html.with_name("enlarged.png")))
        shown.page.keyboard.press("Escape")
        assert not dialog.is_visible()
        assert shown.page.evaluate("document.activeElement.className") == "enlarge", "the focus goes back"
    assert shown.errors == []


def test_the_keyboard_comes_to_the_figures_at_once(html: Path) -> None:
    with window(1280, 900) as shown:
        shown.page.goto(html.as_uri())
        shown.page.keyboard.press("Tab")
        assert shown.page.evaluate("document.activeElement.textContent") == "Skip to the figures"
        shown.page.keyboard.press("Tab")
        assert shown.page.evaluate("document.activeElement.getAttribute('href')") == "#headline"


def test_one_person_can_be_left_out(html: Path) -> None:
    with window(1280, 900) as shown:
        shown.page.goto(html.as_uri())
        drawn = shown.page.locator("#disagreements g.person-1")
        assert drawn.first.is_visible()
        shown.page.get_by_role("checkbox", name="labeler-2").uncheck()
        assert not drawn.first.is_visible()
        assert shown.page.locator("#disagreements g.person-0").first.is_visible()


def test_everybodys_boxes_are_seen_in_their_colors(html: Path) -> None:
    with window(1280, 900) as shown:
        shown.page.goto(html.as_uri())
        colors = shown.page.evaluate(
            "[...document.querySelectorAll('fieldset.legend path')].map(one => getComputedStyle(one).stroke)"
        )
        shown.page.locator("#disagreements .gallery").screenshot(path=str(html.with_name("worst.png")))
    pixels = np.asarray(Image.open(html.with_name("worst.png")).convert("RGB")).astype(int)
    assert len(set(colors)) == 3
    for color in colors:
        rgb = [int(number) for number in color.removeprefix("rgb(").rstrip(")").split(",")]
        assert (np.abs(pixels - rgb).max(axis=2) < 30).sum() > 300, color


def test_duplicates_blink_and_differ(tmp_path: Path) -> None:
    builders.small_project(tmp_path, stage="dedupe")
    path = report.write(tmp_path, tmp_path / "index.html")
    with window(1280, 900) as shown:
        shown.page.goto(path.as_uri())
        pair = shown.page.locator(".compare").first
        frame = pair.bounding_box()
        assert frame is not None
        assert frame["width"] > 400, "wide enough to be compared"
        first, second = pair.locator("img.first"), pair.locator("img.second")
        assert first.is_visible()
        assert not second.is_visible()
        pair.get_by_role("button", name="dropped").click()
        assert (first.is_visible(), second.is_visible()) == (False, True)
        pair.get_by_role("button", name="blink").click()
        shown.page.wait_for_function(
            "document.querySelector('.compare').dataset.view === 'first'", timeout=5000
        )
        shown.page.wait_for_function(
            "document.querySelector('.compare').dataset.view === 'second'", timeout=5000
        )
        pair.get_by_role("button", name="difference").click()
        stack = pair.locator(".stack")
        stack.screenshot(path=str(tmp_path / "difference.png"))
        assert pair.get_by_role("button", name="difference").get_attribute("aria-pressed") == "true"
    dark = np.asarray(Image.open(tmp_path / "difference.png").convert("L"))
    assert dark.mean() < 40, "two copies of one picture differ by little"
    assert shown.errors == []


def test_masks_are_seen_in_the_colors_of_the_taxonomy(html: Path) -> None:
    with window(1280, 900) as shown:
        shown.page.goto(html.as_uri())
        shown.page.locator("#labelled").screenshot(path=str(html.with_name("labelled.png")))
    pixels = np.asarray(Image.open(html.with_name("labelled.png")).convert("RGB")).astype(int)
    for color in builders.CATEGORIES.values():
        assert (np.abs(pixels - color).max(axis=2) < 24).sum() > 500


def test_it_prints(html: Path) -> None:
    with window(1280, 900) as shown:
        shown.page.goto(html.as_uri())
        shown.page.pdf(path=str(html.with_name("report.pdf")), format="A4", print_background=True)
    assert html.with_name("report.pdf").read_bytes().startswith(b"%PDF-")
