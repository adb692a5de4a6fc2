"""What `benchmarks.restoration` is compared with: the loops that people write, of the same libraries.

Each is called in a fresh process and returns the seconds of its work, start and imports left out.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import j1
from skimage.metrics import structural_similarity

from curate.extras import require

cv2 = require("cv2", extra="restoration")
imageio_ffmpeg = require("imageio_ffmpeg", extra="ffmpeg")
spandrel = require("spandrel", extra="restoration")
Image = NDArray[np.float32]
_MODES = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)


def upscale(folder: str, weights: str, out: str) -> float:
    """Spandrel, an image at a time, as its own page shows it; torch takes every core."""
    model = spandrel.ModelLoader().load_from_file(weights).eval()
    with torch.inference_mode():
        model(torch.zeros(1, 3, 64, 64))
        began = time.perf_counter()
        for path in sorted(Path(folder).iterdir()):
            image = cv2.imread(str(path))[..., ::-1].astype(np.float32) / 255
            planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
            made = model(planes)[0].numpy().transpose(1, 2, 0)
            levels = (np.clip(made, 0, 1) * 255).round().astype(np.uint8)
            cv2.imwrite(str(Path(out, path.name)), levels[..., ::-1])
    return time.perf_counter() - began


def degrade(folder: str, out: str, scale: int) -> float:
    """Real-ESRGAN's second-order degradation in OpenCV and NumPy, an image at a time, as BasicSR has it."""
    rng = np.random.default_rng(0)
    began = time.perf_counter()
    for path in sorted(Path(folder).iterdir()):
        clean = cv2.imread(str(path))
        small = (clean.shape[1] // scale, clean.shape[0] // scale)
        image = clean.astype(np.float32) / 255
        image = _first(image, rng)
        image = _second(image, small, rng)
        cv2.imwrite(str(Path(out, "HR", path.name)), clean)
        cv2.imwrite(str(Path(out, "LR", path.name)), (np.clip(image, 0, 1) * 255).round().astype(np.uint8))
    return time.perf_counter() - began


def _first(image: Image, rng: np.random.Generator) -> Image:
    image = _blur(image, 3.0, rng)
    drawn = rng.random()
    if drawn < 0.9:  # else it keeps its size
        factor = rng.uniform(1, 1.5) if drawn < 0.2 else rng.uniform(0.15, 1)
        size = (max(2, round(image.shape[1] * factor)), max(2, round(image.shape[0] * factor)))
        image = cv2.resize(image, size, interpolation=_MODES[rng.integers(3)])
    return _jpeg(_noise(image, 30, 3, rng), rng)


def _second(image: Image, small: tuple[int, int], rng: np.random.Generator) -> Image:
    if rng.random() < 0.8:
        image = _blur(image, 1.5, rng)
    drawn = rng.random()
    factor = rng.uniform(1, 1.2) if drawn < 0.3 else rng.uniform(0.3, 1) if drawn < 0.7 else 1
    size = (max(2, round(small[0] * factor)), max(2, round(small[1] * factor)))
    image = _noise(cv2.resize(image, size, interpolation=_MODES[rng.integers(3)]), 25, 2.5, rng)
    if rng.random() < 0.5:
        image = _jpeg(image, rng)
        return _sinc(cv2.resize(image, small, interpolation=_MODES[rng.integers(3)]), rng)
    image = _sinc(cv2.resize(image, small, interpolation=_MODES[rng.integers(3)]), rng)
    return _jpeg(image, rng)


def _blur(image: Image, max_sigma: float, rng: np.random.Generator) -> Image:
    size = int(rng.choice(np.arange(7, 22, 2)))
    axis = np.arange(size) - size // 2
    x, y = np.meshgrid(axis, axis)
    sigma_x, sigma_y, angle = (
        rng.uniform(0.2, max_sigma),
        rng.uniform(0.2, max_sigma),
        rng.uniform(-np.pi, np.pi),
    )
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kernel = np.exp(-((along / sigma_x) ** 2 + (across / sigma_y) ** 2) / 2)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()))


def _noise(image: Image, sigma: float, poisson: float, rng: np.random.Generator) -> Image:
    gaussian, gray = rng.random() < 0.5, rng.random() < 0.4  # gray: one plane for all three
    if gaussian:
        shape = (*image.shape[:2], 1 if gray else 3)
        noise = rng.standard_normal(shape) * rng.uniform(1, sigma) / 255
    else:
        seen = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None] if gray else image
        levels = np.clip((seen * 255).round(), 0, 255) / 255
        values = 2 ** np.ceil(np.log2(len(np.unique(levels))))
        noise = (rng.poisson(levels * values) / values - levels) * rng.uniform(0.05, poisson)
    return np.clip(image + noise, 0, 1).astype(np.float32)


def _jpeg(image: Image, rng: np.random.Generator) -> Image:
    levels = (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
    _, data = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 96))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.float32) / np.float32(255)


def _sinc(image: Image, rng: np.random.Generator) -> Image:
    if rng.random() >= 0.8:
        return image
    size, cutoff = int(rng.choice(np.arange(7, 22, 2))), rng.uniform(np.pi / 3, np.pi)
    axis = np.arange(size) - size // 2
    far = np.hypot(*np.meshgrid(axis, axis))
    with np.errstate(divide="ignore", invalid="ignore"):
        kernel = cutoff * j1(cutoff * far) / (2 * np.pi * far)
    kernel[far == 0] = cutoff**2 / (4 * np.pi)
    return np.asarray(np.clip(cv2.filter2D(image, -1, kernel / kernel.sum()), 0, 1))


def ssim(clean: str, made: str) -> float:
    """scikit-image's SSIM on luma, Gaussian windows, as papers set it."""
    weights = np.array([65.481, 128.553, 24.966]) / 255
    began = time.perf_counter()
    for path in sorted(Path(clean).iterdir()):
        both = [cv2.imread(str(one))[..., ::-1].astype(np.float64) for one in (path, Path(made, path.name))]
        first, second = (one @ weights + 16 for one in both)
        structural_similarity(
            first, second, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    return time.perf_counter() - began


def vmaf(clean: str, made: str) -> float:
    """Ffmpeg with libvmaf on a pair of files, a program a pair."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    began = time.perf_counter()
    for path in sorted(Path(clean).iterdir()):
        with tempfile.TemporaryDirectory() as folder:
            graph = "[0:v]format=yuv444p[a];[1:v]format=yuv444p[b];[a][b]libvmaf=log_fmt=json:log_path=l.json"
            given = ["-i", str(Path(made, path.name).resolve()), "-i", str(path.resolve())]
            command = [program, "-loglevel", "error", *given, "-lavfi", graph, "-f", "null", "-"]
            subprocess.run(command, cwd=folder, check=True)
            json.loads(Path(folder, "l.json").read_text(encoding="utf-8"))["pooled_metrics"]["vmaf"]["mean"]
    return time.perf_counter() - began
