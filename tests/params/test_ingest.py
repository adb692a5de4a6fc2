from __future__ import annotations

from pathlib import Path

import pytest

from curate import params
from curate.errors import ParamsError


def test_images_must_come_from_somewhere(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("ingest: {raw: null, sources: own.yaml}\n")
    assert params.load(path).ingest.raw is None
    for text in ("ingest: {raw: null}\n", "ingest: {raw: null, sources: null}\n"):
        path.write_text(text)
        with pytest.raises(ParamsError, match=r"ingest\.raw is null too: name a folder"):
            params.load(path)
