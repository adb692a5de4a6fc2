"""Weights files: where they are looked for, and which are refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from curate.adapters import weights
from curate.errors import ModelError

NOUN = {"noun": "segmenter checkpoint", "setting": "autolabel.segmenter.model"}


def test_the_digest_knows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    inner = hashlib.sha256(b"1").hexdigest()
    expected = hashlib.sha256(f"a {inner}\n".encode()).hexdigest()[:12]
    assert weights.digest([tmp_path / "a"]) == expected
    assert weights.digest([tmp_path / "b"]) != expected
    with pytest.raises(ModelError, match="none cannot be read"):
        weights.digest([tmp_path / "none"])


def test_the_digest_of_a_file_that_changes_changes(tmp_path: Path) -> None:
    file = tmp_path / "a"
    for content in (b"1", b"22", b"1"):
        file.write_bytes(content)
        assert weights.sha256(file) == hashlib.sha256(content).hexdigest()


def test_a_path_or_a_public_name_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURATE_MODELS", str(tmp_path / "cache"))
    own = tmp_path / "own.pth"
    own.write_bytes(b"own")
    assert weights.find(str(own), **NOUN) == own
    with pytest.raises(ModelError, match="run curate models fetch"):
        weights.find("sam_vit_b_01ec64.pth", **NOUN)
    with pytest.raises(ModelError, match=r"elsewhere.pth does not exist: set autolabel.segmenter.model"):
        weights.find("elsewhere.pth", **NOUN)
    cached = tmp_path / "cache/sam_vit_b_01ec64.pth"
    cached.parent.mkdir()
    cached.write_bytes(b"public")
    assert weights.find("sam_vit_b_01ec64.pth", **NOUN) == cached
    with pytest.raises(ModelError, match="does not exist"):  # a path is a path
        weights.find("models/sam_vit_b_01ec64.pth", **NOUN)


def test_the_cache_is_in_the_home_folder_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CURATE_MODELS", raising=False)
    assert weights.cache_folder() == Path.home() / ".cache/curate/models"


def test_other_weights_than_the_named_ones_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "sam.pth"
    file.write_bytes(b"weights")
    found = hashlib.sha256(b"weights").hexdigest()
    named = {"what": "segmenter checkpoint sam.pth", "setting": "autolabel.segmenter.sha256"}
    weights.check(file, found, **named)
    weights.check(file, None, **named)
    with pytest.raises(ModelError) as caught:
        weights.check(file, "0" * 64, **named)
    assert str(caught.value) == (
        "segmenter checkpoint sam.pth is not the one that autolabel.segmenter.sha256 names: "
        f"expected {'0' * 64}, found {found} in sam.pth"
    )
    with pytest.raises(ModelError, match=r"no model.safetensors or pytorch_model.bin to check"):
        weights.check(None, "0" * 64, **named)


def test_safetensors_are_the_main_file(tmp_path: Path) -> None:
    assert weights.main_file(tmp_path) is None
    (tmp_path / "pytorch_model.bin").touch()
    assert weights.main_file(tmp_path) == tmp_path / "pytorch_model.bin"
    (tmp_path / "model.safetensors").touch()
    assert weights.main_file(tmp_path) == tmp_path / "model.safetensors"
