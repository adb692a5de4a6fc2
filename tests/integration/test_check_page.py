"""The page of `curate check` in a real browser: wide and narrow, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.check.finding import KINDS
from curate.engines.local import LocalEngine
from curate.report import check_page
from curate.stages import check
from tests.check import planted
from tests.integration.chromium import window

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("check")
    planted.plant(root / "set")
    found = check.run(
        check.Inputs(root / "set"), scratch=root / "scratch", engine=LocalEngine(in_process=True)
    )
    return check_page.write(found, root / "page.html")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_kind_is_shown_with_pictures(html: Path, width: int, scheme: str) -> None:
    with window(width, 900, scheme=scheme) as shown:
        shown.page.goto(html.as_uri())
        wide = shown.page.evaluate("document.documentElement.scrollWidth")
        broken = shown.page.evaluate("[...document.images].map(image => !image.naturalWidth)")
        titles = shown.page.locator("section h2").all_inner_texts()
        shown.page.get_by_role("link", name="One picture in two splits").click()
        assert shown.page.url.endswith("#split_leak")
        pairs = shown.page.locator("#split_leak .pair").count()
        shown.page.screenshot(path=str(html.with_name(f"{width}.png")), full_page=True)
    assert wide <= width, "nothing sticks out to the right"
    assert len(broken) > 20
    assert sum(broken) == 0
    # Nothing is compared with, every license is known, objects are no classes of images, and no model spoke.
    absent = {"leak_against", "license_unknown", "class_conflict", "label_error"}
    assert len(titles) == len(KINDS) - len(absent)
    assert pairs == 2
    assert not shown.refused
    assert not shown.errors
