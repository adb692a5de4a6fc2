"""A picture of the app as a browser shows it, without a window."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from curate import tables
from curate.errors import ViewError
from curate.extras import require

_FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_WAIT_MS: Final = 300_000
_DRAWN_MS: Final = 8_000  # labels are painted some time after the pictures


def take(url: str, target: Path, *, size: tuple[int, int] = (1600, 1000)) -> None:
    """Open the page, wait until samples and labels are drawn, and write a PNG.

    Args:
        url: Of the app, on 127.0.0.1.
        target: The file.
        size: Width and height of the window, pixels.

    Raises:
        ViewError: There is no Chromium, or the page shows no samples.
        MissingExtraError: Playwright is not installed.
        StorageError: The file cannot be written.
    """
    playwright = require("playwright.sync_api", extra="dev")
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        raise ViewError(f"no browser for the picture: install one of {', '.join(_BROWSERS)}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(_FLAGS))
        try:
            page = browser.new_page(viewport={"width": size[0], "height": size[1]})
            page.goto(url, timeout=_WAIT_MS)
            page.get_by_text("sample").first.wait_for(timeout=_WAIT_MS)
            page.wait_for_timeout(_DRAWN_MS)
            picture: bytes = page.screenshot()
        except playwright.Error as error:
            raise ViewError(f"the app shows no samples at {url}: {str(error).splitlines()[0]}") from error
        finally:
            browser.close()
    with tables.replacing(target) as partial:
        partial.write_bytes(picture)
