"""A public file over HTTP: whole and right, or not there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from curate.adapters import model_fetch
from curate.errors import ModelError
from tests.adapters.fake_files import serving

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_the_file_is_there_whole(tmp_path: Path) -> None:
    with serving(content={"a.pth": CONTENT}) as files:
        model_fetch._download(f"{files.url}/a.pth", tmp_path / "made" / "a.pth", SHA256)
    assert (tmp_path / "made" / "a.pth").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["a.pth"]


def test_another_file_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with serving(content={"a.pth": CONTENT}) as files, pytest.raises(ModelError) as caught:
        model_fetch._download(f"{files.url}/a.pth", tmp_path / "a.pth", "0" * 64)
    assert "0" * 64 in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_breaks_is_tried_again(tmp_path: Path) -> None:
    with serving(content={"a.pth": CONTENT}) as files:
        files.drops = [1000]
        model_fetch._download(f"{files.url}/a.pth", tmp_path / "a.pth", SHA256)
        assert sum("a.pth" in path for path in files.paths) == 2
    assert (tmp_path / "a.pth").read_bytes() == CONTENT


def test_what_is_not_to_be_had_is_one_line(tmp_path: Path) -> None:
    with (
        serving(content={}) as files,
        pytest.raises(ModelError, match=r"a\.pth cannot be fetched from .*404"),
    ):
        model_fetch._download(f"{files.url}/a.pth", tmp_path / "a.pth", SHA256)
    assert list(tmp_path.iterdir()) == []


def test_the_command_works_without_a_terminal_and_nothing_imported_before(tmp_path: Path) -> None:
    """The library of the Hub is lazy: what other tests have imported hides a submodule nobody asked for."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "CURATE_"))}
    done = subprocess.run(
        [sys.executable, "-m", "curate", "models", "fetch", "sam_vit_b_01ec64.pth"],
        env=kept | {"CURATE_MODELS": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip().endswith("and HF_HUB_OFFLINE is set: unset it")
    assert "Traceback" not in done.stderr
