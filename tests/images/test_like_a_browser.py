"""Colors are what a browser shows: Chromium draws each file, and its pixels are compared with ours."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.images.encoded import seen
from tests.images.told_colors import files
from tests.integration.chromium import window

_SIZE = (
    "async () => { const i = document.images[0]; await i.decode(); return [i.naturalWidth, i.naturalHeight] }"
)


@pytest.mark.integration
def test_every_file_has_the_colors_that_chromium_shows(tmp_path: Path) -> None:
    wrong: dict[str, float] = {}
    with window(300, 200) as shown:
        for name, data in files().items():
            (tmp_path / name).write_bytes(data)
            page = tmp_path / "page.html"
            page.write_text(
                f'<body style="margin: 0; background: white"><img src="{name}" style="display: block">'
            )
            shown.page.goto(page.as_uri())
            shown.page.evaluate(_SIZE)
            drawn = shown.page.locator("img").screenshot()
            theirs = np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB")).astype(int)
            ours = seen(data, lossless=True).pixels
            assert ours.shape == theirs.shape, name
            furthest = int(np.abs(ours - theirs).max())
            if furthest > (3 if name.endswith(".jpg") else 1):
                wrong[name] = furthest
    assert not wrong
