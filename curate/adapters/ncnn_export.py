"""An upscaler of PyTorch as ncnn's two files, checked against the model they were made from.

The converter is the program of the package pnnx, which ncnn's authors publish. It reads a traced model, and
writes into the folder where it is run.
"""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

from curate import tables
from curate.adapters import exported_model, torch_device
from curate.adapters.exported_model import Exported
from curate.adapters.ncnn_upscaler import NcnnUpscaler
from curate.adapters.spandrel_upscaler import SpandrelUpscaler
from curate.errors import ModelError
from curate.extras import require

# Two sizes, so that no side is taken for a constant. ncnn's own default of 16-bit weights loses half a level.
_SETTINGS = ("inputshape=[1,3,48,64]f32", "inputshape2=[1,3,72,56]f32", "fp16=0")
_LONGEST_S = 1800.0


def export(weights: Path, out: Path) -> Exported:
    """Write `out` and the .bin file beside it, once they are known to make what the model makes.

    Args:
        weights: Of PyTorch.
        out: The .param file.

    Raises:
        ModelError: The weights cannot be loaded or converted, or the files make other pixels.
        MissingExtraError: spandrel, ncnn or pnnx is not installed.
        StorageError: A file cannot be written.
    """
    for package in ("ncnn", "pnnx"):
        require(package, extra="deploy")
    model = SpandrelUpscaler(weights, device="cpu", precision="float32")
    binary = out.with_suffix(".bin")
    with tempfile.TemporaryDirectory(prefix="curate-ncnn-") as made:
        param = _converted(model.module, Path(made))
        checks = exported_model.compare(model, NcnnUpscaler(param), what="ncnn")
        with tables.replacing(out) as graph, tables.replacing(binary) as numbers:
            graph.write_bytes(param.read_bytes())
            numbers.write_bytes(param.with_suffix(".bin").read_bytes())
            out.unlink(missing_ok=True)  # killed from here on, no graph lies beside weights of another
    return Exported((out, binary), model.scale, checks)


def _converted(module: Any, folder: Path) -> Path:
    """The .param file with its .bin beside it."""
    torch = require("torch", extra="deploy")
    program = require("pnnx", extra="deploy").EXEC_PATH
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing is old; pnnx reads nothing else
            torch.jit.trace(module, torch.zeros(1, 3, 48, 64)).save(str(folder / "model.pt"))
    except Exception as error:  # whatever the architecture makes it raise
        raise ModelError(f"the model cannot be traced: {torch_device.first_line(error)}") from error
    done = _run(program, folder)
    found = [folder / "model.ncnn.param", folder / "model.ncnn.bin"]
    if done.returncode != 0 or not all(path.is_file() for path in found):
        reason = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1][:200]
        raise ModelError(f"the model cannot be converted to ncnn (exit code {done.returncode}): {reason}")
    return _renamed(found)


def _run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [program, "model.pt", *_SETTINGS],
            cwd=folder, capture_output=True, text=True, errors="replace", check=False, timeout=_LONGEST_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"the model cannot be converted to ncnn: pnnx did not end within {_LONGEST_S / 60:.0f} minutes"
        ) from error
    except OSError as error:
        raise ModelError(
            f"pnnx cannot be run ({error.strerror}): install the extra deploy again, for this machine"
        ) from error


def _renamed(found: list[Path]) -> Path:
    """Rename the two files to what `NcnnUpscaler` looks for: one name with two endings."""
    param, binary = (path.rename(path.with_name(f"upscaler{path.suffix}")) for path in found)
    del binary
    return param
