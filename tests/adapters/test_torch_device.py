"""The device by name, and the digest of weights files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from curate.adapters import torch_device
from curate.errors import ModelError


def test_auto_takes_the_best_that_is_there() -> None:
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert torch_device.choose("auto").type == expected
    assert torch_device.choose("cpu").type == "cpu"


def test_the_digest_knows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    inner = hashlib.sha256(b"1").hexdigest()
    expected = hashlib.sha256(f"a {inner}\n".encode()).hexdigest()[:12]
    assert torch_device.digest([tmp_path / "a"]) == expected
    assert torch_device.digest([tmp_path / "b"]) != expected
    with pytest.raises(ModelError, match="none cannot be read"):
        torch_device.digest([tmp_path / "none"])


def test_a_foreign_message_becomes_one_short_line() -> None:
    assert torch_device.first_line(RuntimeError("first\nsecond")) == "first"
    assert torch_device.first_line(RuntimeError()) == "RuntimeError"
    assert len(torch_device.first_line(RuntimeError("x" * 900))) == 200
