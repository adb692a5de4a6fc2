"""Export to ONNX: the file makes what the model makes, at other sizes too, or it is not written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from curate.adapters import onnx_export, upscalers
from curate.cli import app
from curate.errors import ModelError, ParamsError
from tests.restoration import real_weights

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("weights")
    return real_weights.as_torch(real_weights.compact(), folder / "realesr-animevideov3.pth")


def test_the_command_writes_a_checked_file_and_its_card(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["upscale", "export", str(weights), "--to", "onnx", "--out", str(out)])
    assert done.exit_code == 0, done.output
    file = out / "realesr-animevideov3.onnx"
    image = np.random.default_rng(1).random((37, 90, 3), dtype=np.float32)
    made = upscalers.load(str(file), scale=4).upscale(image)
    expected = upscalers.load(str(weights), scale=4, device="cpu").upscale(image)
    assert np.abs(np.clip(made, 0, 1) - expected).max() < 1e-4
    card = (out / "README.md").read_text()
    assert card.startswith("---\nlicense: bsd-3-clause\n")
    for path in (file, weights):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    assert card.count(" | ") >= 3 + len(onnx_export.SIZES)
    assert "not run here" in card


def test_a_file_that_makes_other_pixels_is_not_written(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.interpolate(image, scale_factor=4)

    monkeypatch.setattr(onnx_export.SpandrelUpscaler, "module", Other())
    with pytest.raises(ModelError, match=r"differs from the model by .* not written"):
        onnx_export.export(weights, tmp_path / "wrong.onnx")
    assert not list(tmp_path.iterdir())


def test_a_licence_that_nobody_knows_is_refused_first(tmp_path: Path) -> None:
    command = ["upscale", "export", "own.pth", "--to", "onnx", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, ParamsError)
    assert not (tmp_path / "out").exists()


def test_a_file_that_makes_no_numbers_is_not_written(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.interpolate(image, scale_factor=4) * float("nan")

    monkeypatch.setattr(onnx_export.SpandrelUpscaler, "module", Broken())
    with pytest.raises(ModelError, match=r"differs from the model by nan .* not written"):
        onnx_export.export(weights, tmp_path / "wrong.onnx")
    assert not list(tmp_path.iterdir())
