"""Debian's Chromium, headless, allowed to talk to this machine only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
_HERE = ("http://127.0.0.1:", "ws://127.0.0.1:", "file:", "data:", "blob:")


@dataclass
class Window:
    """A browser window: `page` is Playwright's, `refused` the addresses elsewhere that it asked for."""

    page: Any
    refused: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@contextmanager
def window(width: int, height: int, *, scheme: str = "light") -> Iterator[Window]:
    sync_api = pytest.importorskip("playwright.sync_api")
    if not PROGRAM.exists():
        pytest.fail(f"{PROGRAM} is missing: install Debian's package chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(PROGRAM), args=list(FLAGS))
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        shown = Window(context.new_page())

        def decide(route: Any) -> None:
            if route.request.url.startswith(_HERE):
                route.continue_()
            else:
                shown.refused.append(route.request.url)
                route.abort()

        context.route("**/*", decide)
        shown.page.on("pageerror", lambda error: shown.errors.append(str(error)))
        try:
            yield shown
        finally:
            browser.close()
