"""Export to ONNX and ncnn: the file makes what the model makes, at other sizes too, or it is not written."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from curate.adapters import exported_model, ncnn_export, onnx_export, upscalers
from curate.cli import app
from curate.errors import CurateError, ModelError
from curate.release import model_card
from tests.restoration import real_weights

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("weights")
    return real_weights.as_torch(real_weights.compact(), folder / "realesr-animevideov3.pth")


@pytest.mark.parametrize(("kind", "endings"), [("onnx", [".onnx"]), ("ncnn", [".param", ".bin"])])
def test_the_command_writes_checked_files_and_their_card(
    weights: Path, tmp_path: Path, kind: str, endings: list[str]
) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["upscale", "export", str(weights), "--to", kind, "--out", str(out)])
    assert done.exit_code == 0, done.output
    files = [out / f"realesr-animevideov3{ending}" for ending in endings]
    image = np.random.default_rng(1).random((37, 90, 3), dtype=np.float32)
    made = upscalers.load(str(files[0]), scale=4).upscale(image)
    expected = upscalers.load(str(weights), scale=4, device="cpu").upscale(image)
    assert np.abs(np.clip(made, 0, 1) - expected).max() < 1e-4
    card = (out / "README.md").read_text()
    assert card.startswith(f"---\nlicense: bsd-3-clause\ntags:\n- super-resolution\n- {kind}\n")
    for path in (*files, weights):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    sizes = [f"{width} x {height} | " for height, width in exported_model.SIZES]
    assert all(card.count(size) == 1 for size in sizes)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        ["README.md", *(["tensorrt.sh"] if kind == "onnx" else []), *(path.name for path in files)]
    )


@pytest.mark.parametrize(("knows", "half"), [("  --fp16  Enable", ["--fp16"]), ("  --best", [])])
def test_tensorrt_is_a_script_that_says_it_was_not_run(tmp_path: Path, knows: str, half: list[str]) -> None:
    """Run with a trtexec that only repeats what it is given; that of TensorRT 11 knows no --fp16."""
    (tmp_path / "a user's model.onnx").touch()
    (tmp_path / "build.sh").write_text(model_card.tensorrt_script("a user's model.onnx"))
    program = f'#!/bin/sh\n[ "$1" = --help ] && echo "{knows}" || printf "%s\\n" "$@"\n'
    (tmp_path / "trtexec").write_text(program)
    (tmp_path / "trtexec").chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(
        ["sh", tmp_path / "build.sh"], env=path, capture_output=True, text=True, check=True, cwd="/"
    )
    assert done.stdout.splitlines() == [
        "--onnx=a user's model.onnx",
        *half,
        "--minShapes=image:1x3x32x32",
        "--optShapes=image:1x3x256x256",
        "--maxShapes=image:1x3x512x512",
        "--saveEngine=a user's model.engine",
    ]
    assert "NOT RUN" in (tmp_path / "build.sh").read_text()


class Other(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.interpolate(image, scale_factor=4)


class Broken(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.log(torch.nn.functional.interpolate(image, scale_factor=4) - 2)


class Branching(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        raise RuntimeError(f"no kernel for {image.ndim} axes")


@pytest.mark.parametrize("exporter", [onnx_export, ncnn_export])
@pytest.mark.parametrize(
    "case",
    [
        (Other(), r"differs from the model by .* not written"),
        (Broken(), r"differs from the model by nan .* not written"),
        (Branching(), r"cannot be (exported|traced): "),
    ],
)
def test_files_that_make_other_pixels_are_not_written(
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    exporter: ModuleType,
    case: tuple[torch.nn.Module, str],
) -> None:
    module, says = case
    monkeypatch.setattr(exporter.SpandrelUpscaler, "module", module)
    with pytest.raises(ModelError, match=says):
        exporter.export(weights, tmp_path / "wrong.param")
    assert not list(tmp_path.iterdir())


def test_pnnx_that_fails_is_one_line(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ncnn_export, "_SETTINGS", ("inputshape=[1,4,8,8]f32", "fp16=0"))
    with pytest.raises(ModelError, match="cannot be converted to ncnn"):
        ncnn_export.export(weights, tmp_path / "wrong.param")
    assert not list(tmp_path.iterdir())


class Passes(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image


@pytest.mark.parametrize(
    ("raised", "says"),
    [
        (subprocess.TimeoutExpired("pnnx", 1800), r"cannot be converted to ncnn: pnnx did not end within"),
        (PermissionError(13, "Permission denied"), r"pnnx cannot be run \(Permission denied\)"),
    ],
)
def test_pnnx_that_does_not_end_or_start_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception, says: str
) -> None:
    def run(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(ncnn_export.subprocess, "run", run)
    with pytest.raises(ModelError, match=says):
        ncnn_export._converted(Passes(), tmp_path)


def test_a_file_that_makes_another_shape_is_no_numpy_error() -> None:
    with pytest.raises(ModelError, match=r"ncnn file makes 256x256 pixels of 64x64, the model 128x128"):
        exported_model.compare(upscalers.BicubicUpscaler(2), upscalers.BicubicUpscaler(4), what="ncnn")


def test_a_kill_leaves_no_new_weights_under_an_old_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends before the second of the two files is in its place."""
    out, made = tmp_path / "out/x.param", tmp_path / "made/upscaler.param"
    for file, age in ((out, b"old"), (made, b"new")):
        file.parent.mkdir()
        for one in (file, file.with_suffix(".bin")):
            one.write_bytes(age)
    monkeypatch.setattr(
        ncnn_export, "SpandrelUpscaler", lambda *_, **__: SimpleNamespace(module=None, scale=4)
    )
    monkeypatch.setattr(ncnn_export, "NcnnUpscaler", lambda _: None)
    monkeypatch.setattr(ncnn_export, "_converted", lambda *_: made)
    monkeypatch.setattr(ncnn_export.exported_model, "compare", lambda *_, **__: ())
    sync, calls = os.fsync, []

    def dies_at_the_second(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise KeyboardInterrupt
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            ncnn_export.export(tmp_path / "w.pth", out)
    assert out.with_suffix(".bin").read_bytes() == b"new"
    assert not out.exists()
    ncnn_export.export(tmp_path / "w.pth", out)
    assert [path.read_bytes() for path in (out, out.with_suffix(".bin"))] == [b"new", b"new"]


def refused(weights: Path, *options: str) -> str:
    out = weights.with_name("out")
    command = ["upscale", "export", str(weights), "--to", "onnx", "--out", str(out), *options]
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, CurateError)
    assert not out.exists() or not any(out.iterdir())
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_a_license_that_nobody_knows_is_refused_before_weights_are_read(tmp_path: Path) -> None:
    (tmp_path / "own.pth").write_bytes(b"never read")
    assert "the license of own " in refused(tmp_path / "own.pth")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("none.pth", None, "none.pth do not exist, or are a folder: check the path"),
        ("a.jpg", "no weights", r"a.jpg: expected a file of PyTorch (.pth, .pt, .ckpt, .safetensors)"),
        ("a.pth", "no weights", "a.pth is damaged or no checkpoint: only tensors and plain containers"),
        ("a.safetensors", "no weights", "a.safetensors are damaged: "),
        ("a.pth", {"layer.weight": torch.zeros(3, 3)}, "spandrel knows no such architecture"),
        ("a.pth", [1, 2], "spandrel knows no such architecture (by the weights' names)"),
        (
            "a.pth",
            {"layer": Path()},
            "a.pth is damaged or no checkpoint: only tensors and plain",
        ),
    ],
)
def test_what_is_no_model_is_named_in_one_line(tmp_path: Path, name: str, content: Any, told: str) -> None:
    if isinstance(content, str):
        (tmp_path / name).write_text(content)
    elif content is not None:
        torch.save(content, tmp_path / name)
    assert told in refused(tmp_path / name, "--license", "mit")


@pytest.mark.parametrize(
    ("package", "kind", "extra"),
    [
        ("onnx", "onnx", "restoration"), ("onnxscript", "onnx", "restoration"),
        ("onnxruntime", "onnx", "restoration"), ("ncnn", "ncnn", "deploy"), ("pnnx", "ncnn", "deploy"),
    ],
)  # fmt: skip
def test_a_package_that_is_missing_is_named_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, kind: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "own.pth").write_bytes(b"never read")
    told = refused(tmp_path / "own.pth", "--license", "mit", "--to", kind)
    assert told == f"{package} is not installed: run pip install 'curate-vision[{extra}]'"
