"""The real huggingface_hub library against a Hub on loopback."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.adapters.fake_hub import TOKEN, HubState, serving


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubState]:
    """A Hub without repositories; Xet is off."""
    constants = pytest.importorskip("huggingface_hub.constants")
    utils = pytest.importorskip("huggingface_hub.utils")
    http = pytest.importorskip("huggingface_hub.utils._http")
    # the test session keeps the library off the network; this server is not on the network
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    utils.close_session()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with serving() as state:
        monkeypatch.setattr(constants, "ENDPOINT", state.url)
        template = state.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)  # made at import
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub cache"))
        # the library's own pauses between tries
        monkeypatch.setattr(http, "time", SimpleNamespace(sleep=lambda _: None, time=time.time))
        yield state
    utils.close_session()
