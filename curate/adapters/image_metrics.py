"""Metrics of other packages behind `curate.ports.ImageMetric`; each looks at RGB and leaves no border out."""

from __future__ import annotations

import functools
import importlib.util
import io
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from curate.adapters import torch_device
from curate.errors import MetricError, MissingExtraError
from curate.extras import require
from curate.ports import ImageMetric
from curate.records import UInt8Image
from curate.restoration import ffmpeg

# The backbone of each learned metric, as torchvision names its file. Its user fetches it.
_BACKBONES: Final = {"lpips": "alexnet-owt-7be5be79.pth", "dists": "vgg16-397923af.pth"}
_OF_NETWORKS: Final = ("torch", "torchvision", "torchmetrics")
_EXTRA: Final = "restoration"


class Ssimulacra2:
    """SSIMULACRA2 (Cloudinary): 100 = equal, 90 = hardly told apart, below 30 = bad; may be negative."""

    name, higher_is_better = "ssimulacra2", True

    def __init__(self) -> None:
        self._package = require("ssimulacra2", extra=_EXTRA)

    def measure(self, reference: UInt8Image, image: UInt8Image) -> float:
        """See `curate.ports.ImageMetric`."""
        _check(reference, image, min_side=8)
        files = [io.BytesIO(), io.BytesIO()]
        for pixels, file in zip((reference, image), files, strict=True):
            Image.fromarray(pixels).save(file, "PPM")
        return float(self._package.compute_ssimulacra2(*files))


class Flip:
    """The mean of LDR-FLIP (Nvidia), 0 = equal, 1 = nothing alike, at 67 pixels a degree of sight."""

    name, higher_is_better = "flip", False

    def __init__(self) -> None:
        self._package = require("flip_evaluator", extra=_EXTRA)

    def measure(self, reference: UInt8Image, image: UInt8Image) -> float:
        """See `curate.ports.ImageMetric`."""
        _check(reference, image)
        given = [np.ascontiguousarray(one, dtype=np.float32) / np.float32(255) for one in (reference, image)]
        _, mean, _ = self._package.evaluate(*given, "LDR", applyMagma=False)
        return float(mean)


class Vmaf:
    """VMAF v0.6.1 (Netflix) of one frame, 0..100, by the ffmpeg of imageio-ffmpeg."""

    name, higher_is_better = "vmaf", True

    def __init__(self) -> None:
        ffmpeg.program()

    def measure(self, reference: UInt8Image, image: UInt8Image) -> float:
        """See `curate.ports.ImageMetric`."""
        _check(reference, image, min_side=16)
        height, width = reference.shape[:2]
        with tempfile.TemporaryDirectory(prefix="curate-vmaf-") as folder:
            for pixels, name in ((image, "result.raw"), (reference, "clean.raw")):
                Path(folder, name).write_bytes(np.ascontiguousarray(pixels).tobytes())
            raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
            luma = "format=yuv444p"
            graph = f"[0:v]{luma}[a];[1:v]{luma}[b];[a][b]libvmaf=log_fmt=json:log_path=log.json:n_threads=1"
            given = ["-nostdin", *raw, "-i", "result.raw", *raw, "-i", "clean.raw"]
            ffmpeg.run([*given, "-lavfi", graph, "-f", "null", "-"], folder=folder)
            log = json.loads(Path(folder, "log.json").read_text(encoding="utf-8"))
        return float(log["pooled_metrics"]["vmaf"]["mean"])


class Learned:
    """LPIPS (AlexNet) or DISTS (VGG-16) by torchmetrics: 0 = equal."""

    higher_is_better = False

    def __init__(self, name: str) -> None:
        """Load the network.

        Args:
            name: lpips or dists.

        Raises:
            MetricError: The weights of its backbone are not on this machine; nothing is fetched.
            MissingExtraError: A package is not installed.
        """
        look_for_network(name)
        self.name, self._torch = name, require("torch", extra=_EXTRA)
        package = require(f"torchmetrics.functional.image.{name}", extra=_EXTRA)
        net = package._NoTrainLpips(net="alex") if name == "lpips" else package.DISTSNetwork()
        self._net = net.eval()

    def measure(self, reference: UInt8Image, image: UInt8Image) -> float:
        """See `curate.ports.ImageMetric`."""
        _check(reference, image, min_side=64)
        planes = [
            self._torch.from_numpy(np.ascontiguousarray(one.transpose(2, 0, 1)[None], dtype=np.float32) / 255)
            for one in (image, reference)
        ]
        with self._torch.inference_mode():
            scaled = [2 * one - 1 for one in planes] if self.name == "lpips" else planes
            return float(self._net(*scaled))


def backbone(name: str) -> Path | None:
    """File in which torchvision looks for a learned metric's weights; None for other metrics.

    Source:
        torch.hub.get_dir, which would be a reason to load torch.
    """
    if name not in _BACKBONES:
        return None
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    home = Path(os.environ.get("TORCH_HOME", cache / "torch")).expanduser()
    return home / "hub/checkpoints" / _BACKBONES[name]


def look_for_network(name: str) -> None:
    """Refuse a learned metric whose packages or weights are not here; takes no time.

    Raises:
        MetricError: Its weights are not here.
        MissingExtraError: A package is not installed.
    """
    for package in _OF_NETWORKS:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(f"{package} is not installed: run pip install 'curate-vision[{_EXTRA}]'")
    weights = backbone(name)
    if weights is not None and not weights.is_file():
        raise MetricError(f"its weights {weights.name} are not in {weights.parent}: fetch them there")


ADAPTERS: Final[dict[str, Callable[[], ImageMetric]]] = {
    "ssimulacra2": Ssimulacra2,
    "flip": Flip,
    "vmaf": Vmaf,
    "lpips": functools.partial(Learned, "lpips"),
    "dists": functools.partial(Learned, "dists"),
}


_LOOKS: Final[Mapping[str, Callable[[], Any]]] = {
    **ADAPTERS, **{name: functools.partial(look_for_network, name) for name in _BACKBONES}
}  # fmt: skip


def load(names: Sequence[str]) -> tuple[list[ImageMetric], dict[str, str]]:
    """The metrics that can be measured here, and of the others why not.

    Args:
        names: Of `ADAPTERS`.
    """
    return _tried(names, ADAPTERS)


def lacking(names: Sequence[str]) -> dict[str, str]:
    """Tell which metrics cannot be measured here, and why.

    No network is loaded, so a file of weights may still be damaged.

    Args:
        names: Of `ADAPTERS`; others are left out.
    """
    return _tried([name for name in names if name in _LOOKS], _LOOKS)[1]


def _tried(
    names: Sequence[str], loaders: Mapping[str, Callable[[], Any]]
) -> tuple[list[Any], dict[str, str]]:
    found, missing = list[Any](), dict[str, str]()
    for name in names:
        try:
            found.append(loaders[name]())
        except (MetricError, MissingExtraError) as error:
            missing[name] = str(error)
        except torch_device.DAMAGED as error:
            missing[name] = torch_device.first_line(error)
    return found, missing


def _check(reference: UInt8Image, image: UInt8Image, *, min_side: int = 1) -> None:
    if reference.shape != image.shape:
        (h, w), (other_h, other_w) = reference.shape[:2], image.shape[:2]
        raise MetricError(f"the result has {other_w}x{other_h} pixels, what it is compared with {w}x{h}")
    if min(reference.shape[:2]) < min_side:
        raise MetricError(f"an image of {reference.shape[1]}x{reference.shape[0]} pixels is too small")
