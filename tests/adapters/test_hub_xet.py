"""With Xet on: the real hf_xet library against a store in a folder, as its own tests use one.

What cannot be shown here: the HTTP protocol between hf_xet and the Hub's servers of chunks, their refusals,
and deduplication against what others uploaded.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.adapters.fake_hub import TOKEN, HubState
from tests.adapters.releases import write_release
from tests.adapters.test_huggingface_hub import adapter

huggingface_hub = pytest.importorskip("huggingface_hub")
hf_xet = pytest.importorskip("hf_xet")
constants = pytest.importorskip("huggingface_hub.constants")
NAME = "data/train-00000-of-00001.parquet"


@pytest.fixture
def xet(hub: HubState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubState:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    monkeypatch.setattr(constants, "HF_XET_CACHE", str(tmp_path / "xet cache"), raising=False)
    hub.xet = tmp_path / "store"
    return hub


def release(hub: HubState, folder: Path, **changes: object) -> Path:
    write_release(folder, **changes)  # type: ignore[arg-type]
    for path in folder.glob("data/*.parquet"):
        (found,) = hf_xet.hash_files([str(path)])
        hub.xet_hashes[hashlib.sha256(path.read_bytes()).hexdigest()] = found.hash
    return folder


def downloaded(hub: HubState, where: Path) -> bytes:
    api = huggingface_hub.HfApi(endpoint=hub.url, token=TOKEN)
    path = api.hf_hub_download("owner/name", NAME, repo_type="dataset", revision="v1.0.0", cache_dir=where)
    return Path(path).read_bytes()


def test_large_files_go_and_come_by_xet(xet: HubState, tmp_path: Path) -> None:
    folder = release(xet, tmp_path / "release", data=bytes(range(256)) * 2000)
    adapter(xet).publish(folder)
    assert [request for request in xet.requests if "xet-write-token" in request]
    assert not [
        request for request in xet.requests if request.startswith("PUT /lfs") or "/info/lfs" in request
    ]
    assert xet.tags == {"v1.0.0": xet.head}
    xet.requests.clear()
    assert downloaded(xet, tmp_path / "by xet") == (folder / NAME).read_bytes()
    assert [request for request in xet.requests if "xet-read-token" in request]
    assert not [
        request for request in xet.requests if request.startswith("GET /datasets") and NAME in request
    ]


def test_what_came_by_xet_is_read_without_it(
    xet: HubState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = release(xet, tmp_path / "release")
    adapter(xet).publish(folder)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    assert downloaded(xet, tmp_path / "by http") == (folder / NAME).read_bytes()


def test_again_and_a_next_version_by_xet(xet: HubState, tmp_path: Path) -> None:
    adapter(xet).publish(release(xet, tmp_path / "release"))
    assert adapter(xet).publish(tmp_path / "release").unchanged
    later = release(xet, tmp_path / "next", version="1.1.0", digest="b" * 64, data=b"other", shards=2)
    adapter(xet).publish(later)
    assert set(xet.tags) == {"v1.0.0", "v1.1.0"}
    assert sorted(path for path in xet.commits[xet.head] if path.startswith("data/")) == [
        "data/train-00000-of-00002.parquet",
        "data/train-00001-of-00002.parquet",
    ]
