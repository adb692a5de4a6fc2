"""The duplicates page in a real browser: it asks for nothing elsewhere, and its buttons collect decisions."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.report import duplicates
from tests import builders
from tests.integration import chromium

pytestmark = pytest.mark.integration


def test_buttons_collect_lines_for_the_decisions(tmp_path: Path) -> None:
    builders.small_project(tmp_path, stage="dedupe")
    path = duplicates.write(tmp_path, tmp_path / duplicates.DUPLICATES)
    keeper, copy = builders.image_id("one"), builders.image_id("copy")
    with chromium.window(1200, 900) as shown:
        shown.page.goto(path.as_uri())
        assert shown.page.locator("figure img").evaluate_all("all => all.every(one => one.naturalWidth > 0)")
        basket = shown.page.locator("#basket")
        assert not basket.is_visible()
        for name in ("Not the same", "Keep this one"):
            shown.page.get_by_role("button", name=name).click()
        lines = shown.page.locator("#lines")
        assert lines.input_value() == f"{copy},different,{keeper},,\n{copy},keep,,,\n"
        shown.page.get_by_role("button", name="Not the same").click()
        assert lines.input_value() == f"{copy},keep,,,\n"
        shown.page.get_by_role("button", name="Clear").click()
        assert not basket.is_visible()
        shown.page.get_by_role("link", name="Most doubtful first").click()
        assert shown.page.locator("h2").count() == 1
        shown.page.get_by_role("link", name="Biggest first").click()
        assert shown.page.url == path.as_uri()
    assert not shown.refused
    assert not shown.errors
